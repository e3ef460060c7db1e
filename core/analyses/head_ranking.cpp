// Heads in order of the attention that they give to pictures or to other chosen tokens.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

#include "common/attention_maps.h"
#include "common/edited_attention.h"
#include "common/picture_sites.h"
#include "fovea/catalog.h"
#include "fovea/error.h"

namespace fovea {
namespace {

constexpr const char* kPictureWords[] = {"patches", "image:", "grid:", "view:", "xy:"};

struct RankedHead {
    int layer = 0, head = 0;
    double mass = 0;     ///< on the targets, mean over the queries
    double peak = 0;     ///< largest single target token
    double entropy = 0;  ///< of the mass within the targets, in nats
};

// The picture's tokens, which some models' text reads by cross-attention alone.
bool namesPicture(const std::string& targets) {
    return std::any_of(std::begin(kPictureWords), std::end(kPictureWords),
                       [&](const char* word) { return targets.find(word) != std::string::npos; });
}

SiteChoice rankedSites(const ModelSpec& spec, const nlohmann::json& params) {
    return namesPicture(params.at("targets").get<std::string>()) ? sitesOnPictures(spec, params) : chosenSites(spec, params);
}

RankedHead measured(const std::vector<float>& row, const std::vector<int>& targets, int layer, int head) {
    RankedHead out{layer, head, 0, 0, 0};
    for (const int token : targets)
        if (const double value = row[static_cast<std::size_t>(token)]; !std::isnan(value)) {
            out.mass += value;
            out.peak = std::max(out.peak, value);
        }
    for (const int token : targets)
        if (const double share = row[static_cast<std::size_t>(token)] / out.mass; share > 0)
            out.entropy -= share * std::log(share);
    return out;
}

std::vector<RankedHead> rankedHeads(const AttentionTrace& trace, const SiteChoice& choice,
                                    const std::vector<int>& queries, const std::vector<int>& targets,
                                    const nlohmann::json& params, const JobContext& job) {
    std::vector<RankedHead> heads;
    for (std::size_t i = 0; i < choice.sites.size(); ++i) {
        job.progress(static_cast<double>(i) / static_cast<double>(choice.sites.size()), "head_ranking");
        const int index = choice.sites[i];
        const AttentionSite& site = trace.spec().sites[static_cast<std::size_t>(index)];
        const std::vector<int> rows = rowsOfQueries(trace, index, queries);
        std::vector<int> all(static_cast<std::size_t>(site.heads));
        std::iota(all.begin(), all.end(), 0);
        const TokenValues values =
            lookedAtFrom(trace, index, {rows, all, HeadFusion::Mean, chosenWeights(params)},
                         trace.tokens().stage(keyStageOf(site)).size());
        for (const int head : all)
            heads.push_back(
                measured(values.perHead[static_cast<std::size_t>(head)], targets, site.block, head));
    }
    std::stable_sort(heads.begin(), heads.end(),
                     [](const RankedHead& a, const RankedHead& b) { return a.mass > b.mass; });
    return heads;
}

std::vector<Finding> computeHeadRanking(AnalysisContext& context, const nlohmann::json& params) {
    const AttentionTrace& trace = context.trace();
    const SiteChoice choice = rankedSites(trace.spec(), params);
    const QueryChoice queries =
        chosenQueries(params.at("queries").get<std::string>(), trace.tokens(), choice.stage);
    const std::string seen = stageLookedAt(trace.spec(), choice);
    const std::vector<StageTokens>& known = trace.tokens().stages;
    if (std::none_of(known.begin(), known.end(), [&](const StageTokens& stage) { return stage.stage == seen; }))
        throw Error(fmt::format("targets \"{}\": the input has no picture", params.at("targets").get<std::string>()),
                    "give one with --image", ErrorCode::Usage);
    const std::vector<int> targets =
        chosenTokens(params.at("targets").get<std::string>(), trace.tokens(), seen, "targets");
    Table table{{{"rank", ""},
                 {"layer", ""},
                 {"head", ""},
                 {"mass", "probability"},
                 {"largest token", "probability"},
                 {"entropy within", "nats"}},
                {}};
    for (const RankedHead& head :
         rankedHeads(trace, choice, queries.tokens, targets, params, context.job()))
        table.rows.push_back({static_cast<double>(table.rows.size() + 1), static_cast<double>(head.layer),
                              static_cast<double>(head.head), head.mass, head.peak, head.entropy});
    const std::string title =
        fmt::format("Heads by attention to {} tokens ({}) {}, {}", targets.size(),
                    params.at("targets").get<std::string>(), queries.phrase(), describeReading(trace.spec(), choice));
    const std::string note = withEditedShare(crossingNote(trace.spec(), choice), trace, choice.sites, params, queries.tokens);
    return {{"table", title, "probability", note, std::move(table)}};
}

}  // namespace

void add_head_ranking(AnalysisCatalog& catalog) {
    catalog.add({{"head_ranking",
                  "Heads by attention to the picture",
                  "Every head in order of the attention that the chosen queries give to the pictures (or to "
                  "other tokens).",
                  {queriesParam("tokens that look: auto (what wrote the answer, or the last token of the prompt)"),
                   {.name = "targets",
                    .type = ParamType::Tokens,
                    .defaultValue = "patches",
                    .help = "tokens that are looked at: patches (all image tokens), image:0, text, 3-7, ..."},
                   layersParam("all"), stageParam(), weightsParam("effective")}},
                 [](const ModelSpec& spec, const nlohmann::json& params) {
                     return needsOf(spec, rankedSites(spec, params));
                 },
                 computeHeadRanking});
}

}  // namespace fovea
