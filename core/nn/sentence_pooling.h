#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>

namespace fovea {

/// How a folder of the sentence-transformers package makes one vector of a text (modules.json, N_Pooling/config.json).
struct SentencePooling {
    enum class Kind { None, First, Mean, Max };
    Kind kind = Kind::None;
    bool normalise = false;  ///< to length 1

    /// None where the folder has no modules.json or one with parts that are not known. Throws Error (Input) for damaged
    /// files.
    static SentencePooling fromFolder(const std::filesystem::path& folder);

    /// [1, hidden] of [1, n, hidden]; `mask` [1, n] is false for padding, or undefined.
    at::Tensor operator()(const at::Tensor& hidden, const at::Tensor& mask) const;
};

}  // namespace fovea
