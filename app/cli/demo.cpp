#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "command.h"
#include "fovea/model_reference.h"
#include "session_outputs.h"

namespace fovea::cli {
namespace {

int run(Toolbox& toolbox, const std::string& folder) {
    std::vector<std::filesystem::path> files;
    // The vision transformer, and in a folder of its own the model that answers: numbers of both have the same names.
    for (const auto& [name, place] : {std::pair{"demo", "."}, std::pair{"ask", "ask"}}) {
        const Session session = readSession(resourcesFolder() / "sessions" / (std::string(name) + ".fovea.json"));
        checkOutputs(toolbox, session);
        const auto to = (std::filesystem::path(folder) / place).lexically_normal();
        for (auto& file : writeOutputs(toolbox, session, {to, {".svg"}}, toolbox.job())) files.push_back(std::move(file));
    }
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
    Flags sub = app.subcommand("demo", "draws both bundled demos as PNG, SVG and JSON and prints the paths");
    auto folder = std::make_shared<std::string>("out");
    sub.option("-o,--output", *folder, "folder to write to (out)").typeName("DIR");
    sub.whenChosen([&command, folder] {
        command.action = [folder](Toolbox& toolbox) { return run(toolbox, *folder); };
    });
}

}  // namespace fovea::cli
