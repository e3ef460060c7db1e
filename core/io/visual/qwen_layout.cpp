// Qwen: one token for each block of merged patches; videos frame pair by frame pair, Qwen3 with time stamps.
#include <algorithm>
#include <fmt/format.h>

#include "io/visual/layouts.h"

namespace fovea {
namespace {

void addBlocks(std::vector<LayoutItem>& items, const LayoutRules& rules, const std::string& token,
               const VisionImage& image, int tile) {
    const double side = static_cast<double>(rules.patchSize) * rules.merge;
    for (int row = 0; row < image.gridThw[1] / rules.merge; ++row)
        for (int column = 0; column < image.gridThw[2] / rules.merge; ++column)
            addPatch(items, token, image, tile, row, column, {column * side, row * side, side, side});
}

// The mean of the first and the last time of a group of frames; the last frame fills the last group up.
double secondsOf(const VideoTiming& timing, int group, int size) {
    const auto at = [&](int i) {
        const auto last = static_cast<int>(timing.indices.size()) - 1;
        const double fps = timing.fps > 0 ? timing.fps : 24;
        return static_cast<double>(timing.indices[static_cast<std::size_t>(std::min(i, last))]) / fps;
    };
    return (at(group * size) + at(group * size + size - 1)) / 2;
}

}  // namespace

std::vector<LayoutItem> qwenLayout(const LayoutRules& rules, const VisionImage& image) {
    std::vector<LayoutItem> items;
    addBlocks(items, rules, rules.imageToken, image, 0);
    return items;
}

std::vector<LayoutItem> qwenVideoLayout(const LayoutRules& rules, const VisionImage& video) {
    std::vector<LayoutItem> items;
    for (int group = 0; group < static_cast<int>(video.gridThw[0]); ++group) {
        const bool stamped = rules.scheme == LayoutRules::Scheme::Qwen3;
        if (stamped) {
            addText(items, fmt::format("<{:.1f} seconds>{}",
                                       secondsOf(video.timing, group, rules.temporalPatch), rules.begin));
        }
        addBlocks(items, rules, rules.videoToken, video, group * rules.temporalPatch);
        if (stamped) addText(items, rules.end);
    }
    return items;
}

}  // namespace fovea
