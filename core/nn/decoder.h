#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "fovea/model.h"
#include "nn/decoder_mask.h"
#include "nn/decoder_spec.h"
#include "nn/linear.h"
#include "nn/mlp.h"
#include "nn/norm.h"

namespace fovea {

class Forward;
struct AttentionCall;
struct StageCost;

/// What goes into one pass of a decoder: a whole sequence, or, with a cache, the tokens that follow on what is in it.
struct DecoderPass {
    std::function<at::Tensor()> embed;  // [1, n, hidden], scaled
    at::Tensor positions;               // int64 [n], or [3, n] (M-RoPE)
    DecoderMask mask;                   ///< of the whole sequence so far
    /// Added to the residual stream before block i (DeepStack); may be empty.
    /// Called with i = layers, too, before the final norm.
    std::function<at::Tensor(int block, const at::Tensor& x)> beforeBlock;
    std::vector<std::string> reads;  ///< stages that the pass gets its input from
};

/// Rows [rows, hidden] of a residual stream on the device and in the type of `like`; throws Error (Usage) for rows of
/// another width.
at::Tensor streamRows(const Array& rows, std::int64_t hidden, const at::Tensor& like);

/// A stack of causal blocks between a token embedding and a head over the vocabulary: the text side of language and
/// vision-language models.
class Decoder {
public:
    explicit Decoder(DecoderSpec spec) : m_spec(std::move(spec)) {}

    const DecoderSpec& spec() const { return m_spec; }
    int layers() const { return static_cast<int>(m_spec.layers.size()); }
    /// Appends the stage, its sites and its taps ("text.3.attention", "text.3.mlp").
    void describe(ModelSpec& model);
    void visit(WeightVisitor& weights);
    StageCost cost() const;

    bool hasHead() const { return m_spec.tied || !m_spec.names.head.empty(); }
    /// A tensor in the type of the weights.
    at::Tensor cast(const at::Tensor& x) const { return x.to(m_finalNorm.dtype()); }
    /// Embeddings of token ids (int64 [1, n]), scaled: [1, n, hidden]. Learned positions come in run().
    at::Tensor embedTokens(const at::Tensor& ids, const Forward& forward) const;
    /// The residual stream after the final norm, [1, n, hidden]; n is smaller where tokens were pruned.
    at::Tensor run(const DecoderPass& pass, Forward& forward) const;
    /// Logits [1, n, vocabulary] of a stream after the final norm, soft-capped.
    at::Tensor logits(const at::Tensor& hidden, Forward& forward) const;
    /// Logits [rows, vocabulary] of rows [rows, hidden] of the stream before the final norm; Error (Usage) without a
    /// head.
    Array readOut(const Array& rows) const;

private:
    at::Tensor capped(const at::Tensor& plain) const;
    struct Block {
        Norm norm1, queryNorm, keyNorm, afterAttention, norm2, afterMlp;
        Linear query, key, value, output;
        Mlp mlp;
    };
    struct Shared;  // what the blocks of one pass share

    void visitBlock(WeightVisitor& weights, int index);
    void addMask(AttentionCall& call, std::int64_t window, const Shared& shared, const Forward& forward) const;
    at::Tensor attention(int index, const at::Tensor& x, const Shared& shared, Forward& forward) const;

    DecoderSpec m_spec;
    int m_firstSite = 0;
    std::vector<Block> m_blocks;
    Linear m_embedding;  // a table: its rows are looked up
    Linear m_positions;
    Norm m_finalNorm;
    Linear m_head;
};

}  // namespace fovea
