#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fovea/array.h"
#include "fovea/attention_trace.h"

namespace fovea {

// Requests of a recorded site beside those that AttentionTrace has itself. All are exact and store no [query, key]
// map; errors are Error (Usage).

/// What one pixel of a tile shows of the cells under it.
enum class TilePooling { Mean, Max, Sum };

/// A rectangle of a map drawn into height x width pixels (1..4096 each); a pixel covers an equal share of the
/// rectangle, cells cut by its edge count by the part inside (mean, sum) or fully (max).
struct TileRequest {
    Slice slice;                       ///< the rectangle; its heads are ignored when `heads` is given
    int height = 256, width = 256;
    TilePooling pooling = TilePooling::Mean;
    std::optional<HeadFusion> fusion;  ///< empty: one picture per head
    std::vector<int> heads;            ///< empty: those of the slice
    Weights weights = Weights::Effective;
};

/// A rectangle drawn into pixels, [height, width] of fused heads, else [heads, height, width]; what a view of any
/// size and zoom needs.
Array traceTile(const AttentionTrace& trace, int site, const TileRequest& request);

/// Sums of every row over 1 to 32 disjoint groups of keys (positions), [heads, query, groups].
Array groupMass(const AttentionTrace& trace, int site, const std::vector<std::vector<int>>& groups,
                Weights weights = Weights::Effective);

/// The queries that look most at each key, in descending order; index -1 where there are fewer.
struct ColumnTop {
    Array index;  // [heads, key, k], query rows as floats
    Array value;  // [heads, key, k]
};

/// The k (1..64) queries that look most at each key.
ColumnTop columnTop(const AttentionTrace& trace, int site, int k, Weights weights = Weights::Effective);

/// A^T y with A the mean over `heads` (empty: all) and y [query, columns], 1 to 8 columns: [key, columns].
Array collect(const AttentionTrace& trace, int site, const Array& y, const std::vector<int>& heads = {},
              Weights weights = Weights::Effective);

/// Which part of A * dA a relevance product keeps (Chefer et al. 2021, eq. 5: the positive one).
enum class RelevancePart { Positive, Signed, Absolute };

/// E^T y with E the mean over `heads` (empty: all) of a part of A * dA, dA the gradient at the probabilities, and y
/// [query, columns], 1 to 8 columns: [key, columns]. Needs recorded gradients.
Array collectRelevance(const AttentionTrace& trace, int site, RelevancePart part, const Array& y,
                       const std::vector<int>& heads = {});

/// Mean over `heads` (empty: all) of the sums of every row, [query]: 1, 0 where a query sees no key, other values
/// after edits.
std::vector<double> rowSums(const AttentionTrace& trace, int site, const std::vector<int>& heads = {},
                            Weights weights = Weights::Effective);

/// What serves requests of these weights: "kernel", "kernel on cuda:0", or "explicit: " and why.
std::string traceRoute(const AttentionTrace& trace, int site, Weights weights = Weights::Effective);

}  // namespace fovea
