#pragma once

#include <string>
#include <vector>

#include "nn/activation.h"
#include "nn/norm.h"
#include "nn/transformer_model.h"

namespace fovea {

/// One of BLIP's text stacks as data: post-norm blocks with self-attention and attention to another stage.
struct BlipTextSpec {
    std::string stage = "text";
    std::string keyStage = "vision";  ///< what its blocks attend to
    bool causal = true;
    std::int64_t hidden = 768, encoderHidden = 768, intermediate = 3072, vocabulary = 30524, positions = 512;
    int layers = 12, heads = 8, headDim = 96;
    double eps = 1e-12;
    Activation activation = Activation::Gelu;
    std::string prefix = "text_decoder.bert.";
};

/// What a stack reads in one pass.
struct BlipTextPass {
    at::Tensor ids;   // [1, n]: those that follow on what the cache holds
    at::Tensor mask;  // [1, tokens] over the sequence so far, 0 for padding, or undefined
    /// [1, keys, width], what the blocks attend to: all of it, as in the reference, padding of a question included;
    /// undefined where the cache holds it.
    at::Tensor source;
    std::vector<std::string> reads;  ///< stages that the source comes from
};

/// A BERT whose blocks attend to a picture, or to the question read with it (Li et al. 2022). Sites "stage.N.self" and
/// "stage.N.cross".
class BlipText {
public:
    explicit BlipText(BlipTextSpec spec) : m_spec(std::move(spec)) {}

    const BlipTextSpec& spec() const { return m_spec; }
    void describe(ModelSpec& model);
    void visit(WeightVisitor& weights);
    StageCost cost() const;
    /// Word embeddings [vocabulary, hidden].
    const at::Tensor& words() const { return m_words; }
    /// The residual stream after the last block, [1, n, hidden].
    at::Tensor run(const BlipTextPass& pass, Forward& forward) const;

private:
    struct Attention {
        Linear query, key, value, output;
        Norm norm;
    };
    struct Block {
        Attention self, cross;
        Linear in, out;
        Norm norm;
    };
    void visitAttention(WeightVisitor& weights, Attention& attention, const std::string& path, std::int64_t keys) const;
    at::Tensor embed(const BlipTextPass& pass, const Forward& forward) const;
    at::Tensor heads(const Linear& weight, const at::Tensor& x, Forward& forward) const;
    void maskSelf(AttentionCall& call, const BlipTextPass& pass, const Forward& forward) const;
    at::Tensor selfAttention(int block, const at::Tensor& x, const BlipTextPass& pass, Forward& forward) const;
    at::Tensor crossAttention(int block, const at::Tensor& x, const BlipTextPass& pass, Forward& forward) const;
    at::Tensor finish(const Attention& weights, AttentionCall& call, const at::Tensor& x, Forward& forward) const;

    BlipTextSpec m_spec;
    at::Tensor m_words, m_positions;
    Norm m_embeddingNorm;
    std::vector<Block> m_blocks;
    int m_firstSite = 0;
};

}  // namespace fovea
