#pragma once

#include <optional>
#include <string>
#include <vector>

#include "attention/site_block.h"
#include "attention/trace_impl.h"
#include "fovea/trace_requests.h"

namespace fovea {

// What the kernels give of a record that they can read (SiteRecord::kernelsDecline is ""). Each answer is empty
// where a kernel refuses the request after all; `declined` then says why. Without a fusion arrays begin with a
// head axis. No [query, key] map is stored but the one asked for.

/// The probabilities of a rectangle, [query, key].
std::optional<Array> kernelBlock(const SiteRecord& record, const SiteBlock& block,
                                 std::optional<HeadFusion> fusion, std::string& declined);

/// Chosen rows of all heads, [heads, rows, key].
std::optional<Array> kernelRows(const SiteRecord& record, const std::vector<int>& rows,
                                std::string& declined);

/// Chosen columns of all heads, [heads, query, columns].
std::optional<Array> kernelColumns(const SiteRecord& record, const std::vector<int>& columns,
                                   std::string& declined);

/// A rectangle drawn into pixels, [height, width].
std::optional<Array> kernelTile(const SiteRecord& record, const SiteBlock& block, const TileRequest& request,
                                std::string& declined);

/// Sums of every row over up to 32 groups of keys, [heads, query, groups].
std::optional<Array> kernelGroupMass(const SiteRecord& record, const std::vector<std::vector<int>>& groups,
                                     std::string& declined);

/// A^T y of the mean over chosen heads, [key, columns]; y is [query, columns].
std::optional<Array> kernelCollect(const SiteRecord& record, const std::vector<std::int64_t>& heads,
                                   const Array& weights, std::string& declined);

/// E^T y with E the mean over chosen heads of a part of A * dA, [key, columns]; y is [query, columns].
std::optional<Array> kernelRelevance(const SiteRecord& record, const std::vector<std::int64_t>& heads,
                                     RelevancePart part, const Array& weights, std::string& declined);

/// Mean over chosen heads of the sums of every row: 1, or 0 where a query sees no key. [query]
std::optional<std::vector<double>> kernelRowSums(const SiteRecord& record,
                                                 const std::vector<std::int64_t>& heads, std::string& declined);

/// For every key the queries that look at it most.
std::optional<ColumnTop> kernelColumnTop(const SiteRecord& record, int k, std::string& declined);

}  // namespace fovea
