#include "session_video.h"

#include <fmt/format.h>

#include "fovea/error.h"

namespace fovea {
namespace {

void requireSomething(const std::string& file) {
    std::error_code error;
    if (!std::filesystem::exists(file, error))
        throw Error(file + ": expected a film, or a folder of pictures, found nothing of that name",
                    "paths are relative to the working directory, those of a session to its file");
}

}  // namespace

VideoClip readVideo(const std::string& file, const VideoOpener& opener, const Model& model, const JobContext& job) {
    if (!opener)
        throw Error(file + ": this build of Fovea reads no films (it was built without Qt and OpenCV)",
                    "Give single frames with --image, or build with packaging/dev build.");
    requireSomething(file);
    job.progress(0, "opening " + file);
    const auto source = opener(file);
    // A file may hold fewer frames than it says; what is sampled depends on their number.
    for (int attempt = 0; attempt < 2; ++attempt) {
        const VideoTiming said = source->timing();
        if (said.totalFrames < 1)
            throw Error(file + ": expected a film with at least one frame, found none", "The file is damaged or no film.");
        VideoClip clip;
        clip.timing = said;
        clip.timing.indices = model.sampleFrames(said);
        clip.frames = source->frames(clip.timing.indices, job);
        if (clip.frames.size() == clip.timing.indices.size()) return clip;
    }
    throw Error(file + ": the film ends before the frames that it says it has", "The file is damaged: copy it again.");
}

}  // namespace fovea
