#include <CLI/CLI.hpp>
#include <cstdio>
#include <string_view>

#include "command.h"
#include "fovea/compute_runtime.h"
#include "session/jobs.h"

namespace fovea::cli {
namespace {

void addCommands(Flags app, Command& command) {
    addFamilies(app, command);
    addInfo(app, command);
    addTokens(app, command);
    addTrace(app, command);
    addGenerate(app, command);
    addVerify(app, command);
    addAnalyse(app, command);
    addRender(app, command);
    addRun(app, command);
    addCompare(app, command);
    addList(app, command);
    addDemo(app, command);
    addScene(app, command);
}

enum class ErrorForm { Text, Json };

int fail(const std::string& what, const std::string& hint, int code, ErrorForm form) {
    if (form == ErrorForm::Json) {
        const nlohmann::ordered_json json = {{"error", {{"what", what}, {"hint", hint}, {"code", code}}}};
        std::fprintf(stdout, "%s\n",
                     json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    }
    std::fprintf(stderr, "error: %s\n", what.c_str());
    if (!hint.empty()) std::fprintf(stderr, "hint: %s\n", hint.c_str());
    return code;
}

// A wrong command line has not been parsed: whether JSON is wanted must be seen from the words.
ErrorForm errorForm(int argc, char** argv) {
    for (int i = 1; i < argc; ++i)
        if (std::string_view(argv[i]) == "--json") return ErrorForm::Json;
    return ErrorForm::Text;
}

std::string usageProblem(const CLI::App& app, int argc, char** argv, const std::string& problem) {
    if (!app.get_subcommands().empty()) return problem;
    if (argc < 2) return "expected a subcommand, found none";
    const std::string word = argv[1];
    return word.starts_with("-") ? problem : "there is no subcommand \"" + word + "\"";
}

std::string usageHint(const CLI::App& app) {
    const auto chosen = app.get_subcommands();
    return "see fovea-cli " + (chosen.empty() ? std::string() : chosen.front()->get_name() + " ") + "--help";
}

int execute(const Command& command, const Interrupt& interrupt, ErrorForm form) {
    int code = exitDone;
    JobOutcome outcome;
    {
        Toolbox toolbox(command.common, interrupt);
        outcome = runInline(
            [&](const JobContext&) {
                setComputeThreads(command.common.threads);
                code = command.action(toolbox);
            },
            JobContext(interrupt.token()), [&] { toolbox.saveMemory(); });
    }
    if (outcome.cancelled) return fail("interrupted", {}, exitInterrupted, form);
    if (outcome.error)
        return fail(outcome.error->what(), outcome.error->hint(), static_cast<int>(outcome.error->code()),
                    form);
    return code;
}

int run(int argc, char** argv) {
    const Interrupt interrupt;
    CLI::App app("See, measure and edit where a vision model looks.", "fovea-cli");
    app.set_version_flag("--version", "fovea-cli " FOVEA_VERSION);
    app.footer(
        "MODEL is a folder, a checkpoint file, org/name from the local Hugging Face cache, a trace file, or "
        "demo:NAME.\n"
        "Exit codes: 0 done, 1 internal error, 2 wrong usage, 3 input that cannot be read or is not "
        "supported,\n"
        "4 does not fit the budget, the memory or the devices, 130 interrupted.");
    app.require_subcommand(1);
    app.fallthrough(false);
    Command command;
    addCommands(Flags(app), command);
    for (CLI::App* sub : app.get_subcommands({})) {
        Flags flags(*sub);
        addCommonOptions(flags, command.common);
        sub->set_version_flag("--version", "fovea-cli " FOVEA_VERSION)->group("Common");
    }
    const ErrorForm form = errorForm(argc, argv);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& request) {  // --help and --version
        return app.exit(request);
    } catch (const CLI::ParseError& problem) {
        return fail(usageProblem(app, argc, argv, problem.what()), usageHint(app),
                    static_cast<int>(ErrorCode::Usage), form);
    }
    return execute(command, interrupt, form);
}

}  // namespace
}  // namespace fovea::cli

int main(int argc, char** argv) {
    return fovea::cli::run(argc, argv);
}
