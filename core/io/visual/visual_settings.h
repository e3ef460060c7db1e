#pragma once

#include <string_view>

#include "fovea/image_processor.h"
#include "io/processor_keys.h"
#include "io/visual/visual_files.h"

namespace fovea {

/// What a class uses for keys that a file leaves out.
ImageProcessor::Settings visualDefaults(const char* className, int side, Resample filter,
                                        const std::array<double, 3>& mean,
                                        const std::array<double, 3>& deviation);
/// An object to read keys from: the given one, or an empty one where the file is missing. Throws Error where
/// it is something else.
const nlohmann::json& objectOf(const nlohmann::json& given, const std::string& file);
/// Throws Error unless the class that the file names (if it names one) is among `accepted` (without "Pil",
/// "Fast"; separated by blanks).
void checkClass(const ProcessorKeys& keys, std::string_view accepted);
/// The settings of a processor that only rescales and normalises.
ImageProcessor::Settings withoutResize(ImageProcessor::Settings settings);
/// Throws Error for a filter that torchvision's resize of a video does not have.
void checkVideoFilter(const ImageProcessor::Settings& settings);
/// The values of a black pixel.
std::array<float, 3> blackOf(const ImageProcessor::Settings& settings);

}  // namespace fovea
