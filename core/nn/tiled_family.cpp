#include "nn/tiled_family.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>

#include "fovea/error.h"
#include "io/tensor_info.h"
#include "nn/towers/picture_tower.h"

namespace fovea {
namespace {

using Values = InputTensor::Values;

std::int64_t featuresOf(const TowerInput& input, const VisionTower& tower) {
    return static_cast<std::int64_t>(passCells(input, 0, tower).size());
}

}  // namespace

std::vector<TokenRun> tokenRuns(const at::Tensor& ids, std::int64_t token) {
    const at::Tensor plain = ids.reshape({-1}).to(at::kCPU, at::kLong).contiguous();
    const std::int64_t* id = plain.const_data_ptr<std::int64_t>();
    std::vector<TokenRun> runs;
    for (std::int64_t i = 0; i < plain.numel(); ++i) {
        if (id[i] != token) continue;
        if (i == 0 || id[i - 1] != token) runs.push_back({i, 0, i == 0 ? -1 : id[i - 1]});
        ++runs.back().length;
    }
    return runs;
}

std::vector<InputTensor> RunOfTiles::accepted() const {
    return {{"pixel_values", 4, Values::Floating}, {"position_ids", 2, Values::Integer}};
}

std::vector<VlmPicture> RunOfTiles::pictures(const TensorItem& item, const VisionTower& tower) const {
    const auto pixels = item.find("pixel_values");
    if (pixels == item.end()) return {};
    const std::int64_t views = pixels->second.size(0);
    std::vector<VlmPicture> pictures;
    std::int64_t next = 0;
    for (const TokenRun& run : tokenRuns(item.at("input_ids"), m_tokens.image)) {
        VlmPicture picture;
        for (std::int64_t covered = 0; covered < run.length && next < views; ++next) {
            picture.passes.push_back({pixels->second.narrow(0, next, 1), {}, {}});
            covered += featuresOf(picture.passes.back(), tower);
        }
        if (!picture.passes.empty()) pictures.push_back(std::move(picture));
    }
    // Views without tokens are counted, so that the message names both numbers.
    for (; next < views; ++next) pictures.push_back({VlmPicture::Kind::Image, {{pixels->second.narrow(0, next, 1), {}, {}}}});
    return pictures;
}

std::vector<InputTensor> IdeficsPictures::accepted() const {
    return {{"pixel_values", 5, Values::Floating},
            {"pixel_attention_mask", 4, Values::Integer},
            {"position_ids", 2, Values::Integer}};
}

std::vector<VlmPicture> IdeficsPictures::pictures(const TensorItem& item, const VisionTower&) const {
    const auto found = item.find("pixel_values");
    if (found == item.end()) return {};
    const at::Tensor& pixels = found->second;
    const auto given = item.find("pixel_attention_mask");
    const bool masked = given != item.end();
    // Views of zeros are padding, unless zeros are what a run reads in place of the picture.
    const auto original = item.find(asGiven("pixel_values"));
    const at::Tensor& told = original == item.end() ? pixels : original->second;
    if (pixels.size(0) != 1)
        throw Error(fmt::format("pixel_values: expected one prompt, found a batch of {}", pixels.size(0)),
                    "Give one prompt a file.");
    const std::vector<std::int64_t> expected = {1, pixels.size(1), pixels.size(3), pixels.size(4)};
    if (masked && given->second.sizes() != at::IntArrayRef(expected))
        throw Error(fmt::format("pixel_attention_mask: expected shape {} like the views, found {}", shapeText(expected),
                                shapeText(given->second.sizes().vec())),
                    "Write all tensors with the same processor call.");
    std::vector<TowerInput> views;
    for (std::int64_t i = 0; i < pixels.size(1); ++i) {
        TowerInput view;
        view.pixels = pixels[0].narrow(0, i, 1);
        const bool last = i + 1 == pixels.size(1);
        if (told[0].narrow(0, i, 1).eq(0).all().item<bool>() && !(last && views.empty())) continue;
        view.patchMask = masked ? patchMaskOf(given->second[0][i], m_patch)
                                : at::ones({pixels.size(3) / m_patch, pixels.size(4) / m_patch},
                                           pixels.options().dtype(at::kBool));
        views.push_back(std::move(view));
    }
    // The whole picture stands last, behind a token of its own: the one before the last run of all.
    const std::vector<TokenRun> runs = tokenRuns(item.at("input_ids"), m_tokens.image);
    std::vector<VlmPicture> pictures(1);
    for (std::size_t i = 0; i < views.size(); ++i) {
        pictures.back().passes.push_back(std::move(views[i]));
        const bool closes = i < runs.size() && runs[i].before == runs.back().before;
        if (closes && i + 1 < views.size()) pictures.emplace_back();
    }
    if (pictures.back().passes.empty()) pictures.pop_back();
    return pictures;
}

}  // namespace fovea
