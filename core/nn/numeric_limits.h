#pragma once

#include <c10/core/ScalarType.h>

#include <limits>

namespace fovea {

/// The most negative finite value of a floating type: what the reference adds to masked logits.
inline double lowestValue(c10::ScalarType dtype) {
    switch (dtype) {
        case c10::kHalf:
            return -65504.0;
        case c10::kBFloat16:
            return -3.3895313892515355e38;
        case c10::kDouble:
            return std::numeric_limits<double>::lowest();
        default:
            return static_cast<double>(std::numeric_limits<float>::lowest());
    }
}

}  // namespace fovea
