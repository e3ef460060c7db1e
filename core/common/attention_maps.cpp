#include "common/attention_maps.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/picture_maps.h"
#include "fovea/error.h"

namespace fovea {
namespace {

constexpr float none = std::numeric_limits<float>::quiet_NaN();

float fusedValue(const Array& block, const std::vector<int>& heads, HeadFusion fusion, std::int64_t i,
                 std::int64_t j) {
    float value = block.at(heads.front(), i, j);
    for (std::size_t h = 1; h < heads.size(); ++h) {
        const float other = block.at(heads[h], i, j);
        value = fusion == HeadFusion::Max   ? std::max(value, other)
                : fusion == HeadFusion::Min ? std::min(value, other)
                                            : value + other;
    }
    return fusion == HeadFusion::Mean ? value / static_cast<float>(heads.size()) : value;
}

// Sums over one axis of blocks [heads, i, j], per chosen head and fused.
struct Sums {
    std::vector<std::vector<double>> perHead;
    std::vector<double> fused;

    Sums(std::size_t heads, int count)
        : perHead(heads, std::vector<double>(static_cast<std::size_t>(count))),
          fused(static_cast<std::size_t>(count)) {}

    template <typename Place>
    void add(const Array& block, const MapRequest& request, Place place) {
        for (std::int64_t i = 0; i < block.size(1); ++i)
            for (std::int64_t j = 0; j < block.size(2); ++j) {
                const auto slot = static_cast<std::size_t>(place(i, j));
                for (std::size_t h = 0; h < request.heads.size(); ++h)
                    perHead[h][slot] += block.at(request.heads[h], i, j);
                fused[slot] += fusedValue(block, request.heads, request.fusion, i, j);
            }
    }

