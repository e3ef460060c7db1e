#include <memory>

#include "command.h"
#include "fovea/model_reference.h"
#include "session_outputs.h"

namespace fovea::cli {
namespace {

int run(Toolbox& toolbox, const std::string& folder) {
    const Session session = readSession(resourcesFolder() / "sessions" / "demo.fovea.json");
    checkOutputs(toolbox, session);
    const auto files = writeOutputs(toolbox, session, {folder, {".svg"}}, toolbox.job());
    nlohmann::ordered_json names = nlohmann::ordered_json::array();
    for (const auto& file : files) names.push_back(file.generic_string());
    if (toolbox.options().json) {
        toolbox.printJson({{"files", std::move(names)}});
    } else {
        for (const auto& file : files) toolbox.print(file.generic_string() + "\n");
    }
    return exitDone;
}

}  // namespace

void addDemo(Flags& app, Command& command) {
    Flags sub = app.subcommand("demo", "draws the bundled demo as PNG, SVG and JSON and prints the paths");
    auto folder = std::make_shared<std::string>("out");
    sub.option("-o,--output", *folder, "folder to write to (out)").typeName("DIR");
    sub.whenChosen([&command, folder] {
        command.action = [folder](Toolbox& toolbox) { return run(toolbox, *folder); };
    });
}

}  // namespace fovea::cli
