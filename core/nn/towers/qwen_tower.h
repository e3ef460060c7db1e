#pragma once

#include "nn/block_stack.h"
#include "nn/towers/vision_tower.h"
#include "nn/towers/windowed_tower.h"

namespace fovea {

/// Paths of a merger's weights.
struct MergerNames {
    std::string norm, first, second;
};

/// The vision towers of Qwen2-VL, Qwen2.5-VL and Qwen3-VL as data.
struct QwenTowerSpec {
    BlockStackSpec blocks;
    std::string patchPath;  ///< of the convolution over time, rows and columns
    Bias patchBias = Bias::None;
    std::int64_t channels = 3, patch = 14, temporalPatch = 2;
    std::int64_t merge = 2;  ///< patches a side that become one feature
    double theta = 10000;
    std::string positions;          ///< table of a square grid, interpolated (Qwen3-VL); empty: none
    std::int64_t positionSide = 0;  ///< rows and columns of that grid
    std::int64_t window = 0;        ///< features a side of a window (Qwen2.5-VL); 0: none
    std::vector<std::int64_t> fullBlocks;  ///< those that attend over the whole picture although there are windows
    MergerNames merger;
    std::int64_t output = 0;  ///< hidden size of the decoder
    std::vector<std::int64_t> deepBlocks;  ///< whose outputs go to the decoder's first layers (DeepStack)
    std::vector<MergerNames> deepMergers;
};

/// Patches with 2-D rotary positions (Wang et al. 2024; Bai et al. 2025): each picture, and each pair of frames
/// of a clip, attends within itself; in Qwen2.5-VL most blocks attend within windows. Tokens keep the order of
/// pixel_values: blocks of merge x merge patches, row by row.
class QwenTower : public VisionTower, public WindowedTower {
public:
    explicit QwenTower(QwenTowerSpec spec);

    const QwenTowerSpec& spec() const { return m_spec; }
    void describe(ModelSpec& model) override;
    void visit(WeightVisitor& weights) override;
    VisionFeatures run(const TowerInput& input, Forward& forward) const override;
    std::vector<StageCost> costs() const override;
    GridSize patchGrid(const TowerInput& input) const override;
    GridSize patchSize() const override { return {m_spec.patch, m_spec.patch}; }
    std::int64_t merge() const override { return m_spec.merge; }
    StageTokens stageTokens(const TowerInput& input) const override;
    std::int64_t windowPixels() const override { return m_spec.window * m_spec.merge * m_spec.patch; }

private:
    struct Merger {
        Norm norm;
        Linear first, second;
    };
    enum class MergerForm { NormFirst, NormAfterJoining };
    void visitMerger(WeightVisitor& weights, Merger& merger, const MergerNames& names, MergerForm form) const;
    at::Tensor merged(const Merger& merger, const at::Tensor& x, MergerForm form, Forward& forward) const;
    at::Tensor embed(const TowerInput& input, Forward& forward) const;
    at::Tensor positionsOf(const TowerInput& input) const;
    BlockContext context(const TowerInput& input) const;
    void requireInput(const TowerInput& input) const;

    QwenTowerSpec m_spec;
    BlockStack m_blocks;
    Linear m_patches;
    at::Tensor m_positions;
    Merger m_merger;
    std::vector<Merger> m_deep;
};

/// Rows and columns of patches in the order of pixel_values, for one frame of a grid: blocks of merge x merge.
struct PatchOrder {
    std::vector<std::int64_t> rows, columns;
};
PatchOrder patchOrder(const GridSize& grid, std::int64_t merge);

/// Windows of `side` x `side` blocks of merge^2 patches over the frames of a clip (Qwen2.5-VL), smaller at the
/// right and lower edge.
std::shared_ptr<const AttentionSegments> windowSegments(const std::array<std::int64_t, 3>& thw, std::int64_t merge,
                                                        std::int64_t side, const at::Device& device);

}  // namespace fovea
