#pragma once

#include <optional>
#include <string>

#include "attention/trace_impl.h"

namespace fovea {

/// Statistics of a site by the kernels' pass over Q and K, which stores no [query, key] map. Empty where the
/// kernels do not serve the call (float64, other devices, head sizes over 256, masks of huge negative numbers,
/// logits that are not finite); `declined` then says why. Only for sites whose logits are those of AttentionCall.
std::optional<SiteStatistics> kernelStatistics(const SiteRecord& record, const StatisticsOptions& options,
                                               std::string& declined);

}  // namespace fovea
