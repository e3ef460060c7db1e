#include "views/view_kinds.h"

#include <QObject>
#include <algorithm>
#include <set>

namespace fovea::gui {

void applyViewParams(const ViewKind& kind, const EntryInfo& analysis, nlohmann::json& params) {
    const auto& specs = analysis.params;
    const bool offered =
        std::all_of(kind.params.items().begin(), kind.params.items().end(), [&](const auto& wanted) {
            return std::any_of(specs.begin(), specs.end(), [&](const ParamSpec& spec) {
                return spec.name == wanted.key() &&
                       (spec.type != ParamType::Choice || std::find(spec.choices.begin(), spec.choices.end(),
                                                                    wanted.value()) != spec.choices.end());
            });
        });
    if (!offered) return;
    for (const auto& [name, value] : kind.params.items())
        if (!params.contains(name)) params[name] = value;
}

std::vector<ViewKind> viewKinds(const Offer& offer) {
    const std::vector<ViewKind> usual = {
        {"input", QObject::tr("Input"), QObject::tr("What the model saw, with its tokens"), {}, {}, {}},
        {"overlay",
         QObject::tr("Overlay"),
         QObject::tr("Heat, boxes and scan paths over the picture"),
         {"heat_overlay", "scanpath"},
         "attention_from",
         {}},
        {"head_grid",
         QObject::tr("Head grid"),
         QObject::tr("One small map per layer and head"),
         {"head_grid"},
         "attention_from",
         {{"planes", "layers_heads"}, {"layers", "all"}}},
        {"matrix",
         QObject::tr("Matrix"),
         QObject::tr("Which token attends to which"),
         {"matrix"},
         "attention_matrix",
         {}},
        {"tree",
         QObject::tr("Tree"),
         QObject::tr("Tokens as a tree over the picture"),
         {"tree"},
         "dependency_tree",
         {}},
        {"chart",
         QObject::tr("Chart"),
         QObject::tr("Curves over layers or steps"),
         {"chart"},
         "head_statistics",
         {}},
        {"table", QObject::tr("Table"), QObject::tr("Numbers in rows"), {"table"}, "head_statistics", {}},
        {"tokens",
         QObject::tr("Tokens"),
         QObject::tr("All tokens in order, coloured by value"),
         {"token_strip"},
         "attention_from",
         {}},
    };
    std::vector<ViewKind> kinds;
    std::set<std::string> used;
    for (ViewKind kind : usual) {
        std::erase_if(kind.painters, [&](const std::string& id) { return !offer.painter(id); });
        if (kind.painters.empty() && kind.id != "input") continue;
        used.insert(kind.painters.begin(), kind.painters.end());
        kinds.push_back(std::move(kind));
    }
    for (const PainterOffer& painter : offer.painters)
        if (!used.count(painter.info.id))
            kinds.push_back({QString::fromStdString(painter.info.id),
                             QString::fromStdString(painter.info.title),
                             QString::fromStdString(painter.info.help),
                             {painter.info.id},
                             {},
                             {}});
    return kinds;
}

}  // namespace fovea::gui
