#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/dtype.h"

namespace fovea {

/// Where one tensor lies in a file: what a header says, checked against the file's size, no data touched.
struct TensorInfo {
    std::string name;
    Dtype dtype = Dtype::F32;
    std::vector<std::int64_t> shape;    ///< empty for a scalar
    std::vector<std::int64_t> strides;  ///< in elements; empty when row-major contiguous
    std::uint64_t begin = 0;            ///< first byte, from the start of the file
    std::uint64_t end = 0;              ///< one past the last byte that any element uses

    /// Number of elements; the readers have checked that it does not overflow.
    std::int64_t numel() const {
        std::int64_t n = 1;
        for (std::int64_t size : shape) n *= size;
        return n;
    }
    bool contiguous() const { return strides.empty(); }
};

/// The product of the sizes times itemBytes, or -1 where a size is negative or the product does not fit in 63
/// bits.
std::int64_t checkedBytes(const std::vector<std::int64_t>& shape, std::int64_t itemBytes);
/// "[2, 3]", for messages; -1 is written as "any".
std::string shapeText(const std::vector<std::int64_t>& shape);

/// Tensors of one file may have at most this many axes.
inline constexpr std::size_t kMaxRank = 8;
/// A file may hold at most this many tensors.
inline constexpr std::size_t kMaxTensors = 1'000'000;
/// A tensor's name may have at most this many bytes.
inline constexpr std::size_t kMaxNameBytes = 1024;

}  // namespace fovea
