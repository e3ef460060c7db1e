#include <fmt/format.h>

#include <memory>

#include "command.h"
#include "fovea/error.h"
#include "picture_names.h"
#include "session_outputs.h"
#include "session/finding_file.h"

namespace fovea::cli {
namespace {

struct Options {
    std::string model, analysis, finding, output = "-", format = "json";
    std::vector<std::string> params;
    InputOptions input;
};

int run(Toolbox& toolbox, const Options& options) {
    const bool toStdout = options.output == "-";
    if (!toStdout) {
        requireSuffix(options.output, {".json", ".csv", ".npz", ".safetensors"});
        requirePlace(options.output);
    }
    Session session = sessionFor(options.model, options.input, toolbox.options(), *toolbox.catalog());
    const EntryInfo& info = toolbox.catalog()->analyses.get(options.analysis).info;
    session.analyses.push_back({options.analysis, parseParams(info, options.params, "--param")});
    Numbers numbers = computeNumbers(toolbox.engine(), session, 0, toolbox.job());
    numbers.finding = options.finding;
    for (const ItemFindings& item : numbers.items)
        for (const std::string& notice : item.result->notices) toolbox.warn(notice);
    if (toStdout) {
        if (options.format == "csv") {
            toolbox.print(numbersCsv(numbers));
        } else {
            nlohmann::ordered_json json = numbersJson(numbers);
            if (toolbox.options().json) json["routes"] = routesJson(toolbox, session, toolbox.job());
            toolbox.printJson(json);
        }
        return exitDone;
    }
    writeNumbers(options.output, numbers);
    if (toolbox.options().json)
        toolbox.printJson({{"files", {options.output}}, {"routes", routesJson(toolbox, session, toolbox.job())}});
    toolbox.note("wrote " + options.output);
    return exitDone;
}

}  // namespace

void addAnalyse(Flags& app, Command& command) {
    Flags sub = app.subcommand("analyse", "computes an analysis and gives its numbers");
    sub.footer(
        "Without -o, or with -o -, the numbers go to standard output as --format says. JSON, npz and "
        "safetensors hold\n"
        "all findings of all pictures; CSV holds one finding, with an item column when there are several "
        "pictures.\n"
        "fovea-cli list analyses --json shows the analyses with their parameters.");
    auto options = std::make_shared<Options>();
    sub.option("MODEL", options->model, "what to open").required();
    sub.option("--analysis", options->analysis, "id of the analysis").typeName("ID").required();
    sub.option("--param", options->params, "parameter of the analysis; repeat for several")
        .typeName("K=V")
        .oneAtATime();
    sub.option("--finding", options->finding, "which finding a CSV holds (the first unless named)")
        .typeName("NAME");
    sub.option("--format", options->format, "json or csv, on standard output")
        .oneOf({"json", "csv"})
        .typeName("FORMAT");
    sub.option("-o,--output", options->output, "file to write: .json, .csv, .npz or .safetensors")
        .typeName("FILE");
    addInputOptions(sub, options->input);
    sub.whenChosen([&command, options] {
        command.action = [options](Toolbox& toolbox) { return run(toolbox, *options); };
    });
}

}  // namespace fovea::cli
