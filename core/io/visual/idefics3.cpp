// Idefics3, and the images of SmolVLM. All resizes are Pillow's, one after another as the reference does
// them.
#include "io/visual/idefics3.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <utility>

#include "fovea/error.h"

namespace fovea {
namespace {

using Json = nlohmann::json;

constexpr double kLongest = 4096;

// Both sides in whole tiles: the longer one first, the other from its old shape.
LongestSize inWholeTiles(double width, double height, double tile) {
    const double ratio = width / height;
    const auto whole = [tile](double side) { return std::ceil(side / tile) * tile; };
    if (width >= height) return {whole(width), whole(std::trunc(whole(width) / ratio))};
    return {whole(std::trunc(whole(height) * ratio)), whole(height)};
}

int longestEdge(const ProcessorKeys& keys, const char* key, const Json& value) {
    const auto it = value.is_object() ? value.find("longest_edge") : value.end();
    if (!value.is_object() || it == value.end()) keys.fail(key, "{\"longest_edge\"}", value);
    return keys.side(fmt::format("{}.longest_edge", key), *it);
}

}  // namespace

LongestSize longestSize(double width, double height, double longest) {
    const double ratio = width / height;
    const auto even = [](double side) { return std::fmod(side, 2) != 0 ? side + 1 : side; };
    LongestSize size;
    if (width >= height) {
        size = {longest, even(std::trunc(longest / ratio))};
    } else {
        size = {even(std::trunc(longest * ratio)), longest};
    }
    size = {std::max(size.width, 1.0), std::max(size.height, 1.0)};
    const double again = size.width / size.height;
    if (size.width >= size.height && size.width > kLongest) {
        size = {kLongest, std::trunc(kLongest / again)};
    } else if (size.height > size.width && size.height > kLongest) {
        size = {std::trunc(kLongest * again), kLongest};
    }
    return {std::max(size.width, 1.0), std::max(size.height, 1.0)};
}

Idefics3Settings readIdefics3(const VisualFiles& files, std::string_view className) {
    Idefics3Settings s;
    const std::string name(className);
    s.pixels = visualDefaults(name.c_str(), 364, Resample::Lanczos, kHalf, kHalf);
    const ProcessorKeys keys(objectOf(files.image, files.imageFile), files.imageFile);
    checkClass(keys, "Idefics3ImageProcessor SmolVLMImageProcessor");
    readPixelSettings(keys, s.pixels);
    if (const Json* size = keys.find("size")) {
        if (size->is_object() && size->contains("longest_edge")) {
            s.longest = longestEdge(keys, "size", *size);
        } else {
            readBothSides(keys, "size", s.pixels.height, s.pixels.width);
            s.longest = 0;
        }
    }
    if (const Json* most = keys.find("max_image_size")) s.tile = longestEdge(keys, "max_image_size", *most);
    keys.flag("do_image_splitting", s.split);
    keys.flag("do_pad", s.mask);
    return s;
}

LayoutRules idefics3Layout(const VisualFiles& files) {
    LayoutRules layout;
    layout.scheme = LayoutRules::Scheme::Idefics3;
    layout.imageSlot = layout.imageToken = tokenNamed(files, "image_token", "<image>");
    layout.begin = layout.end = tokenNamed(files, "fake_image_token", "<fake_token_around_image>");
    layout.overview = tokenNamed(files, "global_image_token", "<global-img>");
    layout.patchSize = towerPatchSize(files, 14);
    layout.tokensPerTile = processorNumber(files, "image_seq_len", 169);
    return layout;
}

Idefics3Processor::Idefics3Processor(Idefics3Settings settings, LayoutRules layout)
    : m_settings(std::move(settings)), m_pixels(withoutResize(m_settings.pixels)) {
    m_layout = std::move(layout);
    m_black = blackOf(m_settings.pixels);
}

void Idefics3Processor::addTiles(const Pixels& picture, ViewList& views) const {
    const Idefics3Settings& s = m_settings;
    const Resample filter = s.pixels.resample;
    Canvas canvas = canvasOf(picture);
    if (s.pixels.doResize) {
        LongestSize size{static_cast<double>(s.pixels.width), static_cast<double>(s.pixels.height)};
        if (s.longest > 0) size = longestSize(picture.width, picture.height, s.longest);
        canvas = resized(canvas, size.width, size.height, filter);
    }
    if (!s.split) {
        views.add(resized(canvas, s.tile, s.tile, filter));
        return;
    }
    const LongestSize whole = inWholeTiles(canvas.pixels.width, canvas.pixels.height, s.tile);
    canvas = resized(canvas, whole.width, whole.height, filter);
    const int rows = canvas.pixels.height / s.tile;
    const int columns = canvas.pixels.width / s.tile;
    if (rows * columns <= 1) {
        views.add(canvas);
        return;
    }
    views.setGrid(rows, columns);
    for (int row = 0; row < rows; ++row)
        for (int column = 0; column < columns; ++column)
            views.add(cut(canvas, {column * s.tile, row * s.tile, s.tile, s.tile}), {row, column, false});
    views.add(resized(canvas, s.tile, s.tile, filter), {0, 0, true});
}

VisualInput Idefics3Processor::process(std::span<const Pixels> images) const {
    checkSomeImages(images);
    ViewList views(m_pixels);
    for (const Pixels& picture : images) {
        views.begin(picture);
        addTiles(picture, views);
    }
    VisualInput out;
    const std::int64_t tiles = views.views();
    const std::int64_t side = m_settings.tile;
    out.images = std::move(views.images());
    HostTensor values = std::move(views).tensor();
    values.shape.insert(values.shape.begin(), 1);
    out.tensors["pixel_values"] = std::move(values);
    if (m_settings.mask) {
        // Tiles always fill their square, so that nothing is masked out.
        std::vector<std::int64_t> ones(static_cast<std::size_t>(tiles * side * side), 1);
        out.tensors["pixel_attention_mask"] = integerTensor({1, tiles, side, side}, std::move(ones));
    }
    return out;
}

std::string Idefics3Processor::describe() const {
    const Idefics3Settings& s = m_settings;
    if (!s.split) return fmt::format("{}: one view of {} x {}", s.pixels.className, s.tile, s.tile);
    return fmt::format("{}: longer side {}, tiles of {} x {}", s.pixels.className, s.longest, s.tile, s.tile);
}

std::unique_ptr<VisualProcessor> makeIdefics3(const VisualFiles& files) {
    return std::make_unique<Idefics3Processor>(readIdefics3(files, "Idefics3ImageProcessor"),
                                               idefics3Layout(files));
}

}  // namespace fovea
