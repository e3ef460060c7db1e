#pragma once

#include <optional>
#include <string>

#include "attention/trace_impl.h"

namespace fovea {

/// Statistics of a site by the kernels' pass over Q and K, which stores no [query, key] map; only for records
/// that they can read. Empty where a kernel refuses after all (pooled blocks outside 8 to 512, logits that are
/// not finite); `declined` then says why.
std::optional<SiteStatistics> kernelStatistics(const SiteRecord& record, const StatisticsOptions& options,
                                               std::string& declined);

/// What a request says that a kernel served: "kernel", or "kernel on cuda:0".
std::string kernelRoute(const at::Device& device);

}  // namespace fovea
