#pragma once

#include <cstdint>
#include <numeric>
#include <vector>

namespace fovea {

/// A dense row-major float array that owns its values; how numbers leave the tensor world.
struct Array {
    std::vector<std::int64_t> shape;
    std::vector<float> values;

    Array() = default;
    explicit Array(std::vector<std::int64_t> dims, float fill = 0)
        : shape(std::move(dims)), values(static_cast<std::size_t>(count(shape)), fill) {}

    /// Product of the sizes; 1 for a scalar.
    static std::int64_t count(const std::vector<std::int64_t>& dims) {
        return std::accumulate(dims.begin(), dims.end(), std::int64_t{1}, std::multiplies<>());
    }
    bool empty() const { return values.empty(); }
    std::int64_t size(int axis) const { return shape[static_cast<std::size_t>(axis)]; }

    float& at(std::int64_t i, std::int64_t j) { return values[static_cast<std::size_t>(i * shape[1] + j)]; }
    float at(std::int64_t i, std::int64_t j) const {
        return values[static_cast<std::size_t>(i * shape[1] + j)];
    }
    float& at(std::int64_t i, std::int64_t j, std::int64_t k) {
        return values[static_cast<std::size_t>((i * shape[1] + j) * shape[2] + k)];
    }
    float at(std::int64_t i, std::int64_t j, std::int64_t k) const {
        return values[static_cast<std::size_t>((i * shape[1] + j) * shape[2] + k)];
    }
    bool operator==(const Array&) const = default;
};

}  // namespace fovea
