#pragma once

#include <string>
#include <vector>

#include "engine.h"

namespace fovea {

/// The pictures of a session: files through `reader`, "scene:SEED" drawn. Throws Error (Input) naming the
/// picture.
std::vector<Pixels> readImages(const std::vector<std::string>& images, const ImageReader& reader,
                               const JobContext& job);

/// The seed of "scene:SEED"; throws Error (Usage) when it is no number.
std::uint64_t sceneSeed(const std::string& image);

}  // namespace fovea
