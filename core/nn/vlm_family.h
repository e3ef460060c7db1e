#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "nn/decoder_mask.h"
#include "nn/input_tensors.h"
#include "nn/towers/vision_tower.h"
#include "nn/weight_visitor.h"

namespace fovea {

/// A picture or clip of a prompt, as its tower reads it: one pass a view (base view, tiles), in the order of
/// pixel_values.
struct VlmPicture {
    enum class Kind { Image, Video };
    Kind kind = Kind::Image;
    std::vector<TowerInput> passes;
    std::int64_t height = 0, width = 0;       ///< of the original, where the tensors say it
    std::int64_t tileRows = 0, tileColumns = 0;  ///< of the views that are tiles of a grid; 0 x 0: there are none
};

/// What one image token of the decoder stands for: a feature of a pass, or what a family puts between them.
struct FeatureCell {
    int pass = 0;                       ///< -1: no feature (a learned newline)
    std::int64_t row = -1, column = -1;  ///< in the grid of the pass's features; -1: a leading feature (class token)
    std::int64_t index = 0;              ///< among the features of the pass
    std::int64_t gridRow = -1, gridColumn = -1;  ///< in the grid of the whole picture
};

/// The ids that stand for pictures in a prompt.
struct VlmTokenIds {
    std::int64_t image = -1, video = -1;
};

/// How one family of vision-language models differs from the others: its inputs, how features are packed, which
/// positions and mask its decoder takes. Stateless but for weights.
class VlmFamily {
public:
    virtual ~VlmFamily() = default;

    /// The tensors beside input_ids and attention_mask that the reference's forward takes.
    virtual std::vector<InputTensor> accepted() const = 0;
    /// The pictures of a prompt, in order of their tokens; throws Error (Input) for tensors that do not fit.
    virtual std::vector<VlmPicture> pictures(const TensorItem& item, const VisionTower& tower) const = 0;
    /// What the image tokens of a picture stand for, in order; all features of all passes unless a family says else.
    virtual std::vector<FeatureCell> cells(const VlmPicture& picture, const VisionTower& tower) const;
    /// The embeddings of those tokens, [cells, hidden].
    virtual at::Tensor packed(const VlmPicture& picture, const std::vector<FeatureCell>& cells,
                              const std::vector<at::Tensor>& features) const;
    /// Positions of the tokens, int64 [n], or [rows, n] (M-RoPE).
    virtual at::Tensor positions(const TensorItem& item, const std::vector<VlmPicture>& pictures) const;
    virtual DecoderMask mask(const TensorItem& item) const;
    /// Adds what the reference's processor returns beside ids and pictures (token_type_ids).
    virtual void addPromptTensors(TensorItem&, const VlmTokenIds&) const {}
    /// Weights of its own (`image_newline`).
    virtual void visit(WeightVisitor&) {}
};

/// Cells of a pass's features, row by row: leading ones first.
std::vector<FeatureCell> passCells(const TowerInput& input, int pass, const VisionTower& tower);

/// pixel_values [pictures, channels, height, width] as one pass a picture.
std::vector<VlmPicture> picturesOf(const at::Tensor& pixels);

/// Pictures and films in the order in which their tokens begin in `ids` [1, n]; `tokensOf` counts those of one.
std::vector<VlmPicture> inOrderOfTokens(const at::Tensor& ids, const VlmTokenIds& tokens, std::vector<VlmPicture> stills,
                                        std::vector<VlmPicture> films,
                                        const std::function<std::int64_t(const VlmPicture&)>& tokensOf);

/// Features [n, hidden] of all passes behind each other, gathered by cells; `newline` [hidden] where a cell has no
/// pass. Throws Error (Internal) for a cell of which there is no feature.
at::Tensor gathered(const std::vector<FeatureCell>& cells, const std::vector<at::Tensor>& features,
                    const at::Tensor& newline);

}  // namespace fovea
