#include "nn/qwen_family.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>

#include "fovea/error.h"
#include "io/tensor_info.h"
#include "nn/language_model.h"

namespace fovea {
namespace {

using Values = InputTensor::Values;

at::Tensor found(const TensorItem& item, const std::string& name) {
    const auto entry = item.find(name);
    return entry == item.end() ? at::Tensor() : entry->second;
}

std::vector<std::int64_t> toList(const at::Tensor& values) {
    const at::Tensor plain = values.to(at::kCPU, at::kLong).contiguous();
    return {plain.const_data_ptr<std::int64_t>(), plain.const_data_ptr<std::int64_t>() + plain.numel()};
}

// The pictures of one kind, from their patches and grids.
std::vector<VlmPicture> ofKind(const TensorItem& item, VlmPicture::Kind kind) {
    const bool video = kind == VlmPicture::Kind::Video;
    const std::string name = video ? "pixel_values_videos" : "pixel_values";
    const std::string gridName = video ? "video_grid_thw" : "image_grid_thw";
    const at::Tensor pixels = found(item, name), grids = found(item, gridName);
    if (!pixels.defined() && !grids.defined()) return {};
    if (!pixels.defined() || !grids.defined() || grids.size(1) != 3)
        throw Error(fmt::format("{}: expected beside {} as [pictures, 3], found {}", name, gridName,
                                grids.defined() ? shapeText(grids.sizes().vec()) : "none"),
                    "Save both tensors as the model's processor returns them.");
    std::vector<VlmPicture> pictures;
    std::int64_t begin = 0;
    const std::vector<std::int64_t> numbers = toList(grids);
    for (std::size_t i = 0; i + 2 < numbers.size(); i += 3) {
        const std::array<std::int64_t, 3> thw = {numbers[i], numbers[i + 1], numbers[i + 2]};
        const bool sane = std::all_of(thw.begin(), thw.end(), [](std::int64_t n) { return n >= 1 && n <= 1 << 16; });
        const std::int64_t count = sane ? thw[0] * thw[1] * thw[2] : 0;
        if (!sane || begin + count > pixels.size(0))
            throw Error(fmt::format("{}: expected grids of {} patches in all, found {} x {} x {} from patch {} on",
                                    gridName, pixels.size(0), thw[0], thw[1], thw[2], begin),
                        "Write all tensors with the same processor call.");
        VlmPicture picture;
        picture.kind = kind;
        picture.passes = {{pixels.narrow(0, begin, count), thw, {}}};
        pictures.push_back(std::move(picture));
        begin += count;
    }
    if (begin != pixels.size(0))
        throw Error(fmt::format("{}: expected {} patches as {} says, found {}", name, begin, gridName, pixels.size(0)),
                    "Write all tensors with the same processor call.");
    return pictures;
}

std::int64_t featuresOf(const VlmPicture& picture, std::int64_t merge) {
    const auto& thw = picture.passes.front().gridThw;
    return thw[0] * thw[1] * thw[2] / (merge * merge);
}

// Rows of positions as they grow.
struct Rows {
    std::vector<std::int64_t> time, row, column;
    std::int64_t next = 0;

    void text(std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i) {
            for (auto* list : {&time, &row, &column}) list->push_back(next);
            ++next;
        }
    }
    void picture(const std::array<std::int64_t, 3>& thw, std::int64_t merge, std::int64_t interval) {
        for (std::int64_t t = 0; t < thw[0]; ++t)
            for (std::int64_t y = 0; y < thw[1] / merge; ++y)
                for (std::int64_t x = 0; x < thw[2] / merge; ++x) {
                    time.push_back(next + t * interval);
                    row.push_back(next + y);
                    column.push_back(next + x);
                }
        next += std::max(thw[1], thw[2]) / merge;
    }
};

}  // namespace

std::vector<InputTensor> QwenPictures::accepted() const {
    std::vector<InputTensor> inputs{{"pixel_values", 2, Values::Floating},
                                    {"image_grid_thw", 2, Values::Integer},
                                    {"pixel_values_videos", 2, Values::Floating},
                                    {"video_grid_thw", 2, Values::Integer},
                                    {"mm_token_type_ids", 2, Values::Integer},
                                    {"position_ids", 3, Values::Integer, 2}};
    if (m_form.tokensPerSecond > 0) inputs.push_back({"second_per_grid_ts", 1, Values::Floating});
    return inputs;
}

std::vector<VlmPicture> QwenPictures::pictures(const TensorItem& item, const VisionTower&) const {
    std::vector<VlmPicture> images = ofKind(item, VlmPicture::Kind::Image);
    std::vector<VlmPicture> videos = ofKind(item, VlmPicture::Kind::Video);
    if (videos.empty()) return images;
    return inOrderOfTokens(item.at("input_ids"), m_form.tokens, std::move(images), std::move(videos),
                           [this](const VlmPicture& picture) { return featuresOf(picture, m_form.merge); });
}

