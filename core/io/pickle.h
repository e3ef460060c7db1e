#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "io/tensor_info.h"

namespace fovea {

/// The tensors of a file written by torch.save, in its zip form or the older one of consecutive pickles,
/// found without running anything: the unpickler only builds tensors and plain containers and stops with
/// Error (Input) at any other global, naming it. A root {"state_dict"|"model"|...} is opened and a common
/// "module." prefix removed.
std::vector<TensorInfo> readPickledTensors(std::span<const std::byte> file, const std::string& source);

}  // namespace fovea
