// Llama 3.2 Vision: the picture fitted into the canvas of tiles that shrinks it least, padded, cut.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <optional>

#include "fovea/error.h"
#include "io/visual/canvas.h"
#include "io/visual/families.h"
#include "io/visual/visual_settings.h"

namespace fovea {
namespace {

using Settings = ImageProcessor::Settings;

struct Tiles {
    int rows = 1;
    int columns = 1;
};

class MllamaProcessor final : public VisualProcessor {
public:
    MllamaProcessor(Settings settings, int most, LayoutRules layout)
        : m_settings(std::move(settings)), m_pixels(withoutResize(m_settings)), m_most(most) {
        m_layout = std::move(layout);
        m_black = blackOf(m_settings);
        // In the order that aspect_ratio_ids count them.
        for (int rows = 1; rows <= most; ++rows)
            for (int columns = 1; columns <= most / rows; ++columns) m_canvases.push_back({rows, columns});
    }

    VisualInput process(std::span<const Pixels> images) const override {
        checkSomeImages(images);
        ViewList views(m_pixels);
        const auto count = static_cast<std::int64_t>(images.size());
        std::vector<std::int64_t> ids, numbers, mask;
        for (const Pixels& given : images) {
            requirePixels(given);
            std::optional<Pixels> opaque;
            if (!given.alpha.empty()) opaque = overWhite(given);
            const Pixels& picture = opaque ? *opaque : given;
            views.begin(picture);
            const std::size_t chosen = bestCanvas(picture);
            addTiles(picture, m_canvases[chosen], views);
            const auto tiles = static_cast<std::int64_t>(views.images().back().tiles.size());
            ids.push_back(static_cast<std::int64_t>(chosen) + 1);
            numbers.push_back(tiles);
            for (int i = 0; i < m_most; ++i) mask.push_back(i < tiles ? 1 : 0);
        }
        VisualInput out;
        HostTensor values = views.padded(m_most);
        values.shape.insert(values.shape.begin(), 1);
        out.tensors["pixel_values"] = std::move(values);
        out.tensors["aspect_ratio_ids"] = integerTensor({1, count}, std::move(ids));
        out.tensors["aspect_ratio_mask"] = integerTensor({1, count, m_most}, std::move(mask));
        out.tensors["num_tiles"] = integerTensor({1, count}, std::move(numbers));
        out.images = std::move(views.images());
        return out;
    }

    std::string describe() const override {
        return fmt::format("{}: up to {} tiles of {} x {}", m_settings.className, m_most, m_settings.width,
                           m_settings.height);
    }

private:
    // The least enlargement, else the least shrinking; among equals the smallest canvas.
    std::size_t bestCanvas(const Pixels& picture) const {
        std::vector<double> scales;
        for (const Tiles& canvas : m_canvases) {
            const double tall = static_cast<double>(canvas.rows * m_settings.height) / picture.height;
            const double wide = static_cast<double>(canvas.columns * m_settings.height) / picture.width;
            scales.push_back(std::min(tall, wide));
        }
        double best = INFINITY;
        for (double scale : scales)
            if (scale >= 1) best = std::min(best, scale);
        if (!std::isfinite(best)) best = *std::max_element(scales.begin(), scales.end());
        std::size_t chosen = scales.size();
        for (std::size_t i = 0; i < scales.size(); ++i) {
            if (scales[i] != best) continue;
            const auto area = [this](std::size_t k) { return m_canvases[k].rows * m_canvases[k].columns; };
            if (chosen == scales.size() || area(i) < area(chosen)) chosen = i;
        }
        return chosen;
    }

    void addTiles(const Pixels& picture, const Tiles& canvas, ViewList& views) const {
        const int tile = m_settings.height;
        const double width = std::clamp(picture.width, tile, canvas.columns * tile);
        const double height = std::clamp(picture.height, tile, canvas.rows * tile);
        const double tall = height / picture.height;
        const double wide = width / picture.width;
        double newWidth = width;
        double newHeight = height;
        if (wide < tall) {
            newHeight = std::min(std::max(std::floor(picture.height * wide), 1.0), height);
        } else {
            newWidth = std::min(std::max(std::floor(picture.width * tall), 1.0), width);
        }
        const Canvas fitted = resized(canvasOf(picture), newWidth, newHeight, m_settings.resample);
        views.setGrid(canvas.rows, canvas.columns);
        for (int row = 0; row < canvas.rows; ++row)
            for (int column = 0; column < canvas.columns; ++column)
                views.add(cut(fitted, {column * tile, row * tile, tile, tile}), {row, column, false});
    }

    Settings m_settings;
    ImageProcessor m_pixels;
    int m_most;
    std::vector<Tiles> m_canvases;
};

// The model has embeddings for just so many tiles, so that both files must say the same.
int tilesOf(const VisualFiles& files, const ProcessorKeys& keys) {
    const int known = configNumber(files, "vision_config", "max_num_tiles", 4, 64);
    int most = known;
    keys.count("max_image_tiles", most, 64);
    const bool described = files.config.is_object() && files.config.contains("vision_config");
    if (described && most != known)
        throw Error(fmt::format("{}: max_image_tiles: expected {}, as vision_config.max_num_tiles of {} says, found {}",
                                files.imageFile, known, files.configFile, most),
                    "The two files belong to different models: fetch the folder again, or correct max_image_tiles.");
    return most;
}

}  // namespace

std::unique_ptr<VisualProcessor> makeMllama(const VisualFiles& files) {
    const int side = files.image.is_null() ? configNumber(files, "vision_config", "image_size", 224, kMaxProcessorSide) : 224;
    Settings settings = visualDefaults("MllamaImageProcessor", side, Resample::Bilinear, kHalf, kHalf);
    const ProcessorKeys keys(objectOf(files.image, files.imageFile), files.imageFile);
    checkClass(keys, "MllamaImageProcessor");
    readSize(keys, true, settings);
    readPixelSettings(keys, settings);
    bool pad = true;
    keys.flag("do_pad", pad);
    if (!pad) keys.fail("do_pad", "true for MllamaImageProcessor", *keys.find("do_pad"));
    if (!settings.doResize) keys.fail("do_resize", "true for MllamaImageProcessor", *keys.find("do_resize"));
    if (settings.rule != Settings::SizeRule::Exact || settings.height != settings.width)
        keys.fail("size", "{\"height\", \"width\"} with equal sides", *keys.find("size"));
    const int most = tilesOf(files, keys);
    LayoutRules layout;
    layout.imageSlot = tokenNamed(files, "image_token", "<|image|>");
    layout.patchSize = towerPatchSize(files, 14);
    return std::make_unique<MllamaProcessor>(settings, most, std::move(layout));
}

}  // namespace fovea
