#pragma once

#include <vector>

#include "fovea/attention_trace.h"

namespace fovea {

/// When a token counts as an attention sink of a head: its incoming mass (mean over queries of its column) is
/// above a limit. Relative: `ratio` times the uniform share 1 / keys (ACT's alpha = 5, sinks reference §1),
/// which suits vision transformers of any token count; absolute: `threshold` (0.3 in Gu et al. 2024, 0.1 in
/// ACT's code, both for text).
struct SinkRule {
    enum class Limit { Relative, Absolute };
    Limit limit = Limit::Relative;
    double ratio = 5;
    double threshold = 0.3;

    /// The limit for a number of keys.
    double of(int keys) const;
    bool operator==(const SinkRule&) const = default;
};

/// Incoming mass of every key under every head, [heads, key]: the mean over the queries that can see the key
/// (all of them, or those from the key on in causal attention) of its column.
Array incomingMass(const AttentionTrace& trace, int site, Weights weights = Weights::Base);

/// Share of the (site, head) pairs in which each token of a stage is a sink, [tokens]; NaN for tokens that
/// none of the sites holds. Sites whose queries are no tokens of the stage (pooling heads) are left out;
/// `heads` empty means all.
std::vector<double> sinkRates(const AttentionTrace& trace, const std::vector<int>& sites,
                              const std::vector<int>& heads, const SinkRule& rule,
                              Weights weights = Weights::Base);

/// Tokens whose sink rate over the sites is at least `minimumRate`, in order; what a sink policy of pictures
/// is about.
std::vector<int> sinkTokens(const AttentionTrace& trace, const std::vector<int>& sites,
                            const SinkRule& rule = {}, double minimumRate = 0.4);

}  // namespace fovea
