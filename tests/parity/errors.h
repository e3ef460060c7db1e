#pragma once

#include <string>

#include "fovea/array.h"
#include "parity/fixtures.h"

namespace fovea::test {

/// The largest differences of one kind of quantity over a case, against the largest magnitude of that kind.
struct Errors {
    double ours = 0, theirs = 0, largest = 0;
    int compared = 0;

    void add(const std::string& what, const Array& mine, const Reference& f64, const Reference& f32);
    /// On a GPU sums run in another order and with fused products: 1e-4 is what is promised there.
    double allowed() const;
    double share() const { return ours / allowed(); }
};

}  // namespace fovea::test
