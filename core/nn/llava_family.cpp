#include "nn/llava_family.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/upsample_bilinear2d.h>
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
                    (given == item.end() ? std::string("none") : shapeText(given->second.sizes().vec())),
                    "Save image_sizes as the model's processor returns it.");
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
                                    picture.height, picture.width),
                        "Save image_sizes as the model's processor returns it.");
        const auto [height, width] = bestResolution(picture.height, picture.width, m_pinpoints);
        picture.tileRows = (height + m_tile - 1) / m_tile;
        picture.tileColumns = (width + m_tile - 1) / m_tile;
        const std::int64_t views = viewsOf(picture.tileRows * picture.tileColumns, item, i);
        const bool stacked = pixels.dim() == 5;
        if (stacked ? i >= pixels.size(0) || views > pixels.size(1) : used + views > pixels.size(0))
            throw Error(fmt::format("pixel_values: expected {} views of picture {} ({} x {} pixels), found shape {}",
                                    views, i, picture.height, picture.width, shapeText(pixels.sizes().vec())),
                        "Write pixel_values and image_sizes with the same processor call.");
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
        throw Error("vision_feature_select_strategy: expected default for pictures in several views, found full",
                    "Correct vision_feature_select_strategy in config.json.");
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

at::Tensor AnyResolutionPictures::packed(const VlmPicture&, const std::vector<FeatureCell>& cells,
                                         const std::vector<at::Tensor>& features) const {
    return gathered(cells, features, m_newline);
}

namespace {

// The grid of all crops of a picture without its padding, and the smaller grid that it is interpolated to.
struct Shrunk {
    std::int64_t rows, columns;  ///< of all crops
    UnpaddedGrid shown;
    std::int64_t toRows, toColumns;  ///< 0 x 0: it stays

    Shrunk(const VlmPicture& picture, const GridSize& grid, std::int64_t most)
        : rows(grid.rows * picture.tileRows),
          columns(grid.columns * picture.tileColumns),
          shown(unpadded(rows, columns, picture.height, picture.width)) {
        const std::int64_t height = shown.rowEnd - shown.rowBegin, width = shown.columnEnd - shown.columnBegin;
        const double ratio = std::sqrt(static_cast<double>(height * width) / static_cast<double>(most * grid.cells()));
        // Python's floor division of floats.
        const auto divided = [&](std::int64_t n) { return static_cast<std::int64_t>(std::floor(static_cast<double>(n) / ratio)); };
        toRows = ratio > 1.1 ? divided(height) : 0;
        toColumns = ratio > 1.1 ? divided(width) : 0;
    }
};

std::int64_t halved(std::int64_t side) { return (side + 1) / 2; }

// As for a shrunk grid, a cell names the feature at the middle of its share.
std::vector<FeatureCell> filmCells(const VlmPicture& film, const VisionTower& tower) {
    const GridSize grid = tower.patchGrid(film.passes.front());
    if (tower.leadingFeatures() > 0 || grid.rows != grid.columns)
        throw Error("pixel_values_videos: expected square frames and a tower whose class token is left out",
                    "Give single frames with --image instead.");
    std::vector<FeatureCell> cells;
    const std::int64_t side = halved(grid.rows);
    for (int pass = 0; pass < static_cast<int>(film.passes.size()); ++pass)
        for (std::int64_t row = 0; row < side; ++row)
            for (std::int64_t column = 0; column < side; ++column) {
                const std::int64_t y = (2 * row + 1) * grid.rows / (2 * side), x = (2 * column + 1) * grid.columns / (2 * side);
                cells.push_back({pass, y, x, y * grid.columns + x, row, column});
            }
    cells.push_back({-1, -1, -1, 0, -1, -1});
    return cells;
}

}  // namespace

std::vector<InputTensor> OnevisionPictures::accepted() const {
    std::vector<InputTensor> inputs = AnyResolutionPictures::accepted();
    inputs.push_back({"batch_num_images", 1, Values::Integer});
    inputs.push_back({"pixel_values_videos", 5, Values::Floating});
    return inputs;
}

std::vector<VlmPicture> OnevisionPictures::pictures(const TensorItem& item, const VisionTower& tower) const {
    std::vector<VlmPicture> stills = AnyResolutionPictures::pictures(item, tower), films;
    const auto found = item.find("pixel_values_videos");
    if (found == item.end()) return stills;
    for (std::int64_t i = 0; i < found->second.size(0); ++i) {
        VlmPicture film;
        film.kind = VlmPicture::Kind::Video;
        for (std::int64_t frame = 0; frame < found->second.size(1); ++frame)
            film.passes.push_back({found->second[i].narrow(0, frame, 1), {}, {}});
        films.push_back(std::move(film));
    }
    return inOrderOfTokens(item.at("input_ids"), m_tokens, std::move(stills), std::move(films),
                           [&](const VlmPicture& picture) { return static_cast<std::int64_t>(cells(picture, tower).size()); });
}

