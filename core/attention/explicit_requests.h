#pragma once

#include <optional>
#include <vector>

#include "attention/site_block.h"
#include "attention/trace_impl.h"
#include "fovea/trace_requests.h"

namespace fovea {

/// A record with the operator and the weights that turn it into probabilities.
struct ExplicitSource {
    const AttentionOperator& op;
    const SiteRecord& record;
    Weights weights;
};

// The requests of a trace by plain LibTorch, row block by row block under a scratch of 32 MiB: what serves
// edited and stored probabilities and other operators, and what tests hold the kernels against. Arguments have
// been checked.

Array explicitBlock(const ExplicitSource& source, const SiteBlock& block, std::optional<HeadFusion> fusion);
Array explicitRows(const ExplicitSource& source, const std::vector<int>& rows);
Array explicitColumns(const ExplicitSource& source, const SiteBlock& whole, const std::vector<int>& columns);
Array explicitTile(const ExplicitSource& source, const SiteBlock& block, const TileRequest& request);
Array explicitGroupMass(const ExplicitSource& source, const SiteBlock& whole,
                        const std::vector<std::vector<int>>& groups);
ColumnTop explicitColumnTop(const ExplicitSource& source, const SiteBlock& whole, int k);
/// A^T y of the mean over the block's heads, [key, columns].
Array explicitCollect(const ExplicitSource& source, const SiteBlock& block, const Array& y);
/// The same of a part of A * dA.
Array explicitRelevance(const ExplicitSource& source, const SiteBlock& block, RelevancePart part, const Array& y);
/// Mean over the block's heads of the sums of every row, [query].
std::vector<double> explicitRowSums(const ExplicitSource& source, const SiteBlock& block);

/// dO V^T of a rectangle in fp32, [heads, query, key].
at::Tensor probabilityGradient(const SiteRecord& record, const SiteBlock& block);

}  // namespace fovea