    TokenValues spread(const std::vector<int>& tokenOf, int tokens, double scale) const {
        const auto onto = [&](const std::vector<double>& sums) {
            std::vector<float> values(static_cast<std::size_t>(tokens), none);
            for (std::size_t i = 0; i < tokenOf.size() && tokenOf[i] < tokens; ++i)
                values[static_cast<std::size_t>(tokenOf[i])] = static_cast<float>(sums[i] * scale);
            return values;
        };
        TokenValues out;
        for (const std::vector<double>& sums : perHead) out.perHead.push_back(onto(sums));
        out.fused = onto(fused);
        return out;
    }
};

std::string layerName(const ModelSpec& spec, int site) {
    const AttentionSite& where = spec.sites[static_cast<std::size_t>(site)];
    return where.kind == SiteKind::Self ? fmt::format("layer {}", where.block) : where.address();
}

// Names and values of the planes that "planes" asks for.
void makePlanes(const AttentionTrace& trace, const SiteChoice& choice, const std::vector<TokenValues>& values,
                const nlohmann::json& params, std::vector<std::string>& names,
                std::vector<std::vector<float>>& planes) {
    const auto kind = params.at("planes").get<std::string>();
    const auto headName = [&](std::size_t site, std::size_t h) {
        const AttentionSite& where = trace.spec().sites[static_cast<std::size_t>(choice.sites[site])];
        return fmt::format("head {}", chosenHeads(where, params.at("heads").get<std::string>())[h]);
    };
    if (kind == "layers" || kind == "layers_heads") {
        for (std::size_t s = 0; s < values.size(); ++s) {
            const std::string layer = layerName(trace.spec(), choice.sites[s]);
            if (kind == "layers") {
                names.push_back(layer);
                planes.push_back(values[s].fused);
                continue;
            }
            for (std::size_t h = 0; h < values[s].perHead.size(); ++h) {
                names.push_back(layer + " " + headName(s, h));
                planes.push_back(values[s].perHead[h]);
            }
        }
        return;
    }
    const std::size_t count = kind == "heads" ? values.front().perHead.size() : 1;
    for (std::size_t h = 0; h < count; ++h) {
        std::vector<const std::vector<float>*> lists;
        for (const TokenValues& site : values) {
            if (kind == "heads" && site.perHead.size() != count)
                throw Error("planes \"heads\": the chosen layers have different numbers of heads",
                            "choose planes layers_heads", ErrorCode::Usage);
            lists.push_back(kind == "heads" ? &site.perHead[h] : &site.fused);
        }
        names.push_back(kind == "heads" ? headName(0, h) : "");
        planes.push_back(meanOf(lists));
    }
}

}  // namespace

int blockLength(std::int64_t heads, std::int64_t other) {
    return static_cast<int>(std::clamp<std::int64_t>(
        (std::int64_t{8} << 20) / std::max<std::int64_t>(1, heads * other), 1, 1 << 20));
}

std::vector<float> meanOf(const std::vector<const std::vector<float>*>& lists) {
    std::vector<float> mean(lists.front()->size(), none);
    for (std::size_t i = 0; i < mean.size(); ++i) {
        double sum = 0;
        int count = 0;
        for (const std::vector<float>* list : lists)
            if (!std::isnan((*list)[i])) sum += (*list)[i], ++count;
        if (count > 0) mean[i] = static_cast<float>(sum / count);
    }
    return mean;
}

std::vector<int> rowsOfQueries(const AttentionTrace& trace, int site, const std::vector<int>& queries) {
    std::vector<int> rows = positionsIn(trace.queryTokens(site), queries);
    if (!rows.empty()) return rows;
    const AttentionSite& where = trace.spec().sites[static_cast<std::size_t>(site)];
    // A token that is still a key was not pruned.
    const bool pruned = where.keyStage.empty() && positionsIn(trace.keyTokens(site), queries).empty();
    if (pruned)
        throw Error(fmt::format("queries: none of them is left at {} after pruning", where.address()),
                    "choose an earlier layer or another query", ErrorCode::Usage);
    throw Error(fmt::format("queries: none of them was recorded at {}", where.address()),
                "choose answer tokens, or record the whole prompt", ErrorCode::Usage);
}

TokenValues lookedAtFrom(const AttentionTrace& trace, int site, const MapRequest& request, int tokens) {
    const int heads = trace.spec().sites[static_cast<std::size_t>(site)].heads, keys = trace.keys(site);
    Sums sums(request.heads.size(), keys);
    forRuns(request.positions, blockLength(heads, keys), [&](int begin, int end) {
        const Array block =
            trace.probabilities(site, {.queryBegin = begin, .queryEnd = end}, request.weights);
        sums.add(block, request, [](std::int64_t, std::int64_t key) { return key; });
    });
    return sums.spread(trace.keyTokens(site), tokens, 1.0 / static_cast<double>(request.positions.size()));
}

TokenValues lookersAt(const AttentionTrace& trace, int site, const MapRequest& request, int tokens) {
    const int heads = trace.spec().sites[static_cast<std::size_t>(site)].heads, queries = trace.queries(site);
    Sums sums(request.heads.size(), queries);
    const auto step = static_cast<std::size_t>(blockLength(heads, queries));
    for (std::size_t begin = 0; begin < request.positions.size(); begin += step) {
        const std::size_t end = std::min(begin + step, request.positions.size());
        const std::vector<int> part(request.positions.begin() + static_cast<std::ptrdiff_t>(begin),
                                    request.positions.begin() + static_cast<std::ptrdiff_t>(end));
        const Array block = trace.columns(site, part, request.weights);
        sums.add(block, request, [](std::int64_t query, std::int64_t) { return query; });
    }
    return sums.spread(trace.queryTokens(site), tokens, 1.0);
}

Needs needsOf(const ModelSpec& spec, const SiteChoice& choice) {
    Needs needs;
    needs.capture.qkv = true;
    needs.capture.sites = addressesOf(spec, choice.sites);
    return needs;
}

Needs needsOfSites(const ModelSpec& spec, const nlohmann::json& params) { return needsOf(spec, chosenSites(spec, params)); }

ParamSpec planesParam() {
    return {.name = "planes",
            .type = ParamType::Choice,
            .defaultValue = "fused",
            .help = "one fused map, or one per head, per layer, or per layer and head",
            .choices = {"fused", "heads", "layers", "layers_heads"}};
}

std::vector<Finding> mapFindings(const AttentionTrace& trace, const SiteChoice& choice,
                                 const std::vector<TokenValues>& values, const nlohmann::json& params,
                                 const MapCaption& caption) {
    const std::string fused = caption.heads.empty() ? caption.title : caption.title + ", " + caption.heads;
    const auto kind = params.at("planes").get<std::string>();
    const bool apart = (kind == "heads" || kind == "layers_heads") && values.front().perHead.size() > 1;
    std::vector<Finding> findings;
    TokenPlanes planes{choice.stage, {}, {}};
    makePlanes(trace, choice, values, params, planes.names, planes.values);
    // The names of the planes tell heads apart; a painter that draws their mean says so itself.
    findings = pictureMaps(trace.tokens(), planes, params,
                           {"map", apart ? caption.title : fused, "probability", caption.note, {}});
    std::vector<const std::vector<float>*> lists;
    for (const TokenValues& site : values) lists.push_back(&site.fused);
    findings.push_back(
        {"scores", fused, "probability", caption.note, TokenScores{choice.stage, meanOf(lists)}});
    return findings;
}

}  // namespace fovea
