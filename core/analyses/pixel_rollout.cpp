// Rollout through the language model, the join of both sides and the vision tower, down to patches of the picture.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>

#include "common/attention_chain.h"
#include "common/attention_maps.h"
#include "common/edited_attention.h"
#include "common/picture_box.h"
#include "common/picture_maps.h"
#include "common/picture_sites.h"
#include "common/picture_views.h"
#include "common/token_distribution.h"
#include "fovea/catalog.h"
#include "fovea/error.h"

namespace fovea {
namespace {

constexpr const char *kText = "text", *kVision = "vision";

SiteChoice sitesOf(const ModelSpec& spec, const std::string& stage) {
    return chosenSites(spec, {{"stage", stage}, {"layers", "all"}});
}

// One pass of the vision tower: its trace and which picture of the input its own picture 0 is.
struct VisionPass {
    const AttentionTrace* trace = nullptr;
    int image = 0;
    double side = 0;  ///< pixels of a patch's wider side
};

const StageTokens* visionTokens(const AttentionTrace& trace) {
    for (const StageTokens& stage : trace.tokens().stages)
        if (stage.stage == kVision) return &stage;
    return nullptr;
}

// "image1/tile0/" -> 1
int imageOfPrefix(const std::string& prefix) {
    int image = 0;
    if (const std::size_t at = prefix.find("image"); at != std::string::npos)
        std::from_chars(prefix.data() + at + 5, prefix.data() + prefix.size(), image);
    return image;
}

std::vector<VisionPass> passesOf(const AttentionTrace& trace) {
    std::vector<VisionPass> passes;
    const auto add = [&](const AttentionTrace& part, int image) {
        const StageTokens* tokens = visionTokens(part);
        if (!tokens) return;
        double side = 0;
        for (const Token& token : tokens->tokens) side = std::max({side, token.rect.width, token.rect.height});
        if (side > 0) passes.push_back({&part, image, side});
    };
    for (const auto& part : trace.parts()) add(*part, imageOfPrefix(part->prefix()));
    if (passes.empty()) add(trace, 0);
    if (passes.empty())
        throw Error("the run has no vision tokens with a place in a picture", "give a picture with --image", ErrorCode::Usage);
    return passes;
}

// Patches along a side of an image token: the tower merges, shuffles or pools so many.
double mergeOf(const std::vector<VisionPass>& passes, const StageTokens& text) {
    double patches = 0, tokens = 0;
    for (const VisionPass& pass : passes) patches += static_cast<double>(visionTokens(*pass.trace)->imageTokens().size());
    for (const Token& token : text.tokens) tokens += token.kind == TokenKind::Image && !token.rect.empty();
    return std::max(1.0, std::round(std::sqrt(patches / std::max(1.0, tokens))));
}

// Weights of image tokens handed to the patches that they were made of, [passes][tokens of the pass].
class Handover {
public:
    Handover(const std::vector<VisionPass>& passes, double merge) : m_passes(passes), m_merge(merge) {
        for (const VisionPass& pass : passes) weights.emplace_back(static_cast<std::size_t>(visionTokens(*pass.trace)->size()), 0.0);
    }

    // Returns false when no patch lies there.
    bool give(const Token& token, double weight, double side) {
        std::vector<std::pair<std::size_t, double>> fits;  // pass, and how far its patches are from the right size
        double best = std::numeric_limits<double>::infinity();
        for (std::size_t p = 0; p < m_passes.size(); ++p) {
            if (m_passes[p].image != token.image || !reaches(p, token.rect)) continue;
            fits.emplace_back(p, std::abs(std::log(side / (m_passes[p].side * m_merge))));
            best = std::min(best, fits.back().second);
        }
        std::vector<std::pair<double*, double>> shares;
        double total = 0;
        for (const auto& [p, distance] : fits) {
            if (distance > best + 0.05) continue;
            for (const Token& patch : visionTokens(*m_passes[p].trace)->tokens)
                if (const double area = patch.row < 0 ? 0 : sharedArea(patch.rect, token.rect); area > 0) {
                    shares.emplace_back(&weights[p][static_cast<std::size_t>(patch.index)], area);
                    total += area;
                }
        }
        for (const auto& [to, area] : shares) *to += weight * area / total;
        return total > 0;
    }

