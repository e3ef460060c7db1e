#include "common/picture_sites.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "fovea/error.h"
#include "fovea/selection.h"

namespace fovea {
namespace {

bool crosses(const AttentionSite& site) {
    return site.kind == SiteKind::Cross && !site.keyStage.empty() && site.weighting == Weighting::Softmax;
}

// A text is read in order, or reads another stage itself; towers do neither, and a projector has no attention.
bool showsPictures(const ModelSpec& spec, const std::string& stage) {
    return std::none_of(spec.sites.begin(), spec.sites.end(), [&](const AttentionSite& site) {
        return site.stage == stage && (site.causal || crosses(site));
    });
}

std::vector<int> allCrossing(const ModelSpec& spec, const std::string& stage) {
    std::vector<int> sites;
    for (const int site : spec.sitesOfStage(stage)) {
        const AttentionSite& about = spec.sites[static_cast<std::size_t>(site)];
        if (crosses(about) && showsPictures(spec, about.keyStage)) sites.push_back(site);
    }
    return sites;
}

}  // namespace

const std::string& keyStageOf(const AttentionSite& site) { return site.keyStage.empty() ? site.stage : site.keyStage; }

std::string stageLookedAt(const ModelSpec& spec, const SiteChoice& choice) {
    const auto keysOf = [&](int site) { return keyStageOf(spec.sites[static_cast<std::size_t>(site)]); };
    const std::string stage = keysOf(choice.sites.front());
    for (const int site : choice.sites)
        if (keysOf(site) != stage)
            throw Error(fmt::format("the chosen attention looks at tokens of stage {} and of stage {}", stage, keysOf(site)),
                        "choose one kind of it, such as " + choice.stage + ".*.cross", ErrorCode::Usage);
    return stage;
}

SiteChoice crossingSites(const ModelSpec& spec, const nlohmann::json& params) {
    SiteChoice choice{chosenStage(spec, params), {}};
    const std::vector<int> all = allCrossing(spec, choice.stage);
    if (all.empty()) return choice;
    const std::vector<int> blocks = parseIndices(params.value("layers", "all"), spec.stage(choice.stage).layers,
                                                 "layers of stage " + choice.stage);
    for (const int site : all)
        if (std::binary_search(blocks.begin(), blocks.end(), spec.sites[static_cast<std::size_t>(site)].block))
            choice.sites.push_back(site);
    return choice;
}

SiteChoice sitesOnPictures(const ModelSpec& spec, const nlohmann::json& params) {
    SiteChoice choice = crossingSites(spec, params);
    if (!choice.sites.empty()) return choice;
    const std::vector<int> all = allCrossing(spec, choice.stage);
    if (all.empty()) return chosenSites(spec, params);
    std::set<int> blocks;
    for (const int site : all) blocks.insert(spec.sites[static_cast<std::size_t>(site)].block);
    throw Error(fmt::format("layers \"{}\" of stage {}: none of them attends to the picture", params.value("layers", ""),
                            choice.stage),
                fmt::format("those that do: {}", fmt::join(blocks, ",")), ErrorCode::Usage);
}

std::string describeReading(const ModelSpec& spec, const SiteChoice& choice) {
    const AttentionSite& first = spec.sites[static_cast<std::size_t>(choice.sites.front())];
    const bool several = choice.sites.size() > 1;
    return (several && crosses(first) ? "cross-attention of " : "") + describeSites(spec, choice);
}

std::string crossingNote(const ModelSpec& spec, const SiteChoice& choice) {
    const AttentionSite& first = spec.sites[static_cast<std::size_t>(choice.sites.front())];
    if (!crosses(first)) return {};
    return fmt::format("mass of the cross-attention ({}), whose rows are spread over the picture's tokens alone",
                       choice.sites.size() == 1 ? first.address() : first.stage + ".*.cross");
}

std::string whereStageSees(const ModelSpec& spec, const std::string& stage) {
    if (!allCrossing(spec, stage).empty())
        return fmt::format("its words read the picture by cross-attention: attention_from with site={}.*.cross shows where, "
                           "relevance what an answer comes from",
                           stage);
    for (const int site : spec.sitesOfStage(stage)) {
        const AttentionSite& about = spec.sites[static_cast<std::size_t>(site)];
        if (crosses(about) && !allCrossing(spec, about.keyStage).empty())
            return fmt::format("it reads the picture through stage {}: choose stage={}, or relevance for what an answer comes "
                               "from",
                               about.keyStage, about.keyStage);
    }
    return "the stage reads no picture";
}

}  // namespace fovea
