#include "parity/errors.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

namespace fovea::test {

void Errors::add(const std::string& what, const Array& mine, const Reference& f64, const Reference& f32) {
    INFO(what);
    REQUIRE(mine.shape == f64.shape);
    for (std::size_t i = 0; i < f64.values.size(); ++i) {
        const double d = std::abs(static_cast<double>(mine.values[i]) - f64.values[i]);
        // A comparison with NaN is false: count it as infinitely wrong.
        ours = d >= 0 ? std::max(ours, d) : HUGE_VAL;
        theirs = std::max(theirs, std::abs(f32.values[i] - f64.values[i]));
    }
    largest = std::max(largest, f64.largest());
    ++compared;
}

double Errors::allowed() const {
    return std::max((testDevice() == "cpu" ? 1e-6 : 1e-4) * largest, 2 * theirs);
}

}  // namespace fovea::test
