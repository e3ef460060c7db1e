#pragma once

#include <string>
#include <vector>

#include "fovea/array.h"

namespace fovea::cli {

/// How far two arrays of equal shape are apart.
struct NumericDifference {
    double absolute = 0;   ///< largest difference of two values
    double mean = 0;       ///< mean absolute difference
    double magnitude = 0;  ///< largest absolute value of the reference
    bool finite = true;    ///< no NaN and no infinity in either

    /// Largest difference as a share of the largest value.
    double relative() const { return magnitude > 0 ? absolute / magnitude : absolute; }
    /// Takes over the worse of both.
    void worsen(const NumericDifference& other);
};

/// Throws Error (Internal) when the shapes differ; `name` is for the message.
NumericDifference differenceOf(const Array& value, const Array& reference, const std::string& name);

}  // namespace fovea::cli
