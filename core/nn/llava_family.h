#pragma once

#include <utility>

#include "nn/vlm_family.h"

namespace fovea {

/// One picture a run of image tokens: LLaVA, PaliGemma, Gemma 3.
class PlainPictures : public VlmFamily {
public:
    std::vector<InputTensor> accepted() const override;
    std::vector<VlmPicture> pictures(const TensorItem& item, const VisionTower& tower) const override;
};

/// The whole picture and a grid of crops whose features stand side by side, less what shows padding, each row
/// ended by a learned token (LLaVA-NeXT).
class AnyResolutionPictures : public VlmFamily {
public:
    /// `tile`: pixels a side of a crop; `pinpoints`: heights and widths of the grids.
    AnyResolutionPictures(std::int64_t tile, std::vector<std::pair<std::int64_t, std::int64_t>> pinpoints,
                          std::string newline, std::int64_t hidden)
        : m_tile(tile), m_pinpoints(std::move(pinpoints)), m_newlineName(std::move(newline)), m_hidden(hidden) {}

    std::vector<InputTensor> accepted() const override;
    std::vector<VlmPicture> pictures(const TensorItem& item, const VisionTower& tower) const override;
    std::vector<FeatureCell> cells(const VlmPicture& picture, const VisionTower& tower) const override;
    at::Tensor packed(const VlmPicture& picture, const std::vector<FeatureCell>& cells,
                      const std::vector<at::Tensor>& features) const override;
    void visit(WeightVisitor& weights) override;

protected:
    /// How many views pixel_values holds of picture `index` when its grid has `tiles` crops.
    virtual std::int64_t viewsOf(std::int64_t tiles, const TensorItem&, std::int64_t /*index*/) const { return 1 + tiles; }

    std::int64_t m_tile;
    std::vector<std::pair<std::int64_t, std::int64_t>> m_pinpoints;
    std::string m_newlineName;
    std::int64_t m_hidden;
    at::Tensor m_newline;
};

/// LLaVA-OneVision: grids with more than `most` crops' worth of features are interpolated down; of several pictures
/// (batch_num_images) each has one view; frames of a film are halved in height and width, with one newline behind all.
class OnevisionPictures : public AnyResolutionPictures {
public:
    OnevisionPictures(AnyResolutionPictures base, std::int64_t most, VlmTokenIds tokens)
        : AnyResolutionPictures(std::move(base)), m_most(most), m_tokens(tokens) {}

    std::vector<InputTensor> accepted() const override;
    std::vector<VlmPicture> pictures(const TensorItem& item, const VisionTower& tower) const override;
    std::vector<FeatureCell> cells(const VlmPicture& picture, const VisionTower& tower) const override;
    at::Tensor packed(const VlmPicture& picture, const std::vector<FeatureCell>& cells,
                      const std::vector<at::Tensor>& features) const override;
    void addPromptTensors(TensorItem& item, const VlmTokenIds& tokens) const override;

protected:
    std::int64_t viewsOf(std::int64_t tiles, const TensorItem& item, std::int64_t index) const override;

private:
    at::Tensor packedFilm(const std::vector<at::Tensor>& features) const;

    std::int64_t m_most;
    VlmTokenIds m_tokens;
};

/// The grid (height, width) among `possible` that shows most of a picture and wastes least; the earliest among
/// equals.
std::pair<std::int64_t, std::int64_t> bestResolution(std::int64_t height, std::int64_t width,
                                                     const std::vector<std::pair<std::int64_t, std::int64_t>>& possible);

/// Rows and columns [begin, end) of a grid that show a picture of this size centred in it.
struct UnpaddedGrid {
    std::int64_t rowBegin, rowEnd, columnBegin, columnEnd;
};
UnpaddedGrid unpadded(std::int64_t rows, std::int64_t columns, std::int64_t height, std::int64_t width);

/// `image_grid_pinpoints` of a configuration, or what the family takes without it.
std::vector<std::pair<std::int64_t, std::int64_t>> readPinpoints(
    const ConfigView& config, const std::vector<std::pair<std::int64_t, std::int64_t>>& fallback);

}  // namespace fovea
