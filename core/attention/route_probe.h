#pragma once

#include <string>

#include "attention/routes.h"

namespace fovea {

/// Why a route's own answer to a small problem like `call` (its dtype, device, head sizes, mask and bias) is too
/// far from float64, or "" when it is right. Found once for each such kind in a process.
std::string probeRoute(const Route& route, const AttentionCall& call);

}  // namespace fovea
