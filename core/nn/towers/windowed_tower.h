#pragma once

#include <cstdint>

namespace fovea {

/// A vision tower some of whose blocks attend within squares.
class WindowedTower {
public:
    virtual ~WindowedTower() = default;
    /// Pixels of the model's input that a side of a square has; 0: no windows.
    virtual std::int64_t windowPixels() const = 0;
};

}  // namespace fovea