at::Tensor QwenPictures::positions(const TensorItem& item, const std::vector<VlmPicture>& pictures) const {
    const at::Tensor given = found(item, "position_ids"), tokens = item.at("input_ids");
    const auto options = tokens.options().dtype(at::kLong);
    const std::int64_t length = tokens.size(1);
    if (given.defined()) {
        const at::Tensor rows = given.to(at::kLong).dim() == 3 ? given.to(at::kLong).select(1, 0)
                                                               : given.to(at::kLong)[0].unsqueeze(0).expand({3, length});
        if (rows.size(1) != length || (rows.size(0) != 3 && rows.size(0) != 4))
            throw Error(fmt::format("position_ids: expected shape [3, 1, {}], found {}", length,
                                    shapeText(given.sizes().vec())),
                        "Correct the tensor, or leave it out.");
        return rows.narrow(0, rows.size(0) - 3, 3);  // a fourth row says only what is packed
    }
    if (pictures.empty()) return at::arange(length, options).unsqueeze(0).expand({3, length});

    const std::vector<std::int64_t> ids = toList(tokens);
    std::vector<std::int64_t> kinds;
    if (const at::Tensor types = found(item, "mm_token_type_ids"); types.defined()) {
        kinds = toList(types);
        if (kinds.size() != ids.size())
            throw Error(fmt::format("mm_token_type_ids: expected {} entries like input_ids, found {}", length,
                                    kinds.size()),
                        "Write all tensors with the same processor call.");
    } else {
        for (const std::int64_t id : ids) kinds.push_back(id == m_form.tokens.image ? 1 : id == m_form.tokens.video ? 2 : 0);
    }
    std::vector<std::int64_t> places;  // tokens that are no padding
    const at::Tensor mask = found(item, "attention_mask");
    const std::vector<std::int64_t> seen = mask.defined() ? toList(mask) : std::vector<std::int64_t>(ids.size(), 1);
    for (std::size_t i = 0; i < seen.size() && i < ids.size(); ++i)
        if (seen[i] != 0) places.push_back(static_cast<std::int64_t>(i));

    std::vector<std::array<std::int64_t, 3>> images, videos;
    for (const VlmPicture& picture : pictures) {
        const auto& thw = picture.passes.front().gridThw;
        if (picture.kind == VlmPicture::Kind::Image) images.push_back(thw);
        else if (!m_form.framesApart) videos.push_back(thw);
        else videos.insert(videos.end(), static_cast<std::size_t>(thw[0]), {1, thw[1], thw[2]});
    }
    const at::Tensor seconds = found(item, "second_per_grid_ts");
    Rows rows;
    std::size_t image = 0, video = 0;
    for (std::size_t i = 0; i < places.size();) {
        const auto kind = [&](std::size_t at) { return kinds[static_cast<std::size_t>(places[at])]; };
        std::size_t end = i;
        while (end < places.size() && kind(end) == kind(i)) ++end;
        if (kind(i) == 0) {
            rows.text(static_cast<std::int64_t>(end - i));
        } else {
            auto& grids = kind(i) == 1 ? images : videos;
            std::size_t& next = kind(i) == 1 ? image : video;
            if (next >= grids.size())
                throw Error("mm_token_type_ids: expected as many runs of image tokens as there are pictures, found more",
                            "Write all tensors with the same processor call.");
            std::int64_t interval = 1;
            if (kind(i) == 2 && m_form.tokensPerSecond > 0)
                interval = m_form.tokensPerSecond *
                           (seconds.defined() && static_cast<std::int64_t>(video) < seconds.size(0)
                                ? static_cast<std::int64_t>(seconds[static_cast<std::int64_t>(video)].item<double>())
                                : 1);
            rows.picture(grids[next++], m_form.merge, interval);
        }
        i = end;
    }
    if (rows.time.size() != places.size())
        throw Error(fmt::format("input_ids: expected {} tokens for the text and the grids of the pictures, found {}",
                                rows.time.size(), places.size()),
                    "Write all tensors with the same processor call.");
    at::Tensor all = at::zeros({3, length}, at::kLong);
    const std::vector<std::int64_t>* lists[] = {&rows.time, &rows.row, &rows.column};
    for (std::int64_t axis = 0; axis < 3; ++axis)
        for (std::size_t i = 0; i < places.size(); ++i)
            all.mutable_data_ptr<std::int64_t>()[axis * length + places[i]] = (*lists[axis])[i];
    return all.to(tokens.device());
}

DecoderMask QwenPictures::mask(const TensorItem& item) const { return textMask(found(item, "attention_mask"), {}); }

}  // namespace fovea
