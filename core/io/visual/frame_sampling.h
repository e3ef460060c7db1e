#pragma once

#include "fovea/visual_processor.h"
#include "io/processor_keys.h"

namespace fovea {

/// Reads do_sample_frames, num_frames, fps, min_frames, max_frames, temporal_patch_size and video_sampling
/// over the given defaults.
FrameSampling readSampling(const ProcessorKeys& keys, FrameSampling defaults);
/// The frames that a rule picks of a file; throws Error where the rule needs what the file does not say.
std::vector<std::int64_t> sampledFrames(const FrameSampling& sampling, const VideoTiming& file);

}  // namespace fovea
