#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "fovea/model.h"
#include "nn/relative_bias.h"
#include "nn/transformer_model.h"
#include "nn/weight_visitor.h"

namespace fovea {

class Forward;

/// What one pass of a tower reads: one picture, crop or clip.
struct TowerInput {
    at::Tensor pixels;     // [1, channels, height, width], or patches [patches, values] (Qwen)
    std::array<std::int64_t, 3> gridThw{};  ///< patches of time, rows and columns, where the input is patches
    at::Tensor patchMask;  // [rows, columns], true for patches that hold pixels (Idefics3), or undefined
    bool resumable = false;  ///< whether the pass may begin at a checkpoint: only where it is the only one
};

/// What a tower makes of one pass for the decoder.
struct VisionFeatures {
    at::Tensor tokens;             // [features, text hidden], row by row of the features' grid
    std::vector<at::Tensor> deep;  ///< DeepStack: the same shape, added to the stream before layers 1, 2, ...
};

/// A vision tower with its projector: pixels in, embeddings of the decoder out. Records the sites of its stage
/// once a pass.
class VisionTower {
public:
    virtual ~VisionTower() = default;

    /// Adds its stage, sites and taps.
    virtual void describe(ModelSpec& model) = 0;
    virtual void visit(WeightVisitor& weights) = 0;
    /// Runs one pass; throws Error (Input) for pixels that it cannot read.
    virtual VisionFeatures run(const TowerInput& input, Forward& forward) const = 0;
    virtual std::vector<StageCost> costs() const = 0;

    /// Patches of a pass, rows and columns (of one frame).
    virtual GridSize patchGrid(const TowerInput& input) const = 0;
    /// Height and width of a patch in pixels of the model's input.
    virtual GridSize patchSize() const = 0;
    /// A feature stands for merge x merge patches.
    virtual std::int64_t merge() const = 0;
    /// Features before the grid's (a class token that is kept).
    virtual std::int64_t leadingFeatures() const { return 0; }
    /// The tokens of its stage for one pass, in their order, with rows and columns of the patch grid.
    virtual StageTokens stageTokens(const TowerInput& input) const = 0;
};

}  // namespace fovea
