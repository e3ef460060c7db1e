#pragma once

#include <functional>

#include "common_options.h"
#include "toolbox.h"

namespace fovea::cli {

/// Exit codes that are no ErrorCode.
inline constexpr int exitDone = 0, exitInterrupted = 130;

/// What a parsed command line asks for: set by the subcommand that was named.
struct Command {
    CommonOptions common;
    std::function<int(Toolbox&)> action;  ///< returns the exit code; throws Error and Cancelled
};

// One function per subcommand, each in a file of its name: adds the subcommand with its flags.
void addFamilies(Flags& app, Command& command);
void addInfo(Flags& app, Command& command);
void addTokens(Flags& app, Command& command);
void addTrace(Flags& app, Command& command);
void addGenerate(Flags& app, Command& command);
void addVerify(Flags& app, Command& command);
void addAnalyse(Flags& app, Command& command);
void addRender(Flags& app, Command& command);
void addRun(Flags& app, Command& command);
void addCompare(Flags& app, Command& command);
void addList(Flags& app, Command& command);
void addDemo(Flags& app, Command& command);
void addScene(Flags& app, Command& command);

}  // namespace fovea::cli
