#pragma once

#include "nn/block_stack.h"
#include "nn/patch_embedding.h"
#include "nn/transformer_model.h"

namespace fovea {

/// Mllama's vision tower as data.
struct MllamaTowerSpec {
    BlockStackSpec local, global;  ///< two encoders, one after the other; the second one gated
    std::string prefix = "vision_model.";
    PatchSpec patches;
    std::int64_t imageSize = 448, tiles = 4, aspectRatios = 8;
    std::vector<std::int64_t> intermediate;  ///< blocks of the first encoder whose outputs stand beside the last one's

    std::int64_t patchesPerTile() const;
    /// Tokens of a tile: class token and patches.
    std::int64_t tokensPerTile() const { return patchesPerTile() + 1; }
    /// The same with padding to a multiple of 8.
    std::int64_t paddedPerTile() const { return (tokensPerTile() + 7) / 8 * 8; }
    std::int64_t output() const;
};

/// All tiles of a picture in one sequence, through two encoders; gated positions say where a tile lies (Llama 3.2
/// Vision, Meta 2024).
class MllamaTower {
public:
    explicit MllamaTower(MllamaTowerSpec spec);

    const MllamaTowerSpec& spec() const { return m_spec; }
    void describe(ModelSpec& model);
    void visit(WeightVisitor& weights);
    /// pixels [tiles, channels, height, width], mask [tiles] true for tiles that hold pixels: [tiles * tokens, output].
    at::Tensor run(const at::Tensor& pixels, std::int64_t aspectRatio, const at::Tensor& mask, Forward& forward) const;
    /// What the tokens of one picture are; `mask` as for run().
    StageTokens tokens(const at::Tensor& mask) const;

private:
    at::Tensor embed(const at::Tensor& pixels, std::int64_t aspectRatio, Forward& forward) const;
    at::Tensor bias(const at::Tensor& mask) const;
    at::Tensor tileShift(const at::Tensor& table, const at::Tensor& gate, std::int64_t aspectRatio) const;

    MllamaTowerSpec m_spec;
    PatchEmbedding m_patches;
    BlockStack m_local, m_global;
    at::Tensor m_class, m_positions, m_tilePositions, m_positionGate;
    at::Tensor m_before, m_beforeGate, m_after, m_afterGate;
    LayerNorm m_normBefore, m_normAfter;
};

}  // namespace fovea
