#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "attention/segments.h"
#include "fovea/attention_site.h"
#include "nn/activation.h"
#include "nn/linear.h"
#include "nn/mlp.h"
#include "nn/norm.h"
#include "nn/relative_bias.h"
#include "nn/rotary.h"
#include "nn/weight_visitor.h"

namespace fovea {

class Forward;

/// Paths of a block's weights in the files; "{i}" stands for the block, an empty path for a part that is not
/// there.
struct BlockNames {
    std::string norm1, query, key, value;
    std::string qkv;  ///< one matrix for query, key and value; then the three above are not used
    std::string queryNorm, keyNorm, output;
    std::string scale1, norm2, mlpIn, mlpGate, mlpOut, scale2;
    std::string relativeBias;  ///< table of relative positions
    std::string module;        ///< the attention, as AttentionSite::module spells it
};

/// What the norms on query and key run over.
enum class HeadNormAxis {
    Head,  ///< the channels of one head
    All,   ///< all heads together (InternVL)
};

/// What a value of a block is recorded as: "stage.block.what" (ModelSpec::taps).
std::string tapName(const std::string& stage, int block, const char* what);

/// A stack of pre-norm transformer blocks: x += s1 Attention(norm1 x); x += s2 Mlp(norm2 x).
struct BlockStackSpec {
    std::string stage = "vision";
    int layers = 12;
    int heads = 12;
    int headDim = 64;
    std::int64_t hidden = 768;
    std::int64_t intermediate = 3072;
    double eps = 1e-6;          ///< of the block's norms
    double headNormEps = 1e-6;  ///< of the norms on query and key
    Activation activation = Activation::Gelu;
    MlpKind mlp = MlpKind::Plain;
    Bias queryBias = Bias::Required, keyBias = Bias::Required, valueBias = Bias::Required;
    Bias outputBias = Bias::Required, mlpBias = Bias::Required;
    bool causal = false;
    NormKind norm = NormKind::Layer;      ///< of the block's norms
    NormKind headNorm = NormKind::Layer;  ///< of the norms on query and key
    HeadNormAxis headNormAxis = HeadNormAxis::Head;
    bool gatedResidual = false;  ///< scale1 and scale2 are one number a block, passed through tanh (Mllama)
    int firstBlock = 0;          ///< number of block 0 within the stage, where several stacks follow each other
    bool last = true;            ///< whether the stage ends with this stack
    std::vector<SiteLayout> layouts;  ///< one a block; empty: all dense
    GridSize relativeGrid;  ///< the grid that relative position tables were made for
    BlockNames names;
};

/// What the blocks of one run share; all of it is about the unpruned sequence.
struct BlockContext {
    at::Tensor bias;     // [1, 1 or heads, 1 or tokens, tokens], added to the logits, or undefined
    RotaryTable rotary;  // [tokens, head_dim], or undefined
    GridSize grid;       ///< of this run's patches
    /// What each block's attention stays within; empty, or null for a block: all tokens.
    std::vector<std::shared_ptr<const AttentionSegments>> segments;
    /// Sees the residual stream after every block (and before the first, as block -1).
    std::function<void(int block, const at::Tensor& x)> observe;
    /// Whether a run may begin at a checkpoint; not where something is read from every block.
    bool resumable = true;
};

/// The blocks of one stage with their weights.
class BlockStack {
public:
    explicit BlockStack(BlockStackSpec spec) : m_spec(std::move(spec)) {}

    const BlockStackSpec& spec() const { return m_spec; }
    /// Appends one self-attention site a block and remembers where they begin.
    void addSites(std::vector<AttentionSite>& sites);
    /// Appends the taps of every block: what its attention ("vision.3.attention") and its feed-forward part
    /// ("vision.3.mlp") add to the residual stream.
    void addTaps(std::vector<std::string>& taps) const;
    void visit(WeightVisitor& weights);
    /// The type of the weights, once they are loaded.
    at::ScalarType dtype() const { return m_blocks.front().norm1.dtype(); }

    /// Runs all blocks from the embeddings, or from where the run resumes; returns the residual stream [1,
    /// tokens, hidden].
    at::Tensor run(const std::function<at::Tensor()>& embed, const BlockContext& context,
                   Forward& forward) const;

private:
    struct Block {
        Norm norm1, norm2, queryNorm, keyNorm;
        Linear query, key, value, output;
        at::Tensor scale1, scale2;
        RelativeBias relative;
        Mlp mlp;
    };
    at::Tensor attention(int index, const at::Tensor& x, const BlockContext& context, Forward& forward) const;

    BlockStackSpec m_spec;
    int m_firstSite = 0;
    std::vector<Block> m_blocks;
};

/// A template with "{i}" replaced by the block's number.
std::string blockPath(const std::string& pattern, int block);

/// A bias [1, a, b, tokens] restricted to the kept tokens in those of its last two axes that count tokens.
at::Tensor selectBias(const at::Tensor& bias, const at::Tensor& kept);

/// The additive bias [1, 1, n, n] of tokens at these positions (ascending or not) that see only positions up
/// to their own.
at::Tensor causalBias(const at::Tensor& positions, at::ScalarType dtype);

/// The additive bias [1, 1, 1, tokens] of a padding mask [1, tokens]: 0 where it is true, the type's lowest
/// value elsewhere.
at::Tensor paddingBias(const at::Tensor& mask, at::ScalarType dtype);

}  // namespace fovea
