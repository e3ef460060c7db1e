#include "nn/vlm_family.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include <fmt/format.h>

#include <algorithm>

#include "fovea/error.h"
#include "nn/language_model.h"

namespace fovea {
namespace {

at::Tensor found(const TensorItem& item, const char* name) {
    const auto entry = item.find(name);
    return entry == item.end() ? at::Tensor() : entry->second;
}

void requireFeature(const FeatureCell& cell, const std::vector<at::Tensor>& features, const at::Tensor& newline) {
    const auto pass = static_cast<std::size_t>(cell.pass);
    const bool there = cell.pass < 0 ? newline.defined()
                                     : pass < features.size() && cell.index >= 0 && cell.index < features[pass].size(0);
    if (there) return;
    const std::int64_t count = cell.pass >= 0 && pass < features.size() ? features[pass].size(0) : 0;
    throw Error(fmt::format("the picture's tokens: expected a feature {} of view {}, found {} views, {} features of that one",
                            cell.index, cell.pass, features.size(), count),
                "Report this, with the model's name and the pictures' sizes.", ErrorCode::Internal);
}

}  // namespace

std::vector<FeatureCell> passCells(const TowerInput& input, int pass, const VisionTower& tower) {
    const GridSize patches = tower.patchGrid(input);
    const std::int64_t rows = patches.rows / tower.merge(), columns = patches.columns / tower.merge();
    const std::int64_t frames = std::max<std::int64_t>(1, input.gridThw[0]);
    std::vector<FeatureCell> cells;
    std::int64_t index = 0;
    for (; index < tower.leadingFeatures(); ++index) cells.push_back({pass, -1, -1, index, -1, -1});
    for (std::int64_t frame = 0; frame < frames; ++frame)
        for (std::int64_t row = 0; row < rows; ++row)
            for (std::int64_t column = 0; column < columns; ++column)
                cells.push_back({pass, row, column, index++, row, column});
    return cells;
}

std::vector<VlmPicture> picturesOf(const at::Tensor& pixels) {
    std::vector<VlmPicture> pictures(static_cast<std::size_t>(pixels.size(0)));
    for (std::size_t i = 0; i < pictures.size(); ++i)
        pictures[i].passes = {{pixels.narrow(0, static_cast<std::int64_t>(i), 1), {}, {}}};
    return pictures;
}

std::vector<VlmPicture> inOrderOfTokens(const at::Tensor& ids, const VlmTokenIds& tokens, std::vector<VlmPicture> stills,
                                        std::vector<VlmPicture> films,
                                        const std::function<std::int64_t(const VlmPicture&)>& tokensOf) {
    struct Queue {
        std::vector<VlmPicture> pictures;
        std::size_t next = 0;
        std::int64_t skip = 0;  // tokens of the latest that are still to come
    };
    Queue still{std::move(stills)}, film{std::move(films)};
    std::vector<VlmPicture> ordered;
    const auto take = [&](Queue& from) {
        if (from.skip-- > 0 || from.next >= from.pictures.size()) return;
        from.skip = tokensOf(from.pictures[from.next]) - 1;
        ordered.push_back(std::move(from.pictures[from.next++]));
    };
    const at::Tensor plain = ids.reshape({-1}).to(at::kCPU, at::kLong).contiguous();
    for (std::int64_t i = 0; i < plain.numel(); ++i) {
        const std::int64_t id = plain.const_data_ptr<std::int64_t>()[i];
        if (id == tokens.image) take(still);
        if (id == tokens.video) take(film);
    }
    // Those without tokens are counted, so that a message can name both numbers.
    for (Queue* queue : {&still, &film})
        for (; queue->next < queue->pictures.size(); ++queue->next) ordered.push_back(std::move(queue->pictures[queue->next]));
    return ordered;
}

at::Tensor gathered(const std::vector<FeatureCell>& cells, const std::vector<at::Tensor>& features,
                    const at::Tensor& newline) {
    std::vector<std::int64_t> offsets = {0}, index;
    for (const at::Tensor& part : features) offsets.push_back(offsets.back() + part.size(0));
    for (const FeatureCell& cell : cells) {
        requireFeature(cell, features, newline);
        index.push_back(cell.pass < 0 ? offsets.back() : offsets[static_cast<std::size_t>(cell.pass)] + cell.index);
    }
    if (index.empty()) throw Error("a picture without features", {}, ErrorCode::Internal);
    std::vector<at::Tensor> parts = features;
    if (newline.defined()) parts.push_back(newline.unsqueeze(0));
    const at::Tensor all = parts.size() == 1 ? parts.front() : at::cat(parts, 0);
    return all.index_select(0, at::tensor(index, at::kLong).to(all.device()));
}

std::vector<FeatureCell> VlmFamily::cells(const VlmPicture& picture, const VisionTower& tower) const {
    std::vector<FeatureCell> cells;
    for (std::size_t pass = 0; pass < picture.passes.size(); ++pass) {
        const auto more = passCells(picture.passes[pass], static_cast<int>(pass), tower);
        cells.insert(cells.end(), more.begin(), more.end());
    }
    return cells;
}

at::Tensor VlmFamily::packed(const VlmPicture&, const std::vector<FeatureCell>& cells,
                             const std::vector<at::Tensor>& features) const {
    return gathered(cells, features, {});
}

at::Tensor VlmFamily::positions(const TensorItem& item, const std::vector<VlmPicture>&) const {
    const at::Tensor given = found(item, "position_ids"), ids = found(item, "input_ids");
    if (given.defined()) return given[0].to(at::kLong);
    return at::arange(ids.size(1), ids.options().dtype(at::kLong));
}

DecoderMask VlmFamily::mask(const TensorItem& item) const {
    return textMask(found(item, "attention_mask"), found(item, "position_ids"));
}

}  // namespace fovea
