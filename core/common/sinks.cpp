#include "fovea/sinks.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace fovea {

double SinkRule::of(int keys) const {
    return limit == Limit::Absolute ? threshold : ratio / static_cast<double>(keys > 0 ? keys : 1);
}

Array incomingMass(const AttentionTrace& trace, int site, Weights weights) {
    Array mass = trace.statistics(site, {.topk = 1, .pooledBlock = 64, .weights = weights}).colsum;
    const bool causal = trace.spec().sites[static_cast<std::size_t>(site)].causal;
    const std::vector<int>&rows = trace.queryTokens(site), &keys = trace.keyTokens(site);
    // Of a causal site only the queries from a key on can see it.
    const auto seenBy = [&](std::int64_t key) {
        const auto first = std::lower_bound(rows.begin(), rows.end(), keys[static_cast<std::size_t>(key)]);
        return causal && first != rows.end() ? rows.end() - first : static_cast<std::ptrdiff_t>(rows.size());
    };
    for (std::int64_t head = 0; head < mass.size(0); ++head)
        for (std::int64_t key = 0; key < mass.size(1); ++key) mass.at(head, key) /= static_cast<float>(seenBy(key));
    return mass;
}

std::vector<double> sinkRates(const AttentionTrace& trace, const std::vector<int>& sites,
                              const std::vector<int>& heads, const SinkRule& rule, Weights weights) {
    if (sites.empty()) return {};
    const AttentionSite& first = trace.spec().sites[static_cast<std::size_t>(sites.front())];
    const auto tokens = static_cast<std::size_t>(trace.tokens().stage(first.stage).size());
    std::vector<int> above(tokens, 0), seen(tokens, 0);
    for (const int site : sites) {
        if (trace.spec().sites[static_cast<std::size_t>(site)].kind == SiteKind::Cross) continue;
        const Array mass = incomingMass(trace, site, weights);
        std::vector<int> chosen = heads;
        if (chosen.empty()) {
            chosen.resize(static_cast<std::size_t>(mass.size(0)));
            std::iota(chosen.begin(), chosen.end(), 0);
        }
        const double limit = rule.of(trace.keys(site));
        for (std::int64_t key = 0; key < mass.size(1); ++key) {
            const auto token = static_cast<std::size_t>(trace.keyTokens(site)[static_cast<std::size_t>(key)]);
            for (const int head : chosen) above[token] += static_cast<double>(mass.at(head, key)) > limit;
            seen[token] += static_cast<int>(chosen.size());
        }
    }
    std::vector<double> rates(tokens, std::numeric_limits<double>::quiet_NaN());
    for (std::size_t token = 0; token < tokens; ++token)
        if (seen[token] > 0) rates[token] = static_cast<double>(above[token]) / seen[token];
    return rates;
}

std::vector<int> sinkTokens(const AttentionTrace& trace, const std::vector<int>& sites, const SinkRule& rule,
                            double minimumRate) {
    const std::vector<double> rates = sinkRates(trace, sites, {}, rule);
    std::vector<int> tokens;
    for (std::size_t token = 0; token < rates.size(); ++token)
        if (rates[token] > 0 && rates[token] >= minimumRate) tokens.push_back(static_cast<int>(token));
    return tokens;
}

}  // namespace fovea
