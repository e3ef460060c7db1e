#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>
#include <vector>

namespace fovea {

/// Copies of tensors, in their dtypes, on one temporary file mapped into memory: pages come back when they are read
/// and may leave memory at any time. The file is gone once nobody holds one of the tensors. Throws Error (Memory)
/// when it cannot be written.
std::vector<at::Tensor> onTemporaryFile(const std::vector<at::Tensor>& tensors,
                                        const std::filesystem::path& folder = std::filesystem::temp_directory_path());

}  // namespace fovea
