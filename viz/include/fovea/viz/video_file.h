#pragma once

#include <filesystem>
#include <memory>

#include "fovea/video_source.h"

namespace fovea::viz {

/// Opens a film that OpenCV decodes (MP4, WebM, AVI, animated GIF, ...), or a folder of pictures as the frames of one, in
/// the order of their names with numbers counted as such and without a rate. Throws Error (Input) for what is neither, for
/// a film without frames, and where this build has no film decoder.
std::unique_ptr<VideoSource> openVideo(const std::filesystem::path& file);

}  // namespace fovea::viz
