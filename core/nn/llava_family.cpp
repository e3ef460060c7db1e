#include "nn/llava_family.h"

#include <fmt/format.h>

#include <cmath>

#include "fovea/error.h"
#include "io/tensor_info.h"

namespace fovea {
namespace {

using Values = InputTensor::Values;
using Sizes = std::vector<std::pair<std::int64_t, std::int64_t>>;

}  // namespace

std::vector<InputTensor> PlainPictures::accepted() const {
    return {{"pixel_values", 4, Values::Floating}, {"position_ids", 2, Values::Integer}};
}

std::vector<VlmPicture> PlainPictures::pictures(const TensorItem& item, const VisionTower&) const {
    const auto pixels = item.find("pixel_values");
    return pixels == item.end() ? std::vector<VlmPicture>{} : picturesOf(pixels->second);
}

std::pair<std::int64_t, std::int64_t> bestResolution(std::int64_t height, std::int64_t width, const Sizes& possible) {
    std::pair<std::int64_t, std::int64_t> best = possible.front();
    std::int64_t most = 0, wasted = 0;
    for (const auto& [rows, columns] : possible) {
        const double scale = std::min(static_cast<double>(columns) / static_cast<double>(width),
                                      static_cast<double>(rows) / static_cast<double>(height));
        const auto shownWidth = static_cast<std::int64_t>(static_cast<double>(width) * scale);
        const auto shownHeight = static_cast<std::int64_t>(static_cast<double>(height) * scale);
        const std::int64_t shown = std::min(shownWidth * shownHeight, width * height);
        const std::int64_t waste = rows * columns - shown;
        if (shown > most || (shown == most && most > 0 && waste < wasted)) {
            most = shown;
            wasted = waste;
            best = {rows, columns};
        }
    }
    return best;
}

UnpaddedGrid unpadded(std::int64_t rows, std::int64_t columns, std::int64_t height, std::int64_t width) {
    const auto h = static_cast<double>(height), w = static_cast<double>(width);
    const auto r = static_cast<double>(rows), c = static_cast<double>(columns);
    // Rounded to seven places before it is cut off, as the reference does.
    const auto cut = [](double value) { return static_cast<std::int64_t>(std::nearbyint(value * 1e7) / 1e7); };
    if (w / h > c / r) {
        const std::int64_t padding = (rows - cut(h * (c / w))) / 2;
        return {padding, rows - padding, 0, columns};
    }
    const std::int64_t padding = (columns - cut(w * (r / h))) / 2;
    return {0, rows, padding, columns - padding};
}

Sizes readPinpoints(const ConfigView& config, const Sizes& fallback) {
    constexpr const char* key = "image_grid_pinpoints";
    if (!config.has(key)) return fallback;
    const nlohmann::json& given = config.json().at(key);
    Sizes sizes;
    if (given.is_array() && given.size() <= 4096)
        for (const auto& pair : given)
            if (pair.is_array() && pair.size() == 2 && pair[0].is_number_integer() && pair[1].is_number_integer())
                sizes.emplace_back(pair[0].get<std::int64_t>(), pair[1].get<std::int64_t>());
    bool fits = !sizes.empty() && sizes.size() == given.size();
    for (const auto& [height, width] : sizes) fits = fits && height > 0 && width > 0 && height <= 1 << 16 && width <= 1 << 16;
    if (!fits) config.fail(key, "pairs of height and width up to 65536", given.dump().substr(0, 60));
    return sizes;
}

std::vector<InputTensor> AnyResolutionPictures::accepted() const {
    return {{"pixel_values", 5, Values::Floating, 4},
            {"image_sizes", 2, Values::Integer},
            {"position_ids", 2, Values::Integer}};
}

void AnyResolutionPictures::visit(WeightVisitor& weights) { weights.tensor(m_newline, m_newlineName, {m_hidden}); }

std::vector<VlmPicture> AnyResolutionPictures::pictures(const TensorItem& item, const VisionTower&) const {
    const auto found = item.find("pixel_values");
    if (found == item.end()) return {};
    const auto given = item.find("image_sizes");
    if (given == item.end() || given->second.size(1) != 2)
        throw Error("image_sizes: expected height and width of every picture beside pixel_values, found " +
                    (given == item.end() ? std::string("none") : shapeText(given->second.sizes().vec())));
    const at::Tensor& pixels = found->second;
    const at::Tensor sizes = given->second.to(at::kCPU, at::kLong).contiguous();
    std::vector<VlmPicture> pictures;
    std::int64_t used = 0;
    for (std::int64_t i = 0; i < sizes.size(0); ++i) {
        VlmPicture picture;
        picture.height = sizes[i][0].item<std::int64_t>();
        picture.width = sizes[i][1].item<std::int64_t>();
        if (picture.height < 1 || picture.width < 1 || picture.height > 1 << 20 || picture.width > 1 << 20)
            throw Error(fmt::format("image_sizes: expected sides from 1 to {}, found {} x {}", 1 << 20,
                                    picture.height, picture.width));
        const auto [height, width] = bestResolution(picture.height, picture.width, m_pinpoints);
        picture.tileRows = (height + m_tile - 1) / m_tile;
        picture.tileColumns = (width + m_tile - 1) / m_tile;
        const std::int64_t views = 1 + picture.tileRows * picture.tileColumns;
        const bool stacked = pixels.dim() == 5;
        if (stacked ? i >= pixels.size(0) || views > pixels.size(1) : used + views > pixels.size(0))
            throw Error(fmt::format("pixel_values: expected {} views of picture {} ({} x {} pixels), found shape {}",
                                    views, i, picture.height, picture.width, shapeText(pixels.sizes().vec())));
        for (std::int64_t view = 0; view < views; ++view)
            picture.passes.push_back(
                {stacked ? pixels[i].narrow(0, view, 1) : pixels.narrow(0, used + view, 1), {}, {}});
        used += views;
        pictures.push_back(std::move(picture));
    }
    return pictures;
}

std::vector<FeatureCell> AnyResolutionPictures::cells(const VlmPicture& picture, const VisionTower& tower) const {
    std::vector<FeatureCell> cells = passCells(picture.passes.front(), 0, tower);
    const FeatureCell newline{-1, -1, -1, 0, -1, -1};
    if (picture.passes.size() == 1) {
        cells.push_back(newline);
        return cells;
    }
    if (tower.leadingFeatures() > 0)
        throw Error("vision_feature_select_strategy: expected default for pictures in several views, found full");
    const GridSize grid = tower.patchGrid(picture.passes[1]);
    const std::int64_t rows = grid.rows * picture.tileRows, columns = grid.columns * picture.tileColumns;
    const UnpaddedGrid shown = unpadded(rows, columns, picture.height, picture.width);
    for (std::int64_t row = shown.rowBegin; row < shown.rowEnd; ++row) {
        for (std::int64_t column = shown.columnBegin; column < shown.columnEnd; ++column) {
            const std::int64_t tile = (row / grid.rows) * picture.tileColumns + column / grid.columns;
            const std::int64_t inRow = row % grid.rows, inColumn = column % grid.columns;
            cells.push_back({static_cast<int>(1 + tile), inRow, inColumn, inRow * grid.columns + inColumn, row, column});
        }
        cells.push_back(newline);
    }
    return cells;
}

at::Tensor AnyResolutionPictures::packed(const std::vector<FeatureCell>& cells,
                                         const std::vector<at::Tensor>& features) const {
    return gathered(cells, features, m_newline);
}

}  // namespace fovea
