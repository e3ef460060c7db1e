#include "common/attention_chain.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "common/attention_maps.h"
#include "common/rollout_chain.h"
#include "fovea/error.h"

namespace fovea {
namespace {

Array column(const std::vector<double>& values) {
    Array out({static_cast<std::int64_t>(values.size()), 1});
    std::copy(values.begin(), values.end(), out.values.begin());
    return out;
}

std::vector<int> rowsOf(const std::vector<double>& weights) {
    std::vector<int> rows;
    for (std::size_t i = 0; i < weights.size(); ++i)
        if (weights[i] != 0) rows.push_back(static_cast<int>(i));
    return rows;
}

// Row sums of a mean of heads are known beforehand, so that one product with A^T does.
std::vector<double> meanOfHeads(const AttentionTrace& trace, int site, const ChainFusion& fusion,
                                const std::vector<double>& weights) {
    const std::vector<double> sums = rowSums(trace, site, fusion.chosen, fusion.weights);
    std::vector<double> scaled(weights.size());
    for (std::size_t i = 0; i < weights.size(); ++i) scaled[i] = weights[i] / (1 + sums[i]);
    const Array product = collect(trace, site, column(scaled), fusion.chosen, fusion.weights);
    for (std::size_t i = 0; i < scaled.size(); ++i) scaled[i] += static_cast<double>(product.values[i]);
    return scaled;
}

void forRowBlocks(const AttentionTrace& trace, int site, const ChainFusion& fusion, const std::vector<int>& rows,
                  const std::function<void(int, Array)>& use) {
    const int heads = trace.spec().sites[static_cast<std::size_t>(site)].heads;
    forRuns(rows, blockLength(heads, trace.keys(site)), [&](int begin, int end) {
        const Slice slice{.queryBegin = begin, .queryEnd = end};
        use(begin, trace.fused(site, fusion.heads, fusion.chosen, slice, fusion.weights));
    });
}

// The lowest entries of a map are known once it has passed twice; the third time it is used.
std::vector<double> discarding(const AttentionTrace& trace, int site, const ChainFusion& fusion,
                               const std::vector<double>& weights) {
    std::vector<int> all(weights.size());
    std::iota(all.begin(), all.end(), 0);
    const auto size = static_cast<std::int64_t>(weights.size()) * trace.keys(site);
    LowestShare lowest(size, fusion.discard, [&](const std::function<void(const Array&)>& use) {
        forRowBlocks(trace, site, fusion, all, [&](int, const Array& block) { use(block); });
    });
    std::vector<double> below(weights.size());
    forRowBlocks(trace, site, fusion, all, [&](int begin, Array block) {
        lowest.apply(block);
        rolloutStep(block, begin, weights, below);
    });
    return below;
}

}  // namespace

std::vector<double> chainStart(const AttentionTrace& trace, int lastSite, const QueryChoice& queries,
                               int tokens) {
    if (trace.queries(lastSite) != trace.keys(lastSite))
        throw Error(fmt::format("{}: a chain of layers needs the rows of all {} keys, found {}",
                                trace.spec().sites[static_cast<std::size_t>(lastSite)].address(), trace.keys(lastSite),
                                trace.queries(lastSite)),
                    "a larger --budget records the rows of the prompt, too", ErrorCode::Usage);
    const std::vector<int> left = positionsIn(trace.queryTokens(lastSite), queries.tokens);
    if (left.empty())
        throw Error("queries: none of them is left in the last layer after pruning",
                    "Choose another query, or prune less.", ErrorCode::Usage);
    std::vector<double> weights(static_cast<std::size_t>(tokens), 0.0);
    for (const int position : left)
        weights[static_cast<std::size_t>(trace.queryTokens(lastSite)[static_cast<std::size_t>(position)])] =
            1.0 / static_cast<double>(left.size());
    return weights;
}

std::vector<double> rolloutThrough(const AttentionTrace& trace, int site, const ChainFusion& fusion,
                                   const std::vector<double>& weights) {
    constexpr std::size_t few = 4;  // below a quarter of the rows, the rows themselves are cheaper than A^T v
    if (fusion.discard > 0) return discarding(trace, site, fusion, weights);
    const std::vector<int> rows = rowsOf(weights);
    if (fusion.heads == HeadFusion::Mean && rows.size() * few >= weights.size())
        return meanOfHeads(trace, site, fusion, weights);
    std::vector<double> below(weights.size());
    forRowBlocks(trace, site, fusion, rows,
                 [&](int begin, const Array& block) { rolloutStep(block, begin, weights, below); });
    return below;
}

std::vector<double> relevanceThrough(const AttentionTrace& trace, int site, RelevancePart part,
                                     const std::vector<int>& heads, const std::vector<double>& weights) {
    const Array product = collectRelevance(trace, site, part, column(weights), heads);
    std::vector<double> out = weights;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += static_cast<double>(product.values[i]);
    return out;
}

std::vector<double> relevanceAcross(const AttentionTrace& trace, int site, RelevancePart part,
                                    const std::vector<int>& heads, const std::vector<double>& weights) {
    const Array product = collectRelevance(trace, site, part, column(weights), heads);
    return {product.values.begin(), product.values.end()};
}

}  // namespace fovea
