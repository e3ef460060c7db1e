#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "fovea/job_context.h"
#include "fovea/pixels.h"
#include "fovea/vision_image.h"

namespace fovea {

/// Frames of a film, upright RGB of one size, and when they were taken.
struct VideoClip {
    std::vector<Pixels> frames;
    VideoTiming timing;  ///< of the file that they come from, with the index of every frame
};

/// A film that was opened. Not thread safe.
class VideoSource {
public:
    virtual ~VideoSource() = default;
    /// What the file says of itself, without indices; totalFrames is corrected when frames() comes to an earlier end.
    virtual VideoTiming timing() const = 0;
    /// The frames of these indices, ascending and each once; fewer where the film ends earlier. Throws Error (Input) for
    /// frames that cannot be read or differ in size, Error (Memory) for more than 4 GiB of pixels.
    virtual std::vector<Pixels> frames(const std::vector<std::int64_t>& indices, const JobContext& job) = 0;
};

/// Opens a film; throws Error (Input) for what is none.
using VideoOpener = std::function<std::unique_ptr<VideoSource>(const std::filesystem::path&)>;

}  // namespace fovea
