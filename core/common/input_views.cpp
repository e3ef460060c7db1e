#include "common/input_views.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "attention/forward.h"
#include "common/token_grid.h"
#include "fovea/error.h"
#include "fovea/seen_pictures.h"

namespace fovea {
namespace {

constexpr int kColours = 3;

// Shape without the batch axis, as a run gives it; empty where there is no tensor with a gradient.
std::vector<std::int64_t> mainShape(const AnalysisContext& context) {
    const auto* tensors = dynamic_cast<const TensorInput*>(&context.input());
    if (!tensors) return {};
    const auto& item = tensors->items.at(static_cast<std::size_t>(context.item()));
    const auto found = item.find(tensors->mainTensor);
    if (found == item.end() || !found->second.is_floating_point()) return {};
    std::vector<std::int64_t> shape = found->second.sizes().vec();
    if (!shape.empty() && shape.front() == 1) shape.erase(shape.begin());
    return shape;
}

const std::vector<VisionImage>& picturesSeen(const AnalysisContext& context) {
    static const std::vector<VisionImage> none;
    const auto* seen = dynamic_cast<const SeenPictures*>(&context.input());
    return seen ? seen->pictures : none;
}

bool gridKnown(const AnalysisContext& context) {
    const std::vector<StageTokens>& stages = context.tokens().stages;
    return std::any_of(stages.begin(), stages.end(), [](const StageTokens& stage) { return stage.gridRows > 0; });
}

[[noreturn]] void refuseInput(const std::string& what, const std::string& instead) {
    throw Error(what, "choose relevance, whose values are of tokens, or " + instead, ErrorCode::Usage);
}

// How patches lie in Qwen's tensor: blocks of merge x merge of them row by row, each channel, copy, row, column.
struct PatchLayout {
    int side = 0, merge = 1;
    int copies = 1;  // of every pixel

