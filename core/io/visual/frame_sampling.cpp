#include "io/visual/frame_sampling.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <utility>

#include "fovea/error.h"

namespace fovea {
namespace {

using Json = nlohmann::json;
using Indices = std::vector<std::int64_t>;
using Rule = FrameSampling::Rule;

constexpr double kMostFrames = 4096;
constexpr std::int64_t kMostTotal = std::int64_t{1} << 31;

[[noreturn]] void refuse(const std::string& found) {
    throw Error(fmt::format("video: expected 1 to {:.0f} frames to take, found {}", kMostFrames, found),
                "give a shorter video, or fewer frames in video_preprocessor_config.json");
}

void checkCount(double count, double most) {
    if (!(count >= 1) || count > std::min(kMostFrames, most))
        refuse(fmt::format("{:.0f} of {:.0f}", count, most));
}

double fpsOf(const VideoTiming& file) {
    if (file.fps > 0 && std::isfinite(file.fps)) return file.fps;
    throw Error("video: expected its frames per second, found none", "give num_frames instead of fps");
}

// Steps of total / count from `start`; torch keeps them as single precision before it cuts the fraction.
Indices evenly(double start, double total, double count) {
    const double step = total / count;
    const auto size = static_cast<std::int64_t>(std::ceil((total - start) / step));
    Indices frames;
    for (std::int64_t i = 0; i < size; ++i) {
        const auto at = static_cast<float>(start + static_cast<double>(i) * step);
        frames.push_back(std::min(static_cast<std::int64_t>(at), static_cast<std::int64_t>(total) - 1));
    }
    return frames;
}

// From the first to the last, both included, as numpy spaces them.
std::vector<double> spaced(double first, double last, double count) {
    std::vector<double> at;
    for (double i = 0; i < count; ++i) at.push_back(first + i * ((last - first) / (count - 1)));
    if (count == 1) return {first};
    at.back() = last;
    return at;
}

Indices qwen3(const FrameSampling& s, const VideoTiming& file) {
    const auto total = static_cast<double>(file.totalFrames);
    double count = s.frames;
    if (count == 0 && s.fps > 0) {
        count = std::trunc(total / (file.fps > 0 ? file.fps : 24) * s.fps);
        count = std::min({std::max<double>(count, s.least), static_cast<double>(s.most), total});
    } else if (count == 0) {
        count = std::min<double>(std::max<double>(total, s.least), s.most);
    }
    checkCount(count, kMostFrames);
    Indices frames;
    for (double at : spaced(0, total - 1, count))
        frames.push_back(static_cast<std::int64_t>(std::nearbyint(at)));
    return frames;
}

Indices smolVlm(const FrameSampling& s, const VideoTiming& file) {
    const double fps = fpsOf(file);
    const auto total = static_cast<double>(file.totalFrames);
    const double duration = file.duration > 0 ? file.duration : total / fps;
    const double count = std::max(1.0, std::min<double>(std::nearbyint(s.fps * duration), s.frames));
    checkCount(count, kMostFrames);
    double first = 0;
    double last = total - 1;
    if (duration - 2 > s.frames * s.fps) {  // a second of titles on either side
        first = std::trunc(fps);
        last = std::trunc(total - fps);
    }
    last = std::min(last, total - 1);
    if (first >= last) {
        first = 0;
        last = total - 1;
    }
    Indices frames;
    for (double at : spaced(first, last, count)) frames.push_back(static_cast<std::int64_t>(std::floor(at)));
    frames.erase(std::unique(frames.begin(), frames.end()), frames.end());
    return frames;
}

Indices qwen2(const FrameSampling& s, const VideoTiming& file) {
    const auto total = static_cast<double>(file.totalFrames);
    const double group = s.temporalPatch;
    double count = std::nearbyint(s.frames / group) * group;
    if (s.frames == 0) {
        const double most = std::floor(std::min<double>(s.most, total) / group) * group;
        count = std::min({std::max(total / fpsOf(file) * s.fps, static_cast<double>(s.least)), most, total});
        count = std::floor(count / group) * group;
    }
    checkCount(count, total);
    return evenly(0, total, count);
}

}  // namespace

FrameSampling readSampling(const ProcessorKeys& keys, FrameSampling s) {
    keys.flag("do_sample_frames", s.on);
    keys.count("num_frames", s.frames, 1 << 20);
    const auto readFps = [&](const Json& value) {
        s.fps = keys.number("fps", value);
        if (!(s.fps > 0)) keys.fail("fps", "a number above zero", value);
    };
    if (const Json* fps = keys.find("fps")) readFps(*fps);
    keys.count("min_frames", s.least, 1 << 20);
    keys.count("max_frames", s.most, 1 << 20);
    keys.count("temporal_patch_size", s.temporalPatch, 64);
    const Json* sampling = keys.find("video_sampling");
    if (!sampling || s.rule != Rule::SmolVlm) return s;
    const ProcessorKeys own(*sampling, keys.file());
    if (!sampling->is_object()) keys.fail("video_sampling", "an object", *sampling);
    own.count("max_frames", s.frames, 1 << 20);
    if (const Json* fps = own.find("fps")) readFps(*fps);
    return s;
}

Indices sampledFrames(const FrameSampling& s, const VideoTiming& file) {
    if (file.totalFrames < 1 || file.totalFrames > kMostTotal)
        refuse(fmt::format("a video of {}", file.totalFrames));
    const auto total = static_cast<double>(file.totalFrames);
    if (!s.on || (s.frames == 0 && s.fps == 0 && s.rule != Rule::Qwen3)) {
        checkCount(total, kMostFrames);
        return evenly(0, total, total);
    }
    switch (s.rule) {
        case Rule::Qwen3:
            return qwen3(s, file);
        case Rule::SmolVlm:
            return smolVlm(s, file);
        case Rule::Qwen2:
            return qwen2(s, file);
        case Rule::Even:
        case Rule::Middle:
            break;
    }
    const double count = s.frames > 0 ? s.frames : std::trunc(total / fpsOf(file) * s.fps);
    checkCount(count, total);
    return evenly(s.rule == Rule::Middle ? total / count / 2 : 0, total, count);
}

}  // namespace fovea
