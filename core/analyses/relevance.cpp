#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "common/attention_chain.h"
#include "common/picture_maps.h"
#include "common/target_choice.h"
#include "fovea/catalog.h"
#include "fovea/error.h"

namespace fovea {
namespace {

RelevancePart partOf(const nlohmann::json& params) {
    const auto word = params.at("part").get<std::string>();
    return word == "positive" ? RelevancePart::Positive
           : word == "signed" ? RelevancePart::Signed
                              : RelevancePart::Absolute;
}

constexpr const char* kExplained = "text";

SiteChoice allLayers(const ModelSpec& spec, const nlohmann::json& params) {
    nlohmann::json every = params;
    every["layers"] = "all";
    return chosenSites(spec, every);
}

// All attention of a stage: over its own tokens, and to another stage that is walked on from there.
std::vector<int> sitesFrom(const ModelSpec& spec, const std::string& stage) {
    std::vector<int> sites;
    std::set<std::string> seen, ahead{stage};
    while (!ahead.empty()) {
        const std::string next = *ahead.begin();
        ahead.erase(ahead.begin());
        if (!seen.insert(next).second) continue;
        for (const int site : spec.sitesOfStage(next)) {
            const AttentionSite& about = spec.sites[static_cast<std::size_t>(site)];
            if (about.kind == SiteKind::Self || !about.keyStage.empty()) sites.push_back(site);
            if (!about.keyStage.empty()) ahead.insert(about.keyStage);
        }
    }
    return sites;
}

// The run again, with gradients of the objective at the attention of these sites.
RunResult gradientRun(AnalysisContext& context, const std::vector<int>& sites, const TargetChoice& target) {
    RunSpec spec = context.baseSpec();
    target.aim(spec);
    spec.gradients.attention = true;
    spec.capture.qkv = true;
    spec.capture.sites = addressesOf(context.model().spec(), sites);
    return context.run(spec);
}

const StageTokens* stageIn(const TokenMap& map, const std::string& id) {
    for (const StageTokens& stage : map.stages)
        if (stage.stage == id) return &stage;
    return nullptr;
}

// The walk from an objective's rows down the residual streams, and across where a stage attends to another one
// (Chefer et al. 2021, eqs. 5, 6 and 10, the latter without its normalisation).
class RelevanceWalk {
public:
    RelevanceWalk(AnalysisContext& context, const AttentionTrace& trace, const nlohmann::json& params)
        : m_context(context), m_trace(trace), m_params(params) {}

    std::map<std::string, std::vector<double>> across;  ///< weights that reach the tokens of other stages
    int without = 0, walked = 0;                         ///< layers that the objective does not depend on; all

    // Weights at a stage's first layer, of those behind its last.
    std::vector<double> down(const std::string& stage, std::vector<double> weights) {
        const ModelSpec& spec = m_trace.spec();
        std::vector<int> sites = spec.sitesOfStage(stage);
        std::erase_if(sites, [&](int site) { return !m_trace.has(site); });
        for (std::size_t i = sites.size(); i-- > 0;) {
            m_context.job().progress(1 - static_cast<double>(i + 1) / static_cast<double>(sites.size()), "relevance");
            const AttentionSite& site = spec.sites[static_cast<std::size_t>(sites[i])];
            const bool own = site.kind == SiteKind::Self;
            if (!own && (site.keyStage.empty() || !stageIn(m_trace.tokens(), site.keyStage))) continue;
            ++walked;
            if (!m_trace.hasGradient(sites[i]))
                ++without;
            else if (own)
                weights = throughSite(m_trace, sites[i], weights, [&](const std::vector<double>& here) {
                    return relevanceThrough(m_trace, sites[i], partOf(m_params), headsOf(site), here);
                });
            else
                cross(sites[i], weights);
        }
        return weights;
    }

private:
    std::vector<int> headsOf(const AttentionSite& site) const {
        // Heads are chosen among those of the stage that is asked about; others may have fewer.
        const bool all = site.stage != chosenStage(m_trace.spec(), m_params);
        return chosenHeads(site, all ? "all" : m_params.at("heads").get<std::string>());
    }

    void cross(int index, const std::vector<double>& weights) {
        const AttentionSite& site = m_trace.spec().sites[static_cast<std::size_t>(index)];
        std::vector<double> here;
        for (const int token : m_trace.queryTokens(index)) here.push_back(weights[static_cast<std::size_t>(token)]);
        const std::vector<double> keys = relevanceAcross(m_trace, index, partOf(m_params), headsOf(site), here);
        std::vector<double>& sum = across[site.keyStage];
        sum.resize(static_cast<std::size_t>(stageIn(m_trace.tokens(), site.keyStage)->size()));
        for (std::size_t i = 0; i < keys.size(); ++i)
            sum[static_cast<std::size_t>(m_trace.keyTokens(index)[i])] += keys[i];
    }

