#include "nn/vlm_tokens.h"

#include <algorithm>
#include <numeric>

#include "fovea/error.h"

namespace fovea {
namespace {

PixelTransform wholePicture(std::int64_t height, std::int64_t width) {
    PixelTransform transform;
    transform.originalWidth = transform.resizedWidth = transform.inputWidth = transform.shownWidth =
        static_cast<int>(width);
    transform.originalHeight = transform.resizedHeight = transform.inputHeight = transform.shownHeight =
        static_cast<int>(height);
    return transform;
}

std::int64_t framesOf(const TowerInput& input) { return std::max<std::int64_t>(1, input.gridThw[0]); }

[[noreturn]] void failPictures() {
    throw Error("the pictures: the processor's views are not those that the model makes of its tensors",
                "The folder's processor files and its config.json disagree: fetch the folder again.");
}

int imageOf(const PictureView& view, std::int64_t frame) {
    if (frame < 0 || frame >= static_cast<std::int64_t>(view.images.size())) failPictures();
    return view.images[static_cast<std::size_t>(frame)];
}

}  // namespace

PictureViews viewsOfTensors(const VlmPicture& picture, const VisionTower& tower, std::vector<ImageGeometry>& images) {
    PictureViews views;
    const GridSize patch = tower.patchSize();
    for (const TowerInput& pass : picture.passes) {
        const GridSize grid = tower.patchGrid(pass);
        const bool patches = pass.gridThw[0] > 0;
        const std::int64_t height = patches ? grid.rows * patch.rows : pass.pixels.size(2);
        const std::int64_t width = patches ? grid.columns * patch.columns : pass.pixels.size(3);
        PictureView view;
        view.transform = wholePicture(height, width);
        for (std::int64_t frame = 0; frame < framesOf(pass); ++frame) {
            view.images.push_back(static_cast<int>(images.size()));
            images.push_back({static_cast<int>(width), static_cast<int>(height),
                              static_cast<int>(grid.rows / tower.merge()),
                              static_cast<int>(grid.columns / tower.merge()),
                              {}});
        }
        views.push_back(std::move(view));
    }
    return views;
}

PictureViews viewsOfImage(const VisionImage& image, const VlmPicture& picture, int first) {
    PictureViews views;
    const bool film = picture.kind == VlmPicture::Kind::Video;
    if (image.tiles.empty()) failPictures();
    for (std::size_t i = 0; i < picture.passes.size(); ++i) {
        const VisionTile& tile = image.tiles[std::min(i, image.tiles.size() - 1)];
        PictureView view;
        view.images.resize(static_cast<std::size_t>(framesOf(picture.passes[i])));
        std::iota(view.images.begin(), view.images.end(), first + (film ? static_cast<int>(i) : 0));
        view.transform = tile.transform;
        views.push_back(std::move(view));
    }
    return views;
}

ImageGeometry geometryOf(const VisionImage& image, const std::vector<FeatureCell>& cells, const VlmPicture& picture,
                         const VisionTower& tower) {
    ImageGeometry geometry;
    geometry.width = image.width;
    geometry.height = image.height;
    const bool film = picture.kind == VlmPicture::Kind::Video;
    const GridSize grid = tower.patchGrid(picture.passes.back());
    geometry.gridRows = static_cast<int>(grid.rows / tower.merge()) * std::max(1, image.tileRows);
    geometry.gridColumns = static_cast<int>(grid.columns / tower.merge()) * std::max(1, image.tileColumns);
    if (film) {  // frames may be pooled
        geometry.gridRows = geometry.gridColumns = 0;
        for (const FeatureCell& cell : cells) {
            geometry.gridRows = std::max(geometry.gridRows, static_cast<int>(cell.gridRow) + 1);
            geometry.gridColumns = std::max(geometry.gridColumns, static_cast<int>(cell.gridColumn) + 1);
        }
    }
    if (image.tiles.size() == 1 || film) geometry.unread = image.tiles.front().transform.unread();
    return geometry;
}

std::vector<VlmPicture> grouped(std::vector<VlmPicture> pictures, const std::vector<std::size_t>& counts) {
    const bool same = std::equal(pictures.begin(), pictures.end(), counts.begin(), counts.end(),
                                 [](const VlmPicture& picture, std::size_t count) { return picture.passes.size() == count; });
    if (same) return pictures;
    bool fits = true;
    std::vector<TowerInput> passes;
    for (VlmPicture& picture : pictures) {
        fits = fits && picture.tileRows == 0 && picture.kind == VlmPicture::Kind::Image;
        for (TowerInput& pass : picture.passes) passes.push_back(std::move(pass));
    }
    std::vector<VlmPicture> result;
    std::size_t next = 0;
    for (const std::size_t count : counts) {
        fits = fits && count > 0 && count <= passes.size() - next;
        VlmPicture picture;
        for (std::size_t i = 0; fits && i < count; ++i) picture.passes.push_back(std::move(passes[next++]));
        result.push_back(std::move(picture));
    }
    if (!fits || next != passes.size()) failPictures();
    return result;
}

std::vector<VlmPicture> regrouped(std::vector<VlmPicture> pictures, const std::vector<VisionImage>& images) {
    std::vector<std::size_t> counts;
    // All frames of a film are one pass where they are patches.
    for (const VisionImage& image : images) counts.push_back(image.gridThw[0] > 0 ? 1 : image.tiles.size());
    return grouped(std::move(pictures), counts);
}

StageTokens passTokens(const TowerInput& input, const VisionTower& tower, const PictureView& view) {
    StageTokens stage = tower.stageTokens(input);
    const auto height = static_cast<double>(tower.patchSize().rows), width = static_cast<double>(tower.patchSize().columns);
    for (Token& token : stage.tokens) {
        if (token.image < 0) continue;
        token.image = imageOf(view, token.image);
        token.rect = view.transform.toOriginal({token.column * width, token.row * height, width, height});
    }
    return stage;
}

TokenMap passMap(const TowerInput& input, const VisionTower& tower, const PictureView& view,
                 const std::vector<ImageGeometry>& images) {
    TokenMap map;
    PictureView own = view;
    const GridSize grid = tower.patchGrid(input);
    for (std::size_t frame = 0; frame < own.images.size(); ++frame) {
        if (own.images[frame] < 0 || own.images[frame] >= static_cast<int>(images.size())) failPictures();
        ImageGeometry image = images[static_cast<std::size_t>(own.images[frame])];
        image.gridRows = static_cast<int>(grid.rows);
        image.gridColumns = static_cast<int>(grid.columns);
        own.images[frame] = static_cast<int>(frame);
        map.images.push_back(std::move(image));
    }
    map.stages.push_back(passTokens(input, tower, own));
    return map;
}

void describeCell(Token& token, const FeatureCell& cell, const VlmPicture& picture, const PictureViews& views,
                  const VisionTower& tower) {
    token.text.clear();
    if (cell.pass < 0) {
        token.kind = TokenKind::Separator;
        token.text = "\n";
        return;
    }
    const auto pass = static_cast<std::size_t>(cell.pass);
    if (pass >= picture.passes.size() || pass >= views.size()) failPictures();
    const TowerInput& input = picture.passes[pass];
    const PictureView& view = views[pass];
    if (cell.row < 0) {
        token.kind = TokenKind::Special;
        token.text = "[CLS]";
        token.image = imageOf(view, 0);
        return;
    }
    const GridSize grid = tower.patchGrid(input);
    const std::int64_t side = tower.merge(), frame = (cell.index - tower.leadingFeatures()) * side * side / grid.cells();
    const auto height = static_cast<double>(tower.patchSize().rows * side);
    const auto width = static_cast<double>(tower.patchSize().columns * side);
    token.rect = view.transform.toOriginal(
        {static_cast<double>(cell.column) * width, static_cast<double>(cell.row) * height, width, height});
    if (token.rect.width <= 0 || token.rect.height <= 0) {
        token.kind = TokenKind::Padding;
        token.rect = {};
        return;
    }
    token.kind = TokenKind::Image;
    token.image = imageOf(view, frame);
    token.row = static_cast<int>(cell.gridRow);
    token.column = static_cast<int>(cell.gridColumn);
}

}  // namespace fovea
