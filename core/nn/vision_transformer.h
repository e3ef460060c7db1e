#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "fovea/model.h"
#include "fovea/token_map.h"
#include "nn/block_stack.h"
#include "nn/patch_embedding.h"
#include "nn/position_embedding.h"

namespace fovea {

/// A learned token before the patches.
struct PrefixToken {
    std::string id;    ///< "cls", "distillation", "register0"
    std::string text;  ///< "[CLS]", as the token map shows it
    TokenKind kind = TokenKind::Special;
};

/// A learned tensor that holds one or more prefix tokens.
struct PrefixWeight {
    std::string name;
    std::vector<std::int64_t> shape;  ///< as stored; the last axis is the hidden size
    std::vector<PrefixToken> tokens;
};

/// `count` register tokens held by one tensor [1, count, hidden].
PrefixWeight registerTokens(const std::string& name, std::int64_t count, std::int64_t hidden);
/// A class token held by one tensor, [1, 1, hidden].
PrefixWeight classToken(const std::string& name, std::int64_t hidden);

enum class RotaryKind { None, AxialPatches };

/// Which row of the position table a patch takes.
enum class PositionLookup {
    Grid,     ///< the table resized to the grid
    Buckets,  ///< the row of the table nearest below its place in the real part of the picture (Idefics3)
};

/// What distinguishes one vision transformer from another; everything else is shared.
struct VisionTransformerSpec {
    BlockStackSpec blocks;
    PatchSpec patches;
    PositionSpec positions;
    std::vector<PrefixWeight> prefix;  ///< in order of their tokens
    std::int64_t imageHeight = 224;    ///< configured input, in pixels
    std::int64_t imageWidth = 224;
    std::string maskToken;  ///< replaces patches where `bool_masked_pos` is set; empty: none in the files
    std::vector<std::int64_t> maskShape;  ///< of that tensor
    std::string preNorm;                  ///< norm before the first block
    double preNormEps = 1e-5;
    RotaryKind rotary = RotaryKind::None;
    PositionLookup lookup = PositionLookup::Grid;
    double rotaryTheta = 100;
    std::string sharedRelativeBias;  ///< one table for all blocks
    /// Share of patches that `noise` drops (masked autoencoder); negative: no such input.
    double maskRatio = -1;
    bool attentionMask = false;  ///< the reference accepts `attention_mask` over the tokens

    GridSize grid() const { return {imageHeight / patches.height, imageWidth / patches.width}; }
    std::int64_t prefixCount() const;
    std::vector<PrefixToken> prefixTokens() const;
};

/// One token of the unpruned sequence in a stream [1, tokens, hidden] of which `kept` (or all) are left: [1,
/// hidden]. Throws Error (Usage) where it was pruned.
at::Tensor tokenOf(const at::Tensor& stream, const at::Tensor& kept, std::int64_t index);

/// The residual stream after the last block, with what is needed to find tokens in it.
struct VisionTokens {
    at::Tensor hidden;        // [1, tokens, hidden]
    at::Tensor kept;          // indices of the tokens that are left, or undefined
    at::Tensor padding;       // [1, tokens] true for real tokens (NaFlex), or undefined
    std::int64_t prefix = 0;  ///< tokens before the patches in the unpruned sequence

    /// tokenOf() for a stream like `hidden`.
    at::Tensor token(const at::Tensor& stream, std::int64_t index) const;
    /// Mean of the patch tokens that are left, [1, hidden].
    at::Tensor patchMean(const at::Tensor& stream) const;
    /// Mean of all real tokens, [1, hidden].
    at::Tensor mean(const at::Tensor& stream) const;
};

/// What one pass of a tower reads. Undefined tensors: not given.
struct VisionPass {
    at::Tensor pixels;     // [1, channels, height, width], or patches [1, patches, values]
    GridSize grid;         ///< where the input is patches
    at::Tensor padding;    // [1, tokens or patches], true for what is real
    at::Tensor masked;     // [1, patches], true where the mask token stands
    at::Tensor noise;      // [1, patches], which patches a masked autoencoder keeps
    at::Tensor patchMask;  // [rows, columns], true for patches that hold pixels (Idefics3)
    /// Sees the residual stream after every block (and before the first, as block -1).
    std::function<void(int block, const at::Tensor& x)> observe;
    bool resumable = true;  ///< whether the pass may begin at a checkpoint
};

/// Patches, positions and prefix tokens into a stack of blocks.
class VisionTransformer {
public:
    explicit VisionTransformer(VisionTransformerSpec spec);

    const VisionTransformerSpec& spec() const { return m_spec; }
    const BlockStack& blocks() const { return m_blocks; }
    /// Adds its stage and its sites.
    void describe(ModelSpec& model);
    void visit(WeightVisitor& weights);
    /// Throws Error (Input) for a picture that the positions cannot serve.
    void requireSize(std::int64_t height, std::int64_t width) const;
    /// Runs the inputs pixel_values, bool_masked_pos, attention_mask, noise, pixel_attention_mask and
    /// spatial_shapes.
    VisionTokens run(Forward& forward) const;
    /// Runs one pass.
    VisionTokens run(VisionPass pass, Forward& forward) const;

private:
    at::Tensor embed(const VisionPass& pass, Forward& forward) const;
    at::Tensor embedPatches(const VisionPass& pass, Forward& forward) const;
    at::Tensor bucketPositions(const VisionPass& pass) const;
    BlockContext context(const VisionPass& pass) const;

    VisionTransformerSpec m_spec;
    PatchEmbedding m_patches;
    PositionEmbedding m_positions;
    BlockStack m_blocks;
    std::vector<at::Tensor> m_prefix;
    at::Tensor m_maskToken;
    LayerNorm m_preNorm;
    RelativeBias m_relative;
};

/// Which patches a masked autoencoder keeps, in their order in the sequence: the first int(n (1 - ratio)) of
/// the ascending noise.
at::Tensor keptPatches(const at::Tensor& noise, double maskRatio);

}  // namespace fovea
