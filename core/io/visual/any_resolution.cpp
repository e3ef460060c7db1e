#include "io/visual/any_resolution.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

namespace fovea {
namespace {

using Json = nlohmann::json;
using Size = AnyResolution::Size;
using SizeRule = ImageProcessor::Settings::SizeRule;

constexpr std::size_t kMaxPinpoints = 1024;

// The pinpoint that keeps most of the picture's pixels and then wastes least.
Size bestOf(const std::vector<Size>& pinpoints, double height, double width) {
    Size best = pinpoints.front();
    double most = 0;
    double least = std::numeric_limits<double>::infinity();
    for (const Size& size : pinpoints) {
        const double scale = std::min(size.width / width, size.height / height);
        const double kept = std::min(std::trunc(width * scale) * std::trunc(height * scale), width * height);
        const double wasted = static_cast<double>(size.width) * size.height - kept;
        if (kept > most || (kept == most && wasted < least)) {
            most = kept;
            least = wasted;
            best = size;
        }
    }
    return best;
}

Size fitInto(const Size& target, double height, double width) {
    const double wide = target.width / width;
    const double tall = target.height / height;
    if (wide < tall)
        return {static_cast<int>(std::min<double>(std::ceil(height * wide), target.height)), target.width};
    return {target.height, static_cast<int>(std::min<double>(std::ceil(width * tall), target.width))};
}

}  // namespace

std::string AnyResolution::describe() const {
    return fmt::format("{}; crops of {} on the best of {} grids", pixels.describe(), tile, pinpoints.size());
}

AnyResolution readAnyResolution(const ProcessorKeys& keys, ImageProcessor::Settings settings,
                                std::vector<Size> pinpoints) {
    readSize(keys, false, settings);
    readPixelSettings(keys, settings);
    if (settings.rule != SizeRule::Exact && settings.rule != SizeRule::ShortestEdge &&
        settings.rule != SizeRule::ShortestWithLongest) {
        keys.fail("size", "{\"height\", \"width\"} or {\"shortest_edge\"}", *keys.find("size"));
    }
    if (const Json* given = keys.find("image_grid_pinpoints")) {
        const std::string expected = fmt::format("1 to {} pairs [height, width]", kMaxPinpoints);
        if (!given->is_array() || given->empty() || given->size() > kMaxPinpoints)
            keys.fail("image_grid_pinpoints", expected, *given);
        pinpoints.clear();
        for (const Json& pair : *given) {
            if (!pair.is_array() || pair.size() != 2) keys.fail("image_grid_pinpoints", expected, pair);
            pinpoints.push_back(
                {keys.side("image_grid_pinpoints", pair[0]), keys.side("image_grid_pinpoints", pair[1])});
        }
    }
    const bool exact = settings.rule == SizeRule::Exact;
    const Size base{settings.height, exact ? settings.width : settings.height};
    const int tile = settings.cropHeight > 0 ? settings.cropHeight : settings.height;
    return {ImageProcessor(std::move(settings)), std::move(pinpoints), base, tile};
}

void addAnyResolution(const AnyResolution& rules, const Pixels& picture, ViewList& views) {
    const Canvas whole = canvasOf(picture);
    const Resample filter = rules.pixels.settings().resample;
    const Size best = bestOf(rules.pinpoints, picture.height, picture.width);
    const Size fitted = fitInto(best, picture.height, picture.width);
    views.begin(picture);
    views.setGrid((best.height + rules.tile - 1) / rules.tile, (best.width + rules.tile - 1) / rules.tile);
    views.add(resized(whole, rules.base.width, rules.base.height, filter), {0, 0, true});
    const Canvas fit = resized(whole, fitted.width, fitted.height, filter);
    const int left = (best.width - fitted.width) / 2;
    const int top = (best.height - fitted.height) / 2;
    for (int y = 0; y < best.height; y += rules.tile)
        for (int x = 0; x < best.width; x += rules.tile) {
            const Window part{x - left, y - top, std::min(rules.tile, best.width - x),
                              std::min(rules.tile, best.height - y)};
            views.add(cut(fit, part), {y / rules.tile, x / rules.tile, false});
        }
}

HostTensor imageSizes(std::span<const Pixels> images) {
    std::vector<std::int64_t> sizes;
    for (const Pixels& picture : images) {
        sizes.push_back(picture.height);
        sizes.push_back(picture.width);
    }
    return integerTensor({static_cast<std::int64_t>(images.size()), 2}, std::move(sizes));
}

}  // namespace fovea
