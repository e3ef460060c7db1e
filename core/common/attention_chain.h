#pragma once

#include <vector>

#include "common/site_choice.h"
#include "fovea/attention_trace.h"
#include "fovea/trace_requests.h"

namespace fovea {

/// How a layer's heads become one map.
struct ChainFusion {
    HeadFusion heads = HeadFusion::Mean;
    std::vector<int> chosen;  ///< heads; empty means all
    double discard = 0;       ///< share of the lowest fused entries that become 0
    Weights weights = Weights::Effective;
};

/// One layer of attention rollout: weights^T rownormalise(A + I), both [rows of the site] of a square site. A mean
/// of heads is one product A^T v; maxima, minima and discarding pass in row blocks. No map is held at any length.
std::vector<double> rolloutThrough(const AttentionTrace& trace, int site, const ChainFusion& fusion,
                                   const std::vector<double>& weights);

/// One layer of gradient relevance (Chefer et al. 2021, eqs. 5 and 6): weights^T (I + E), E the mean over `heads`
/// (empty: all) of a part of A * dA. Needs recorded gradients.
std::vector<double> relevanceThrough(const AttentionTrace& trace, int site, RelevancePart part,
                                     const std::vector<int>& heads, const std::vector<double>& weights);

/// What such a layer of cross attention hands to its keys: weights^T E, [keys of the site].
std::vector<double> relevanceAcross(const AttentionTrace& trace, int site, RelevancePart part,
                                    const std::vector<int>& heads, const std::vector<double>& weights);

/// Where a chain starts: equal shares on the chosen tokens that the last site still holds, [tokens of the stage].
/// Throws Error (Usage) when none is left.
std::vector<double> chainStart(const AttentionTrace& trace, int lastSite, const QueryChoice& queries, int tokens);

/// Carries weights [tokens of the stage] through a step on the tokens that a site holds; those of others become
/// 0.
template <typename Step>
std::vector<double> throughSite(const AttentionTrace& trace, int site, const std::vector<double>& weights,
                                Step step) {
    const std::vector<int>& tokens = trace.queryTokens(site);
    std::vector<double> here;
    for (const int token : tokens) here.push_back(weights[static_cast<std::size_t>(token)]);
    const std::vector<double> below = step(here);
    std::vector<double> out(weights.size(), 0.0);
    for (std::size_t i = 0; i < tokens.size(); ++i) out[static_cast<std::size_t>(tokens[i])] = below[i];
    return out;
}

}  // namespace fovea
