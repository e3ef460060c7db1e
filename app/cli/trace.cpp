#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "command.h"
#include "fovea/attention_trace.h"
#include "fovea/error.h"
#include "io/file_identity.h"
#include "picture_names.h"
#include "session/answer_text.h"
#include "session_outputs.h"

namespace fovea::cli {
namespace {

struct Options {
    std::string model, keep = "qkv,lse,output", output;
    std::vector<std::string> sites;
    int topk = 8, pooledBlock = 8;
    InputOptions input;
};

void checkSites(const ModelSpec& spec, const std::vector<std::string>& globs) {
    for (const std::string& glob : globs) {
        bool any = false;
        for (const AttentionSite& site : spec.sites) any = any || matchesGlob(glob, site.address());
        if (any) continue;
        const std::string example =
            spec.sites.empty() ? "" : "an address of this model: " + spec.sites.front().address();
        throw Error(fmt::format("--sites {}: no attention site of the model matches", glob), example,
                    ErrorCode::Usage);
    }
}

int run(Toolbox& toolbox, const Options& options) {
    requireSuffix(options.output, {".safetensors"});
    requirePlace(options.output);
    TraceFileOptions file;
    file.keep = CaptureRequest::parse(options.keep);
    file.keep.sites = options.sites;
    file.statistics.topk = options.topk;
    file.statistics.pooledBlock = options.pooledBlock;
    if (toolbox.options().dtype != "auto") file.dtype = toolbox.options().dtype;
    const Session session = sessionFor(options.model, options.input, toolbox.options(), *toolbox.catalog());
    // Names of files need not be UTF-8.
    const auto textOf = [](const nlohmann::ordered_json& json) {
        return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    };
    file.session = textOf(toJson(withAbsolutePaths(session)));

    Engine& engine = toolbox.engine();
    const JobContext job = toolbox.job();
    const auto model = engine.model(session, job.part(0, 0.1));
    checkSites(model->spec(), options.sites);
    file.model =
        textOf(modelIdentityJson(resolveModel(options.model), HashDepth::Header, job.part(0.1, 0.15)));
    const int count = engine.input(session, job.part(0.15, 0.2))->count();
    std::vector<std::shared_ptr<const AttentionTrace>> traces;
    std::vector<std::shared_ptr<const RunResult>> runs;
    for (int item = 0; item < count; ++item) {
        const JobContext part = job.part(0.2 + 0.5 * item / count, 0.2 + 0.5 * (item + 1) / count);
        runs.push_back(engine.run(session, item, file.keep, part));
        traces.push_back(runs.back()->trace);
        if (session.input.maxNewTokens > 0) file.answers.push_back(answerText(engine, session, item, part)->ids);
    }
    writeTraceFile(options.output, traces, file, job.part(0.7, 1));

    const std::uint64_t bytes = std::filesystem::file_size(options.output);
    std::vector<std::string> notices = model->spec().weights.notices;
    for (const auto& run : runs)
        for (const std::string& notice : run->notices)
            if (std::find(notices.begin(), notices.end(), notice) == notices.end()) notices.push_back(notice);
    for (const std::string& notice : notices) toolbox.warn(notice);
    if (toolbox.options().json) {
        toolbox.printJson({{"file", options.output},
                           {"bytes", bytes},
                           {"items", count},
                           {"routes", routesJson(*runs.front())},
                           {"notices", notices}});
    }
    toolbox.note(fmt::format("wrote {} ({})", options.output, formatBytes(bytes)));
    return exitDone;
}

}  // namespace

void addTrace(Flags& app, Command& command) {
    Flags sub = app.subcommand("trace", "records what the attention does, in one safetensors file");
    sub.footer(
        "--keep words: probs, qkv, lse, stats, attention_output, hidden, output, input (comma separated).\n"
        "output holds the ids of an answer as output/generated_ids.\n"
        "With several pictures every name begins with image<N>/. An explicit --dtype is also that of the "
        "file.");
    auto options = std::make_shared<Options>();
    sub.option("MODEL", options->model, "what to open").required();
    sub.option("--keep", options->keep, "what to record").typeName("LIST").required();
    sub.option("--sites", options->sites,
                    "only attention sites whose address matches, such as 'vision.*.self'")
        .typeName("GLOB")
        .oneAtATime();
    sub.option("--topk", options->topk, "largest probabilities per row in the statistics")
        .range(1, 64)
        .typeName("K");
    sub.option("--pooled-block", options->pooledBlock, "side of a pooled cell in the statistics")
        .range(1, 4096)
        .typeName("N");
    sub.option("-o,--output", options->output, "file to write")
        .typeName("FILE.safetensors")
        .required();
    addInputOptions(sub, options->input);
    sub.whenChosen([&command, options] {
        command.action = [options](Toolbox& toolbox) { return run(toolbox, *options); };
    });
}

}  // namespace fovea::cli