    AnalysisContext& m_context;
    const AttentionTrace& m_trace;
    const nlohmann::json& m_params;
};

// Whether a stage's own attention was recorded apart, picture by picture, where the walk does not follow.
bool endsAtTower(const AttentionTrace& trace, const std::string& stage) {
    const std::vector<AttentionSite>& sites = trace.spec().sites;
    const auto recorded = [&](const AttentionSite& site) {
        return trace.has(static_cast<int>(&site - sites.data()));
    };
    return !trace.parts().empty() && std::none_of(sites.begin(), sites.end(), [&](const AttentionSite& site) {
        return (site.stage == stage || site.stage == "vision") && recorded(site);
    });
}

// Rows that the walk starts from; on a stage without the answer its usual ones, whatever word is asked about.
QueryChoice startOf(const TokenMap& map, const std::string& stage, const std::string& given) {
    return chosenQueries(stage != kExplained && speaksOfAnswer(given) ? "auto" : given, map, stage);
}

// How much of the positive relevance stands where: of several pictures each one's share, else what no picture shows.
std::string sharesOf(const StageTokens& stage, std::vector<float> values) {
    double whole = 0, elsewhere = 0;
    bool all = true;
    for (const Token& token : stage.tokens) {
        all = all && token.row >= 0;
        float& value = values[static_cast<std::size_t>(token.index)];
        value = std::max(0.0F, value);
        whole += static_cast<double>(value);
        if (token.row < 0) elsewhere += static_cast<double>(value);
    }
    if (std::string shares = pictureShares(stage, values); !shares.empty()) return "shares of the positive relevance: " + shares;
    if (all || whole <= 0) return {};
    return fmt::format("{:.1f} % of the positive relevance is on tokens without a place in the picture", 100 * elsewhere / whole);
}

void addFindings(const TokenMap& map, const std::string& stage, const std::vector<double>& weights,
                 const nlohmann::json& params, const Finding& like, std::vector<Finding>& findings) {
    const std::vector<float> values(weights.begin(), weights.end());
    const auto named = [&](const char* name) {
        return std::any_of(findings.begin(), findings.end(), [&](const Finding& one) { return one.name == name; });
    };
    if (stageIn(map, stage)->imageTokens().size() > 0 && !named("map"))
        for (Finding& finding : pictureMaps(map, {stage, {""}, {values}}, params, like)) {
            if (const std::string shares = sharesOf(*stageIn(map, stage), values); !shares.empty())
                finding.note += (finding.note.empty() ? "" : "; ") + shares;
            std::get<Grid>(finding.data).signedValues = partOf(params) == RelevancePart::Signed;
            findings.push_back(std::move(finding));
        }
    Finding scores = like;
    scores.name = named("scores") ? "scores " + stage : "scores";
    if (named("scores")) scores.title += ", on " + stage;
    scores.data = TokenScores{stage, values};
    findings.push_back(std::move(scores));
}

std::vector<Finding> computeRelevance(AnalysisContext& context, const nlohmann::json& params) {
    context.job().progress(0, "relevance");
    const TargetChoice target = chosenTarget(context, params);
    const ModelSpec& spec = context.model().spec();
    const SiteChoice choice = allLayers(spec, params);
    const RunResult run = gradientRun(context, sitesFrom(spec, choice.stage), target);
    const auto& trace = run.trace;
    const StageTokens& stage = trace->tokens().stage(choice.stage);
    const QueryChoice queries = startOf(trace->tokens(), choice.stage, params.at("queries").get<std::string>());
    const std::vector<double> start = chainStart(*trace, choice.sites.back(), queries, stage.size());
    RelevanceWalk walk(context, *trace, params);
    std::vector<double> weights = walk.down(choice.stage, start);
    if (walk.without == walk.walked)
        throw Error("the objective does not depend on the attention of these layers", "choose another output",
                    ErrorCode::Usage);
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] -= start[i];
    std::string note = walk.without == 0 ? "" : fmt::format("the objective does not depend on {} of {} layers",
                                                            walk.without, walk.walked);
    if (!target.answer.empty()) note = fmt::format("objective {:.4g}", run.objective) + (note.empty() ? "" : "; ") + note;
    const Finding like{"map", fmt::format("Gradient relevance {}, {}", queries.phrase(), target.name), "relevance",
                       target.noted(note), {}};
    std::vector<Finding> findings;
    addFindings(trace->tokens(), choice.stage, weights, params, like, findings);
    // Stages that are attended to, the nearest first.
    std::set<std::string> done{choice.stage};
    while (!walk.across.empty()) {
        const auto next = walk.across.extract(walk.across.begin());
        if (!done.insert(next.key()).second) continue;
        Finding there = like;
        if (endsAtTower(*trace, next.key()))
            there.note += (there.note.empty() ? "" : "; ") +
                          std::string("ends at what the tower gave: it ran picture by picture, recorded in parts");
        addFindings(trace->tokens(), next.key(), walk.down(next.key(), next.mapped()), params, there, findings);
    }
    return findings;
}

}  // namespace

void add_relevance(AnalysisCatalog& catalog) {
    std::vector<ParamSpec> params =
        targetParams("tokens that are explained: auto (what wrote the answer, the last token of a prompt, or cls; on models "
                     "without one the mean over all patches), writing:2 (why the answer's third word)");
    for (ParamSpec& spec : std::vector<ParamSpec>{
             {.name = "part",
              .type = ParamType::Choice,
              .defaultValue = "positive",
              .help = "which part of attention times its gradient counts",
              .choices = {"positive", "signed", "absolute"}},
             headsParam(), stageParam(), pictureParam()})
        params.push_back(std::move(spec));
    catalog.add({{"relevance", "Gradient relevance",
                  "Attention times its gradient, through all layers along the residual stream (Chefer et al. 2021, "
                  "arXiv:2103.15679).",
                  params},
                 [](const ModelSpec& spec, const nlohmann::json& given) {
                     allLayers(spec, given);
                     return needsOfTarget(spec, given);
                 },
                 computeRelevance});
}

}  // namespace fovea
