#pragma once

#include <string>
#include <vector>

#include "engine.h"

namespace fovea {

/// The pictures that a trace file was recorded from, where its session names them and they are all still there; else none.
/// Nothing is thrown: a trace is whole without them. `reference` is a MODEL.
std::vector<Pixels> recordedPictures(const std::string& reference, const ImageReader& reader, const JobContext& job);

}  // namespace fovea