std::int64_t OnevisionPictures::viewsOf(std::int64_t tiles, const TensorItem& item, std::int64_t index) const {
    const auto counts = item.find("batch_num_images");
    if (counts == item.end()) return 1 + tiles;
    std::int64_t before = 0;
    for (std::int64_t i = 0; i < counts->second.size(0); ++i) {
        const auto count = counts->second[i].item<std::int64_t>();
        if (index < before + count) return count == 1 ? 1 + tiles : 1;
        before += count;
    }
    return 1;
}

void OnevisionPictures::addPromptTensors(TensorItem& item, const VlmTokenIds&) const {
    if (const auto sizes = item.find("image_sizes"); sizes != item.end() && !item.count("batch_num_images"))
        item["batch_num_images"] = at::tensor({sizes->second.size(0)}, at::kLong);
}

std::vector<FeatureCell> OnevisionPictures::cells(const VlmPicture& picture, const VisionTower& tower) const {
    if (picture.kind == VlmPicture::Kind::Video) return filmCells(picture, tower);
    if (picture.passes.size() == 1) return AnyResolutionPictures::cells(picture, tower);
    const GridSize grid = tower.patchGrid(picture.passes[1]);
    const Shrunk shrunk(picture, grid, m_most);
    if (shrunk.toRows == 0) return AnyResolutionPictures::cells(picture, tower);
    // A cell stands for a share of the grid; its place names the feature at the middle of that share.
    std::vector<FeatureCell> cells = passCells(picture.passes.front(), 0, tower);
    const auto middle = [](std::int64_t i, std::int64_t begin, std::int64_t end, std::int64_t count) {
        return begin + (2 * i + 1) * (end - begin) / (2 * count);
    };
    for (std::int64_t i = 0; i < shrunk.toRows; ++i) {
        for (std::int64_t j = 0; j < shrunk.toColumns; ++j) {
            const std::int64_t row = middle(i, shrunk.shown.rowBegin, shrunk.shown.rowEnd, shrunk.toRows);
            const std::int64_t column = middle(j, shrunk.shown.columnBegin, shrunk.shown.columnEnd, shrunk.toColumns);
            const std::int64_t tile = (row / grid.rows) * picture.tileColumns + column / grid.columns;
            const std::int64_t inRow = row % grid.rows, inColumn = column % grid.columns;
            cells.push_back({static_cast<int>(1 + tile), inRow, inColumn, inRow * grid.columns + inColumn, i, j});
        }
        cells.push_back({-1, -1, -1, 0, -1, -1});
    }
    return cells;
}

at::Tensor OnevisionPictures::packedFilm(const std::vector<at::Tensor>& features) const {
    const std::int64_t hidden = features.front().size(1), frames = static_cast<std::int64_t>(features.size());
    const auto side = static_cast<std::int64_t>(std::sqrt(static_cast<double>(features.front().size(0))));
    at::Tensor all = at::stack(features, 0).reshape({frames, side, side, hidden}).permute({0, 3, 1, 2});
    all = at::upsample_bilinear2d(all.contiguous(), {halved(side), halved(side)}, false).permute({0, 2, 3, 1});
    return at::cat({all.reshape({-1, hidden}), m_newline.unsqueeze(0)}, 0);
}

at::Tensor OnevisionPictures::packed(const VlmPicture& picture, const std::vector<FeatureCell>& cells,
                                     const std::vector<at::Tensor>& features) const {
    if (picture.kind == VlmPicture::Kind::Video) return packedFilm(features);
    if (features.size() == 1) return AnyResolutionPictures::packed(picture, cells, features);
    const std::int64_t tiles = picture.tileRows * picture.tileColumns, hidden = features.front().size(1);
    const auto side = static_cast<std::int64_t>(std::sqrt(static_cast<double>(features[1].size(0))));
    const GridSize grid{side, side};
    const Shrunk shrunk(picture, grid, m_most);
    if (shrunk.toRows == 0) return AnyResolutionPictures::packed(picture, cells, features);
    if (static_cast<std::int64_t>(features.size()) < 1 + tiles)
        throw Error(fmt::format("the picture's tokens: expected {} views, found {}", 1 + tiles, features.size()), {},
                    ErrorCode::Internal);
    std::vector<at::Tensor> crops(features.begin() + 1, features.begin() + 1 + tiles);
    at::Tensor all = at::stack(crops, 0).reshape({picture.tileRows, picture.tileColumns, side, side, hidden});
    all = all.permute({4, 0, 2, 1, 3}).reshape({1, hidden, shrunk.rows, shrunk.columns});
    const UnpaddedGrid& shown = shrunk.shown;
    all = all.narrow(2, shown.rowBegin, shown.rowEnd - shown.rowBegin)
              .narrow(3, shown.columnBegin, shown.columnEnd - shown.columnBegin);
    all = at::upsample_bilinear2d(all.contiguous(), {shrunk.toRows, shrunk.toColumns}, false)[0].permute({1, 2, 0});
    const at::Tensor ends = m_newline.view({1, 1, hidden}).expand({shrunk.toRows, 1, hidden});
    return at::cat({features.front(), at::cat({all, ends}, 1).reshape({-1, hidden})}, 0);
}

}  // namespace fovea
