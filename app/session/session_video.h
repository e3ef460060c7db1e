#pragma once

#include <string>

#include "fovea/model.h"
#include "fovea/video_source.h"

namespace fovea {

/// The frames that a model takes of a film: those that its processor samples. Throws Error (Usage) where the model or
/// this build takes no films, Error (Input) for a file that is none.
VideoClip readVideo(const std::string& file, const VideoOpener& opener, const Model& model, const JobContext& job);

}  // namespace fovea
