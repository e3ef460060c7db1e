#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <memory>

#include "command.h"
#include "fovea/error.h"
#include "fovea/model_reference.h"
#include "fovea/viz/colormap.h"
#include "session/lessons.h"

namespace fovea::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

ordered_json entriesJson(const std::vector<EntryInfo>& entries) {
    ordered_json out = ordered_json::array();
    for (const EntryInfo& info : entries) out.emplace_back(toJson(info));
    return out;
}

template <typename Table>
std::vector<EntryInfo> infosOf(const Table& table) {
    std::vector<EntryInfo> infos;
    for (const auto& entry : table.all()) infos.push_back(entry.info);
    return infos;
}

ordered_json colormapsJson() {
    ordered_json out = ordered_json::array();
    for (const viz::ColorMap& map : viz::colorMaps())
        out.push_back({{"id", map.name},
                       {"title", map.name},
                       {"help", map.help},
                       {"kind", map.kind == viz::ColorMap::Kind::Diverging ? "diverging" : "sequential"},
                       {"perceptual", map.perceptual},
                       {"color_blind_safe", map.colorBlindSafe}});
    return out;
}

// Heading of a model card or the title of a lesson: the first line of its text that says anything.
std::string headingOf(const fs::path& file) {
    std::ifstream stream(file);
    std::string line;
    for (int i = 0; i < 50 && std::getline(stream, line); ++i)
        if (line.starts_with("# ")) return line.substr(2, 200);
    return "";
}

std::vector<fs::path> sortedEntries(const fs::path& folder) {
    std::vector<fs::path> paths;
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
        paths.push_back(it->path());
    std::sort(paths.begin(), paths.end());
    return paths;
}

ordered_json demosJson() {
    ordered_json out = ordered_json::array();
    for (const fs::path& folder : sortedEntries(resourcesFolder() / "demo_models")) {
        if (!fs::is_regular_file(folder / "config.json")) continue;
        const std::string name = folder.filename().string();
        out.push_back({{"id", "demo:" + name.substr(0, name.find('-'))},
                       {"title", name},
                       {"help", headingOf(folder / "README.md")},
                       {"path", folder.generic_string()}});
    }
    return out;
}

ordered_json lessonsJson() {
    ordered_json out = ordered_json::array();
    for (const Lesson& lesson : lessons()) {
        const Session session = readSession(lesson.file);
        const auto title = session.views.find("title"), help = session.views.find("help");
        const auto text = [&](const auto& found) {
            return found != session.views.end() && found->is_string() ? found->template get<std::string>()
                                                                      : std::string();
        };
        out.push_back({{"id", lesson.name},
                       {"title", text(title)},
                       {"help", text(help)},
                       {"path", lesson.file.generic_string()}});
    }
    return out;
}

ordered_json listed(Toolbox& toolbox, const std::string& what) {
    const Catalog& catalog = *toolbox.catalog();
    if (what == "analyses") return entriesJson(infosOf(catalog.analyses));
    if (what == "interventions") return entriesJson(infosOf(catalog.interventions));
    if (what == "operators") return entriesJson(infosOf(catalog.operators));
    if (what == "painters") return entriesJson(infosOf(*toolbox.painters()));
    if (what == "colormaps") return colormapsJson();
    return what == "demos" ? demosJson() : lessonsJson();
}

// A number's lowest value by its word, as "all".
std::string defaultText(const ordered_json& param) {
    const bool lowest = param.contains("lowest") && param["default"] == param["minimum"];
    return lowest ? param["lowest"].get<std::string>() : param["default"].dump();
}

std::string entryText(const ordered_json& entry) {
    std::string text = fmt::format("{:<22} {}\n", entry.value("id", ""), entry.value("help", ""));
    if (entry.contains("path")) text += fmt::format("{:22} {}\n", "", entry.value("path", ""));
    if (entry.contains("params"))
        for (const auto& param : entry["params"])
            text += fmt::format("{:22}   {} ({}, default {}): {}\n", "", param.value("name", ""),
                                param.value("type", ""), defaultText(param), param.value("help", ""));
    return text;
}

int run(Toolbox& toolbox, const std::string& what) {
    if (what.empty())
        throw Error("list: expected what to list, found nothing",
                    "fovea-cli list WHAT, with WHAT one of analyses, interventions, operators, painters, colormaps, "
                    "demos, lessons",
                    ErrorCode::Usage);
    const ordered_json entries = listed(toolbox, what);
    if (toolbox.options().json) {
        toolbox.printJson({{what, entries}});
        return exitDone;
    }
    std::string text;
    for (const auto& entry : entries) text += entryText(entry);
    toolbox.print(text);
    return exitDone;
}

}  // namespace

void addList(Flags& app, Command& command) {
    Flags sub = app.subcommand("list", "what there is: analyses, interventions, colour maps, ...");
    sub.footer("Lessons are run by their names: fovea-cli run ask (or lesson:ask, where a file is called so).");
    auto what = std::make_shared<std::string>();
    sub.option("WHAT", *what, "what to list: analyses, interventions, operators, painters, colormaps, demos or lessons")
        .typeName("WHAT")
        .oneOf({"analyses", "interventions", "operators", "painters", "colormaps", "demos", "lessons"});
    sub.whenChosen(
        [&command, what] { command.action = [what](Toolbox& toolbox) { return run(toolbox, *what); }; });
}

}  // namespace fovea::cli
