#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string_view>

#include "command.h"
#include "fovea/compute_runtime.h"
#include "fovea/suggestion.h"
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

// What is wrong with a command line, and what to do about it.
struct UsageProblem {
    std::string what, hint;
};

std::vector<std::string> namesOf(const std::vector<const CLI::App*>& commands) {
    std::vector<std::string> names;
    for (const CLI::App* command : commands) names.push_back(command->get_name());
    return names;
}

std::vector<std::string> flagsOf(const CLI::App& command) {
    std::vector<std::string> names;
    for (const CLI::Option* option : command.get_options())
        for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    return names;
}

std::string meant(const std::string& word, const std::vector<std::string>& known) {
    const std::string closest = closestWord(word, known);
    return closest.empty() ? "" : "did you mean " + closest + "? ";
}

UsageProblem usageProblem(const CLI::App& app, const std::vector<std::string>& words, const std::string& problem) {
    const auto chosen = app.get_subcommands();
    const std::string help =
        "see fovea-cli " + (chosen.empty() ? std::string() : chosen.front()->get_name() + " ") + "--help";
    const CLI::App& command = chosen.empty() ? app : *chosen.front();
    if (chosen.empty() && !words.empty() && !words.front().starts_with("-"))
        return {"there is no subcommand \"" + words.front() + "\"",
                meant(words.front(), namesOf(app.get_subcommands([](const CLI::App*) { return true; }))) + help};
    // An unknown flag explains a missing one: it comes first.
    for (const std::string& word : app.remaining(true)) {
        const std::string name = word.substr(0, word.find('='));
        if (!name.starts_with("-") || name.size() < 2) continue;
        const std::string named = chosen.empty() ? "" : command.get_name() + ": ";
        return {named + "there is no flag \"" + name + "\"", meant(name, flagsOf(command)) + help};
    }
    return {words.empty() ? "expected a subcommand, found none" : problem, help};
}

// "help" and "help COMMAND" are what many programs take for --help.
std::vector<std::string> wordsOf(int argc, char** argv) {
    std::vector<std::string> words(argv + 1, argv + std::max(argc, 1));
    if (!words.empty() && words.front() == "help") {
        words.erase(words.begin());
        words.emplace_back("--help");
    }
    return words;
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
    if (outcome.cancelled) return fail("interrupted", "run it again: no file was left half written", exitInterrupted, form);
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
    const std::vector<std::string> words = wordsOf(argc, argv);
    try {
        app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // CLI11 takes them last first
    } catch (const CLI::Success& request) {  // --help and --version
        return app.exit(request);
    } catch (const CLI::ParseError& problem) {
        const UsageProblem usage = usageProblem(app, words, problem.what());
        return fail(usage.what, usage.hint, static_cast<int>(ErrorCode::Usage), form);
    }
    return execute(command, interrupt, form);
}

}  // namespace
}  // namespace fovea::cli

int main(int argc, char** argv) {
    return fovea::cli::run(argc, argv);
}
