#pragma once

#include "fovea/analysis.h"
#include "fovea/capture.h"

namespace fovea {

/// A request that records everything that either asks for.
CaptureRequest united(const CaptureRequest& a, const CaptureRequest& b);

/// Whether what `have` records serves `want`.
bool covers(const CaptureRequest& have, const CaptureRequest& want);

/// What analyses of one session need together.
Needs united(const Needs& a, const Needs& b);

}  // namespace fovea
