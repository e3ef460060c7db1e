#include "common/edited_attention.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "common/attention_maps.h"
#include "fovea/error.h"
#include "fovea/intervention.h"
#include "fovea/trace_requests.h"

namespace fovea {
namespace {

constexpr double kSeen = 5e-4;  // of a row; less does not show in a note
constexpr std::size_t kFew = 4;  // below a quarter of the rows, the rows themselves are cheaper than all sums

// Mean over heads of the sums of the rows at `positions`, added up.
double sumOfRows(const AttentionTrace& trace, int site, const std::vector<int>& heads, const std::vector<int>& positions,
                 Weights weights) {
    double sum = 0;
    if (positions.size() * kFew >= static_cast<std::size_t>(trace.queries(site))) {
        const std::vector<double> sums = rowSums(trace, site, heads, weights);
        for (const int row : positions) sum += sums[static_cast<std::size_t>(row)];
        return sum;
    }
    const int all = trace.spec().sites[static_cast<std::size_t>(site)].heads;
    forRuns(positions, blockLength(all, trace.keys(site)), [&](int begin, int end) {
        const Array block = trace.probabilities(site, {.queryBegin = begin, .queryEnd = end}, weights);
        for (const int head : heads)
            for (std::int64_t row = 0; row < block.size(1); ++row)
                for (std::int64_t key = 0; key < block.size(2); ++key) sum += static_cast<double>(block.at(head, row, key));
    });
    return sum / static_cast<double>(heads.size());
}

// A trace of an edited run may hold the edited probabilities alone: rows of a softmax sum to 1.
double sumUnedited(const AttentionTrace& trace, int site, const std::vector<int>& heads, const std::vector<int>& positions) {
    try {
        return sumOfRows(trace, site, heads, positions, Weights::Base);
    } catch (const Error&) {
        return static_cast<double>(positions.size());
    }
}

std::vector<int> positionsOf(const AttentionTrace& trace, int site, const std::vector<int>& queries) {
    const AttentionSite& where = trace.spec().sites[static_cast<std::size_t>(site)];
    const bool pools = where.kind == SiteKind::Cross && where.keyStage.empty();
    if (!queries.empty() && !pools) return positionsIn(trace.queryTokens(site), queries);
    std::vector<int> all(static_cast<std::size_t>(trace.queries(site)));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int>(i);
    return all;
}

std::string mutedText(const AttentionTrace& trace, const std::vector<int>& sites, const nlohmann::json& params) {
    std::vector<std::string> names;
    for (const int site : sites) {
        const SiteEdit* edit = trace.has(site) ? trace.edit(site) : nullptr;
        if (!edit || edit->headGain.empty()) continue;
        const AttentionSite& where = trace.spec().sites[static_cast<std::size_t>(site)];
        for (const int head : chosenHeads(where, params.value("heads", "all")))
            if (edit->headGain[static_cast<std::size_t>(head)] == 0)
                names.push_back(sites.size() == 1 ? std::to_string(head) : fmt::format("{} of layer {}", head, where.block));
    }
    constexpr std::size_t most = 4;
    if (names.empty()) return "";
    if (names.size() == 1) return fmt::format(": head {} is muted and counts as 0", names.front());
    if (names.size() > most) return fmt::format(": {} heads are muted and count as 0", names.size());
    return fmt::format(": heads {} are muted and count as 0", fmt::join(names, ", "));
}

}  // namespace

std::string editedShare(const AttentionTrace& trace, const std::vector<int>& sites, const nlohmann::json& params,
                        const std::vector<int>& queries) {
    if (chosenWeights(params) != Weights::Effective) return "";
    double removed = 0;
    std::size_t recorded = 0;
    for (const int site : sites) {
        if (!trace.has(site)) continue;
        ++recorded;
        if (!trace.edited(site)) continue;
        const std::vector<int> heads = chosenHeads(trace.spec().sites[static_cast<std::size_t>(site)], params.value("heads", "all"));
        const std::vector<int> positions = positionsOf(trace, site, queries);
        const double before = sumUnedited(trace, site, heads, positions);
        if (before > 0) removed += 1 - sumOfRows(trace, site, heads, positions, Weights::Effective) / before;
    }
    removed /= static_cast<double>(std::max<std::size_t>(1, recorded));
    if (std::abs(removed) < kSeen) return "";
    return (removed > 0 ? fmt::format("edits removed {:.1f} % of the attention", 100 * removed)
                        : fmt::format("edits added {:.1f} % to the attention", -100 * removed)) +
           mutedText(trace, sites, params);
}

std::string withEditedShare(std::string note, const AttentionTrace& trace, const std::vector<int>& sites,
                            const nlohmann::json& params, const std::vector<int>& queries) {
    const std::string share = editedShare(trace, sites, params, queries);
    if (!share.empty()) note += (note.empty() ? "" : "; ") + share;
    return note;
}

}  // namespace fovea
