#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "fovea/model.h"
#include "nn/activation.h"
#include "nn/layer_norm.h"
#include "nn/linear.h"
#include "nn/weight_visitor.h"

namespace fovea {

class Forward;
struct StageCost;

/// A bidirectional encoder with norms after its sums (BERT, Devlin et al. 2019) as data.
struct BertSpec {
    std::string prefix = "bert.";
    int layers = 12, heads = 12, headDim = 64;
    std::int64_t hidden = 768, intermediate = 3072, vocabulary = 30522, positions = 512, types = 2;
    double eps = 1e-12;
    Activation activation = Activation::Gelu;
};

/// Embeddings and blocks: h = norm(x + Attention(x)), y = norm(h + Mlp(h)).
class BertEncoder {
public:
    explicit BertEncoder(BertSpec spec) : m_spec(std::move(spec)) {}

    const BertSpec& spec() const { return m_spec; }
    void describe(ModelSpec& model);
    void visit(WeightVisitor& weights);
    StageCost cost() const;
    /// From input_ids or inputs_embeds, token_type_ids, position_ids and attention_mask: [1, n, hidden].
    at::Tensor run(Forward& forward) const;
    /// The matrix of token embeddings [vocabulary, hidden], which masked language models read out with.
    const at::Tensor& wordEmbeddings() const { return m_words.weight; }
    at::ScalarType dtype() const { return m_norm.weight.scalar_type(); }

private:
    struct Block {
        Linear query, key, value, output, in, out;
        LayerNorm afterAttention, afterMlp;
    };
    at::Tensor embed(Forward& forward) const;
    at::Tensor attention(int index, const at::Tensor& x, const at::Tensor& bias, Forward& forward) const;

    BertSpec m_spec;
    int m_firstSite = 0;
    Linear m_words;
    at::Tensor m_places, m_types;
    LayerNorm m_norm;
    std::vector<Block> m_blocks;
};

}  // namespace fovea