    std::vector<std::vector<double>> weights;

private:
    bool reaches(std::size_t p, const Rect& rect) const {
        for (const Token& patch : visionTokens(*m_passes[p].trace)->tokens)
            if (patch.row >= 0 && sharedArea(patch.rect, rect) > 0.25 * std::min(rect.width * rect.height, patch.rect.width * patch.rect.height))
                return true;
        return false;
    }

    const std::vector<VisionPass>& m_passes;
    double m_merge;
};

// All passes as one stage over the input's pictures, with their weights behind each other.
struct Patches {
    TokenMap map;
    std::vector<float> values;
    double placed = 0;  ///< weight that ends on patches
};

Patches gathered(const AttentionTrace& trace, const std::vector<VisionPass>& passes,
                 const std::vector<std::vector<double>>& weights) {
    Patches out;
    out.map.images = trace.tokens().images;
    StageTokens all;
    all.stage = kVision;
    for (std::size_t p = 0; p < passes.size(); ++p)
        for (const Token& token : visionTokens(*passes[p].trace)->tokens) {
            Token copy = token;
            copy.index = all.size();
            if (copy.image >= 0) copy.image = passes.size() > 1 ? passes[p].image : copy.image;
            all.tokens.push_back(copy);
            const double value = weights[p][static_cast<std::size_t>(token.index)];
            out.values.push_back(static_cast<float>(value));
            if (token.row >= 0) out.placed += value;
        }
    out.map.stages = {std::move(all)};
    return out;
}

std::vector<double> through(const AttentionTrace& trace, int site, const ChainFusion& rule, const std::vector<double>& weights) {
    return throughSite(trace, site, weights,
                       [&](const std::vector<double>& here) { return rolloutThrough(trace, site, rule, here); });
}

// From the boundaries of blocks where the language model reads the tower, in equal parts, to its patches.
std::vector<double> downTower(const AttentionTrace& trace, const SiteChoice& choice, const ChainFusion& rule,
                              const std::vector<double>& start) {
    const StageSpec& stage = trace.spec().stage(kVision);
    const std::vector<int> read = stage.readAfter.empty() ? std::vector<int>{stage.layers} : stage.readAfter;
    std::vector<double> weights(start.size(), 0.0);
    for (int boundary = stage.layers; boundary >= 0; --boundary) {
        const double share = static_cast<double>(std::count(read.begin(), read.end(), boundary)) / static_cast<double>(read.size());
        for (std::size_t i = 0; i < start.size(); ++i) weights[i] += share * start[i];
        for (const int site : choice.sites)
            if (trace.spec().sites[static_cast<std::size_t>(site)].block == boundary - 1 && trace.has(site))
                weights = through(trace, site, rule, weights);
    }
    return weights;
}

std::vector<double> textRollout(AnalysisContext& context, const SiteChoice& choice, const QueryChoice& queries,
                                const ChainFusion& rule) {
    const AttentionTrace& trace = context.trace();
    std::vector<double> weights = chainStart(trace, choice.sites.back(), queries, trace.tokens().stage(kText).size());
    for (std::size_t i = choice.sites.size(); i-- > 0;) {
        context.job().progress(0.5 - 0.5 * static_cast<double>(i + 1) / static_cast<double>(choice.sites.size()), "text rollout");
        weights = through(trace, choice.sites[i], rule, weights);
    }
    return weights;
}

// Largest side of the image tokens of every view: where one token lies at the rim, its neighbours tell its size.
std::vector<double> sidesOf(const StageTokens& text) {
    std::vector<double> sides(static_cast<std::size_t>(text.size()), 0.0);
    for (const PictureLattice& view : pictureLattices(text))
        for (const auto& [cell, token] : view.cells) sides[static_cast<std::size_t>(token)] = std::max(view.width, view.height);
    return sides;
}

std::vector<Finding> computePixelRollout(AnalysisContext& context, const nlohmann::json& params) {
    const AttentionTrace& trace = context.trace();
    const StageTokens& text = trace.tokens().stage(kText);
    const SiteChoice textSites = sitesOf(trace.spec(), kText), visionSites = sitesOf(trace.spec(), kVision);
    if (text.imageTokens().empty())
        throw Error("the text side holds no image tokens", "give a picture with --image", ErrorCode::Usage);
    const QueryChoice queries = chosenQueries(params.at("queries").get<std::string>(), trace.tokens(), kText);
    const ChainFusion rule{chosenFusion(params), {}, params.at("discard").get<double>(), chosenWeights(params)};
    const std::vector<double> onText = textRollout(context, textSites, queries, rule);
    const std::vector<VisionPass> passes = passesOf(trace);
    Handover handover(passes, mergeOf(passes, text));
    const std::vector<double> sides = sidesOf(text);
    double onPictures = 0, handed = 0;
    for (const Token& token : text.tokens) {
        const auto i = static_cast<std::size_t>(token.index);
        if (token.kind != TokenKind::Image || token.rect.empty() || onText[i] == 0) continue;
        onPictures += onText[i];
        if (handover.give(token, onText[i], sides[i])) handed += onText[i];
    }
    for (std::size_t p = 0; p < passes.size(); ++p) {
        context.job().progress(0.5 + 0.5 * static_cast<double>(p) / static_cast<double>(passes.size()), "vision rollout");
        handover.weights[p] = downTower(*passes[p].trace, visionSites, rule, handover.weights[p]);
    }
    const Patches patches = gathered(trace, passes, handover.weights);
    const std::string title = fmt::format("Attention rollout down to the picture {}", queries.phrase());
    std::string note = fmt::format("{:.1f} % of the rollout through the text reaches image tokens, {:.1f} % ends on patches",
                                   100 * onPictures, 100 * patches.placed);
    if (const std::string shares = pictureShares(text, {onText.begin(), onText.end()}); !shares.empty())
        note += "; shares of the rollout through the text: " + shares;
    note = withEditedShare(std::move(note), trace, textSites.sites, params);
    std::vector<Finding> findings = pictureMaps(patches.map, {kVision, {""}, {patches.values}}, params, {"map", title, "share", note, {}});
    Table table{{{"part", ""}, {"share", ""}}, {}};
    table.rows = {{std::string("stays on words"), 1 - onPictures},
                  {std::string("image tokens without patches"), onPictures - handed},
                  {std::string("tokens of the tower without a place"), handed - patches.placed},
                  {std::string("patches"), patches.placed}};
    findings.push_back({"table", "Where the rollout ends", "share", note, std::move(table)});
    findings.push_back({"text", "Attention rollout through the text " + queries.phrase(), "share", "",
                        TokenScores{kText, {onText.begin(), onText.end()}}});
    return findings;
}

Needs needs(const ModelSpec& spec, const nlohmann::json&) {
    requireText(spec, "pixel_rollout");
    const bool sees = std::any_of(spec.stages.begin(), spec.stages.end(), [](const StageSpec& stage) { return stage.id == kVision; });
    if (!sees)
        throw Error("pixel_rollout follows the answer into the picture, and " + spec.architecture + " sees none",
                    "open a vision-language model", ErrorCode::Usage);
    const std::vector<int> text = spec.sitesOfStage(kText);
    if (std::any_of(text.begin(), text.end(), [&](int site) {
            return !spec.sites[static_cast<std::size_t>(site)].keyStage.empty();
        }))
        throw Error("pixel_rollout follows image tokens of the text, and that of " + spec.architecture + " has none",
                    whereStageSees(spec, kText), ErrorCode::Usage);
    Needs needs;
    needs.capture.qkv = true;
    for (const char* stage : {kVision, kText})
        for (const std::string& address : addressesOf(spec, sitesOf(spec, stage).sites)) needs.capture.sites.push_back(address);
    return needs;
}

}  // namespace

void add_pixel_rollout(AnalysisCatalog& catalog) {
    catalog.add({{"pixel_rollout",
                  "Rollout down to the picture",
                  "Attention rollout (arXiv:2005.00928) through the language model and on through the vision tower to "
                  "patches of the picture.",
                  {queriesParam("tokens of the text whose sources are traced: auto (what wrote the answer, or the last token of "
                                "the prompt), answer, 5"),
                   fusionParam(),
                   {.name = "discard",
                    .type = ParamType::Number,
                    .defaultValue = 0.0,
                    .help = "share of the lowest fused entries set to 0 in every layer",
                    .minimum = 0,
                    .maximum = 0.999},
                   pictureParam(), weightsParam("effective")}},
                 needs,
                 computePixelRollout});
}

}  // namespace fovea
