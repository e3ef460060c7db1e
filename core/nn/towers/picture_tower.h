#pragma once

#include "nn/towers/projector.h"
#include "nn/towers/vision_tower.h"
#include "nn/vision_transformer.h"

namespace fovea {

/// A tower of squares of pixels as data: which hidden states its features are read from, and how.
struct PictureTowerSpec {
    VisionTransformerSpec tower;
    /// Boundaries of blocks (0: embeddings, n: after the last block) whose states stand side by side; empty: the
    /// stream after the last block.
    std::vector<int> layers;
    std::string finalNorm;    ///< on the stream after the last block; empty: none
    bool dropPrefix = false;  ///< leave the prefix tokens out of the features
    ProjectorSpec projector;
};

/// A vision transformer over one picture or crop with its projector: LLaVA, LLaVA-NeXT, LLaVA-OneVision,
/// PaliGemma, Gemma 3, InternVL, Idefics3, SmolVLM.
class PictureTower : public VisionTower {
public:
    explicit PictureTower(PictureTowerSpec spec);

    const PictureTowerSpec& spec() const { return m_spec; }
    void describe(ModelSpec& model) override;
    void visit(WeightVisitor& weights) override;
    VisionFeatures run(const TowerInput& input, Forward& forward) const override;
    std::vector<StageCost> costs() const override;
    GridSize patchGrid(const TowerInput& input) const override;
    GridSize patchSize() const override;
    std::int64_t merge() const override;
    std::int64_t leadingFeatures() const override;
    StageTokens stageTokens(const TowerInput& input) const override;

private:
    at::Tensor states(const TowerInput& input, Forward& forward) const;

    PictureTowerSpec m_spec;
    VisionTransformer m_tower;
    LayerNorm m_finalNorm;
    Projector m_projector;
};

/// Boundaries that `vision_feature_layer` names among those of `layers` blocks, counted from the end where
/// negative; throws Error (Input) naming the key.
std::vector<int> featureLayers(const ConfigView& config, int layers, int fallback);

/// Patches [rows, columns] with at least one real pixel, of a mask over the pixels [height, width] (Idefics3).
at::Tensor patchMaskOf(const at::Tensor& pixelMask, std::int64_t patch);

}  // namespace fovea