    std::int64_t at(int channel, int copy, int y, int x) const {
        return ((static_cast<std::int64_t>(channel) * copies + copy) * side + y) * side + x;
    }
};

PatchLayout patchOrderOf(const AnalysisContext& context, std::int64_t rows, std::int64_t values) {
    const std::vector<VisionImage>& pictures = picturesSeen(context);
    PatchLayout order;
    std::int64_t patches = 0;
    for (const VisionImage& picture : pictures) {
        patches += picture.gridThw[0] * picture.gridThw[1] * picture.gridThw[2];
        const int columns = static_cast<int>(picture.gridThw[2]), height = static_cast<int>(picture.gridThw[1]);
        const Pixels& seen = picture.tiles.front().seen;
        const int side = columns > 0 && height > 0 ? seen.width / columns : 0;
        if (side <= 0 || side * columns != seen.width || side * height != seen.height || (order.side > 0 && side != order.side))
            refuseInput("pixel_values: their patches do not tile the picture", "another picture");
        order.side = side;
    }
    const std::int64_t pixel = std::int64_t{kColours} * order.side * order.side;
    if (patches != rows || values % pixel != 0 || values < pixel)
        refuseInput(fmt::format("pixel_values: expected {} patches of a multiple of {} values, found {} of {}", patches, pixel, rows, values),
               "another picture");
    order.copies = static_cast<int>(values / pixel);
    // Each token of the text stands for a block of patches.
    std::int64_t tokens = 0;
    for (const StageTokens& stage : context.tokens().stages)
        if (stage.stage == "text") tokens = static_cast<std::int64_t>(stage.imageTokens().size());
    order.merge = tokens > 0 ? static_cast<int>(std::lround(std::sqrt(static_cast<double>(patches) / static_cast<double>(tokens)))) : 1;
    for (const VisionImage& picture : pictures)
        if (picture.gridThw[1] % order.merge != 0 || picture.gridThw[2] % order.merge != 0)
            refuseInput("pixel_values: their patches do not lie in whole blocks", "another picture");
    return order;
}

// A pixel's value in a patch, over all the frames that the patch holds it of.
float sumOfCopies(const Array& tensor, const PatchLayout& order, std::int64_t patch, int colour, int y, int x) {
    double sum = 0;
    for (int copy = 0; copy < order.copies; ++copy) sum += static_cast<double>(tensor.at(patch, order.at(colour, copy, y, x)));
    return static_cast<float>(sum);
}

// Pixels of a view that show the original, and where.
void describeShown(const VisionTile& tile, InputView& view) {
    const double width = tile.seen.width, height = tile.seen.height;
    const Rect read = originalRect(tile, {0, 0, width, height});
    if (read.empty()) return;
    const Rect inside = tile.transform.toInput(read);
    const auto edge = [](double value, int limit) { return std::clamp(static_cast<int>(std::lround(value)), 0, limit); };
    view.left = edge(inside.x, tile.seen.width);
    view.top = edge(inside.y, tile.seen.height);
    view.right = edge(inside.x + inside.width, tile.seen.width);
    view.bottom = edge(inside.y + inside.height, tile.seen.height);
    view.area = originalRect(tile, {static_cast<double>(view.left), static_cast<double>(view.top),
                                    static_cast<double>(view.right - view.left), static_cast<double>(view.bottom - view.top)});
}

std::vector<InputView> patchViews(const AnalysisContext& context, const Array& tensor) {
    const PatchLayout order = patchOrderOf(context, tensor.size(0), tensor.size(1));
    const std::vector<VisionImage>& pictures = picturesSeen(context);
    std::vector<InputView> views;
    std::int64_t patch = 0;
    for (std::size_t i = 0; i < pictures.size(); ++i) {
        const VisionTile& tile = pictures[i].tiles.front();
        const int across = static_cast<int>(pictures[i].gridThw[2]) / order.merge, inBlock = order.merge * order.merge;
        InputView view;
        view.values = Array({kColours, tile.seen.height, tile.seen.width}, 0);
        view.image = static_cast<int>(i);
        describeShown(tile, view);
        const auto count = static_cast<int>(pictures[i].gridThw[1] * pictures[i].gridThw[2]);
        for (int p = 0; p < count; ++p, ++patch) {
            const int block = p / inBlock, inside = p % inBlock;
            const int top = (block / across * order.merge + inside / order.merge) * order.side;
            const int left = (block % across * order.merge + inside % order.merge) * order.side;
            for (int c = 0; c < kColours; ++c)
                for (int y = 0; y < order.side; ++y)
                    for (int x = 0; x < order.side; ++x) {
                        view.values.at(c, top + y, left + x) = sumOfCopies(tensor, order, patch, c, y, x);
                    }
        }
        views.push_back(std::move(view));
    }
    return views;
}

// Place of every tile of every picture among the views of a tensor; padding views follow a picture's tiles.
std::vector<std::vector<std::int64_t>> viewPlaces(const std::vector<VisionImage>& pictures, const std::vector<std::int64_t>& shape) {
    std::int64_t views = 1, tiles = 0, most = 0;
    for (std::size_t i = 0; i + 3 < shape.size(); ++i) views *= shape[i];
    for (const VisionImage& picture : pictures) {
        tiles += static_cast<std::int64_t>(picture.tiles.size());
        most = std::max(most, static_cast<std::int64_t>(picture.tiles.size()));
    }
    const auto count = static_cast<std::int64_t>(pictures.size());
    const std::int64_t height = shape[shape.size() - 2], width = shape.back();
    const bool sized = std::all_of(pictures.begin(), pictures.end(), [&](const VisionImage& picture) {
        return std::all_of(picture.tiles.begin(), picture.tiles.end(),
                           [&](const VisionTile& tile) { return tile.seen.width == width && tile.seen.height == height; });
    });
    const bool padded = views != tiles && views % count == 0 && views / count >= most;
    if (shape[shape.size() - 3] != kColours || !sized || (views != tiles && !padded))
        refuseInput(fmt::format("pixel_values: {} views of {} x {} pixels are not the {} tiles of the pictures", views, width, height, tiles),
               "another picture");
    std::vector<std::vector<std::int64_t>> places;
    std::int64_t next = 0;
    for (std::size_t i = 0; i < pictures.size(); ++i) {
        if (padded) next = static_cast<std::int64_t>(i) * (views / count);
        places.emplace_back();
        for (std::size_t t = 0; t < pictures[i].tiles.size(); ++t) places.back().push_back(next++);
    }
    return places;
}

InputView tileView(const Array& tensor, std::int64_t place, const VisionTile& tile, int image) {
    const std::int64_t height = tensor.shape[tensor.shape.size() - 2], width = tensor.shape.back();
    const std::int64_t size = kColours * height * width;
    InputView view;
    view.values = Array({kColours, height, width}, 0);
    std::copy_n(tensor.values.begin() + static_cast<std::ptrdiff_t>(place * size), size, view.values.values.begin());
    view.image = image;
    describeShown(tile, view);
    return view;
}

// Whether crops are parts of one evenly scaled picture, `step` pixels apart.
bool tilesEvenly(const std::vector<InputView>& crops, const std::vector<const VisionTile*>& tiles, int width, int height) {
    constexpr double close = 1e-3;  // of a pixel of the original
    const InputView& first = crops.front();
    const double sx = first.area.width / (first.right - first.left), sy = first.area.height / (first.bottom - first.top);
    const auto x0 = first.area.x - (tiles.front()->column * width + first.left) * sx;
    const auto y0 = first.area.y - (tiles.front()->row * height + first.top) * sy;
    for (std::size_t i = 0; i < crops.size(); ++i) {
        const InputView& crop = crops[i];
        const double x = x0 + (tiles[i]->column * width + crop.left) * sx, y = y0 + (tiles[i]->row * height + crop.top) * sy;
        if (std::abs(crop.area.x - x) > close || std::abs(crop.area.y - y) > close ||
            std::abs(crop.area.width - (crop.right - crop.left) * sx) > close ||
            std::abs(crop.area.height - (crop.bottom - crop.top) * sy) > close)
            return false;
    }
    return true;
}

InputView joinedCrops(const std::vector<InputView>& crops, const std::vector<const VisionTile*>& tiles, const VisionImage& picture) {
    const auto height = static_cast<int>(crops.front().values.size(1)), width = static_cast<int>(crops.front().values.size(2));
    InputView out;
    out.values = Array({kColours, std::int64_t{picture.tileRows} * height, std::int64_t{picture.tileColumns} * width}, 0);
    out.image = crops.front().image;
    out.left = picture.tileColumns * width;
    out.top = picture.tileRows * height;
    for (std::size_t i = 0; i < crops.size(); ++i) {
        const int x0 = tiles[i]->column * width, y0 = tiles[i]->row * height;
        for (int c = 0; c < kColours; ++c)
            for (int y = 0; y < height; ++y)
                for (int x = 0; x < width; ++x) out.values.at(c, y0 + y, x0 + x) = crops[i].values.at(c, y, x);
        out.left = std::min(out.left, x0 + crops[i].left);
        out.top = std::min(out.top, y0 + crops[i].top);
        out.right = std::max(out.right, x0 + crops[i].right);
        out.bottom = std::max(out.bottom, y0 + crops[i].bottom);
        out.area = united(out.area, crops[i].area);
    }
    return out;
}

bool showsOriginal(const InputView& view) { return view.right > view.left && view.bottom > view.top && !view.area.empty(); }

void addViews(const VisionImage& picture, const std::vector<InputView>& all, std::vector<InputView>& views) {
    std::vector<InputView> crops, wholes;
    std::vector<const VisionTile*> tiles;
    for (std::size_t t = 0; t < all.size(); ++t) {
        const VisionTile& tile = picture.tiles[t];
        if (!showsOriginal(all[t])) continue;  // padding alone
        const bool inGrid = tile.row >= 0 && tile.row < picture.tileRows && tile.column >= 0 && tile.column < picture.tileColumns;
        if (tile.overview || !inGrid) {
            wholes.push_back(all[t]);
            continue;
        }
        crops.push_back(all[t]);
        tiles.push_back(&tile);
    }
    const bool both = !crops.empty() && !wholes.empty();
    if (!crops.empty() && tilesEvenly(crops, tiles, static_cast<int>(crops.front().values.size(2)),
                                      static_cast<int>(crops.front().values.size(1)))) {
        views.push_back(joinedCrops(crops, tiles, picture));
        if (both) views.back().name = "crops";
    } else {
        for (std::size_t i = 0; i < crops.size(); ++i) {
            crops[i].name = fmt::format("crop {},{}", tiles[i]->row, tiles[i]->column);
            views.push_back(std::move(crops[i]));
        }
    }
    for (InputView& whole : wholes) {
        if (both) whole.name = "whole picture";
        views.push_back(std::move(whole));
    }
}

std::vector<InputView> tileViews(const AnalysisContext& context, const Array& tensor) {
    const std::vector<VisionImage>& pictures = picturesSeen(context);
    const auto places = viewPlaces(pictures, tensor.shape);
    std::vector<InputView> views;
    for (std::size_t i = 0; i < pictures.size(); ++i) {
        std::vector<InputView> all;
        for (std::size_t t = 0; t < places[i].size(); ++t)
            all.push_back(tileView(tensor, places[i][t], pictures[i].tiles[t], static_cast<int>(i)));
        addViews(pictures[i], all, views);
    }
    return views;
}

}  // namespace

bool channelsFirst(const AnalysisContext& context) {
    const std::vector<VisionImage>& pictures = picturesSeen(context);
    return !pictures.empty() && pictures.front().gridThw[0] > 0;
}

bool holdsViews(const AnalysisContext& context) {
    const std::vector<std::int64_t> shape = mainShape(context);
    if (shape.empty() || (shape.size() == 3 && gridKnown(context))) return false;
    const std::vector<VisionImage>& pictures = picturesSeen(context);
    const bool patches = shape.size() == 2;
    if (patches && pictures.empty() && gridKnown(context)) return false;  // NaFlex
    if (pictures.empty())
        refuseInput("which pictures the input tensor holds is not known where it is given as a tensor", "give the picture itself with --image");
    if (std::any_of(pictures.begin(), pictures.end(), [&](const VisionImage& picture) {
            return picture.frames > 1 || picture.tiles.empty() || (patches && (picture.tiles.size() != 1 || picture.gridThw[0] != 1));
        }))
        refuseInput("gradients are not put back onto the frames of a film", "give single frames with --image");
    if (patches)
        patchOrderOf(context, shape[0], shape[1]);
    else if (shape.size() >= 3)
        viewPlaces(pictures, shape);
    else
        refuseInput("the input tensor holds no picture", "give one with --image");
    return true;
}

std::vector<InputView> inputViews(const AnalysisContext& context, const Array& tensor) {
    return tensor.shape.size() == 2 ? patchViews(context, tensor) : tileViews(context, tensor);
}

Array foldedCopies(const AnalysisContext& context, const Array& tensor) {
    if (tensor.shape.size() != 2 || !channelsFirst(context)) return tensor;
    const PatchLayout order = patchOrderOf(context, tensor.size(0), tensor.size(1));
    PatchLayout single = order;
    single.copies = 1;
    Array out({tensor.size(0), std::int64_t{kColours} * order.side * order.side}, 0);
    for (std::int64_t patch = 0; patch < tensor.size(0); ++patch)
        for (int c = 0; c < kColours; ++c)
            for (int y = 0; y < order.side; ++y)
                for (int x = 0; x < order.side; ++x) {
                    out.at(patch, single.at(c, 0, y, x)) = sumOfCopies(tensor, order, patch, c, y, x);
                }
    return out;
}

}  // namespace fovea
