// InternVL (GotOcr2ImageProcessor): the picture stretched over the grid of crops nearest to its shape, then
// the whole picture. The processor around it always asks for crops.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "io/visual/canvas.h"
#include "io/visual/families.h"
#include "io/visual/video_views.h"

namespace fovea {
namespace {

using Settings = ImageProcessor::Settings;

constexpr int kMaxPatches = 256;

struct Grid {
    int columns = 1;
    int rows = 1;
};

std::vector<Grid> gridsOf(int least, int most) {
    std::vector<Grid> grids;
    for (int columns = 1; columns <= most; ++columns)
        for (int rows = 1; rows <= most / columns; ++rows)
            if (columns * rows >= least) grids.push_back({columns, rows});
    std::stable_sort(grids.begin(), grids.end(),
                     [](const Grid& a, const Grid& b) { return a.columns * a.rows < b.columns * b.rows; });
    return grids;
}

class InternVlProcessor final : public VisualProcessor {
public:
    InternVlProcessor(Settings image, ImageProcessor frames, Grid limits, LayoutRules layout)
        : m_settings(std::move(image)),
          m_pixels(withoutResize(m_settings)),
          m_frames(std::move(frames)),
          m_most(limits.rows),
          m_grids(gridsOf(limits.columns, limits.rows)) {
        m_layout = std::move(layout);
        m_black = blackOf(m_settings);
    }

    VisualInput process(std::span<const Pixels> images) const override {
        checkSomeImages(images);
        ViewList views(m_pixels);
        std::vector<std::int64_t> counts;
        for (const Pixels& picture : images) {
            views.begin(picture);
            addPicture(picture, views);
            counts.push_back(static_cast<std::int64_t>(views.images().back().tiles.size()));
        }
        VisualInput out;
        out.images = std::move(views.images());
        out.tensors["num_patches"] =
            integerTensor({static_cast<std::int64_t>(images.size())}, std::move(counts));
        out.tensors["pixel_values"] = std::move(views).tensor();
        return out;
    }

    VisualInput processVideo(std::span<const Pixels> frames, const VideoTiming& timing) const override {
        FrameViews made = frameViews(m_frames, frames, timing);
        VisualInput out;
        out.tensors["pixel_values"] = std::move(made.values);
        out.videos.push_back(std::move(made.video));
        return out;
    }

    std::string describe() const override {
        return fmt::format("{}: up to {} crops of {} x {}", m_settings.className, m_most, m_settings.width,
                           m_settings.height);
    }

private:
    void addPicture(const Pixels& picture, ViewList& views) const {
        const Canvas whole = canvasOf(picture);
        const auto& s = m_settings;
        if (m_most <= 1) {
            views.add(s.doResize ? resized(whole, s.width, s.height, s.resample) : whole);
            return;
        }
        const Grid grid = bestGrid(picture);
        const Canvas stretched =
            resized(whole, double{1} * s.width * grid.columns, double{1} * s.height * grid.rows, s.resample);
        const bool many = grid.columns * grid.rows > 1;
        if (many) views.setGrid(grid.rows, grid.columns);
        for (int row = 0; row < grid.rows; ++row)
            for (int column = 0; column < grid.columns; ++column)
                views.add(cut(stretched, {column * s.width, row * s.height, s.width, s.height}),
                          {row, column, false});
        if (many) views.add(resized(whole, s.width, s.height, s.resample), {0, 0, true});
    }

    Grid bestGrid(const Pixels& picture) const {
        const double ratio = static_cast<double>(picture.width) / picture.height;
        const double area = static_cast<double>(picture.width) * picture.height;
        double least = INFINITY;
        Grid best;
        for (const Grid& grid : m_grids) {
            const double difference = std::abs(ratio - static_cast<double>(grid.columns) / grid.rows);
            const double half = 0.5 * m_settings.height * m_settings.width * grid.columns * grid.rows;
            if (difference < least) {
                least = difference;
                best = grid;
            } else if (difference == least && area > half) {
                best = grid;
            }
        }
        return best;
    }

    Settings m_settings;
    ImageProcessor m_pixels;
    ImageProcessor m_frames;
    int m_most;
    std::vector<Grid> m_grids;
};

}  // namespace

std::unique_ptr<VisualProcessor> makeInternVl(const VisualFiles& files) {
    Settings settings =
        visualDefaults("GotOcr2ImageProcessor", 384, Resample::Bicubic, kClipMean, kClipDeviation);
    Settings frames = settings;
    frames.className = "InternVLVideoProcessor";
    const ProcessorKeys keys(objectOf(files.image, files.imageFile), files.imageFile);
    checkClass(keys, "GotOcr2ImageProcessor");
    readSize(keys, true, settings);
    readPixelSettings(keys, settings);
    if (settings.rule != Settings::SizeRule::Exact)
        keys.fail("size", "{\"height\", \"width\"}", *keys.find("size"));
    Grid limits{1, 12};
    keys.count("min_patches", limits.columns, kMaxPatches);
    keys.count("max_patches", limits.rows, kMaxPatches);

    LayoutRules layout;
    layout.scheme = LayoutRules::Scheme::InternVl;
    layout.imageSlot = layout.imageToken = tokenNamed(files, "context_image_token", "<IMG_CONTEXT>");
    layout.videoSlot = tokenNamed(files, "video_token", "<video>");
    layout.videoToken = layout.imageToken;
    layout.begin = tokenNamed(files, "start_image_token", "<img>");
    layout.end = tokenNamed(files, "end_image_token", "</img>");
    layout.patchSize = towerPatchSize(files, 14);
    layout.tokensPerTile =
        processorNumber(files, "image_seq_length", configNumber(files, "", "image_seq_length", 256));
    return std::make_unique<InternVlProcessor>(settings, ImageProcessor(readVideo(files, frames)), limits,
                                               std::move(layout));
}

}  // namespace fovea
