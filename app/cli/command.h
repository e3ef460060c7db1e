#pragma once

#include <functional>

#include "common_options.h"
#include "toolbox.h"

namespace CLI {
class App;
}

namespace fovea::cli {

/// Exit codes that are no ErrorCode.
inline constexpr int exitDone = 0, exitInterrupted = 130;

/// What a parsed command line asks for: set by the subcommand that was named.
struct Command {
    CommonOptions common;
    std::function<int(Toolbox&)> action;  ///< returns the exit code; throws Error and Cancelled
};

// One function per subcommand, each in a file of its name: adds the subcommand with its flags.
void addFamilies(CLI::App& app, Command& command);
void addInfo(CLI::App& app, Command& command);
void addTokens(CLI::App& app, Command& command);
void addTrace(CLI::App& app, Command& command);
void addGenerate(CLI::App& app, Command& command);
void addVerify(CLI::App& app, Command& command);
void addAnalyse(CLI::App& app, Command& command);
void addRender(CLI::App& app, Command& command);
void addRun(CLI::App& app, Command& command);
void addCompare(CLI::App& app, Command& command);
void addList(CLI::App& app, Command& command);
void addDemo(CLI::App& app, Command& command);
void addScene(CLI::App& app, Command& command);

}  // namespace fovea::cli
