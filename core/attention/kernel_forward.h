#pragma once

#include <optional>
#include <string>

#include "attention/kernel_call.h"
#include "attention/routes.h"
#include "fovea/intervention.h"

namespace fovea {

/// Why the own forward kernel does not take a call; "" when it does.
std::string kernelForwardDeclines(const AttentionCall& call);

/// Attention by the own forward kernel: output and log-sum-exp in fp32.
RouteOutput runKernelForward(const AttentionCall& call);

/// Attention of the heads that an edit changes (temperature, group factors; gains are left to the caller) without a
/// [query, key] map: [1, heads, query, value_dim], in the order of `heads`. `edit` holds positions. Undefined where
/// the kernel does not serve the edit; `declined` then says why.
at::Tensor editedHeads(const AttentionCall& call, const SiteEdit& edit, const std::vector<std::int64_t>& heads,
                       std::string& declined);

}  // namespace fovea
