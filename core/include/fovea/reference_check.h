#pragma once

#include <optional>

#include "fovea/attention_trace.h"
#include "fovea/job_context.h"

namespace fovea {

/// How far a recorded site is from the plain float64 loops of kernels/reference on the site's own Q, K, V and
/// bias: what the route itself computed, apart from everything before and after it in the network.
struct ReferenceCheck {
    double probabilities = 0;  ///< largest absolute difference of the plain softmax's probabilities
    double logSumExp = 0;      ///< largest absolute difference of the route's log-sum-exp
    /// Largest difference of the heads' outputs as a share of their largest magnitude; nothing where they
    /// were not recorded (CaptureRequest::headOutput) or are edited.
    std::optional<double> output;
    bool finite = true;  ///< false where a NaN or infinity turned up
};

/// Checks one site, one head after the other: scratch is one head's map in float64. Throws Error (Usage) for
/// a site whose Q, K or bias was not recorded, or whose logits are capped, which the loops do not know.
ReferenceCheck checkAgainstReference(const AttentionTrace& trace, int site, const JobContext& job = {});

}  // namespace fovea
