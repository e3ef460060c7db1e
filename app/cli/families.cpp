#include <fmt/format.h>


#include "command.h"

namespace fovea::cli {
namespace {

int run(Toolbox& toolbox) {
    const auto& models = toolbox.catalog()->models.all();
    if (toolbox.options().json) {
        nlohmann::ordered_json families = nlohmann::ordered_json::array();
        for (const ModelEntry& entry : models)
            families.push_back({{"id", entry.info.id},
                                {"title", entry.info.title},
                                {"help", entry.info.help},
                                {"model_types", entry.modelTypes},
                                {"architectures", entry.architectures}});
        toolbox.printJson({{"families", std::move(families)}});
        return exitDone;
    }
    std::string text;
    for (const ModelEntry& entry : models) {
        text += fmt::format("{:<14} {}\n", entry.info.id, entry.info.title);
        if (!entry.modelTypes.empty())
            text += fmt::format("{:14} model_type: {}\n", "", fmt::join(entry.modelTypes, ", "));
        if (!entry.architectures.empty())
            text += fmt::format("{:14} architectures: {}\n", "", fmt::join(entry.architectures, ", "));
    }
    toolbox.print(text);
    return exitDone;
}

}  // namespace

void addFamilies(Flags& app, Command& command) {
    Flags sub = app.subcommand("families", "what can be opened, and what each family accepts");
    sub.whenChosen([&command] { command.action = run; });
}

}  // namespace fovea::cli
