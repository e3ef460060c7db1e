#pragma once

#include "nn/mlp.h"
#include "nn/vision_head.h"

namespace fovea {

struct AttentionPoolingSpec {
    std::string stage = "vision";
    int layers = 12;  ///< of the tower; the pooling's site follows as block `layers`
    int heads = 12;
    std::int64_t hidden = 768;
    std::int64_t intermediate = 3072;
    double eps = 1e-6;
    Activation activation = Activation::GeluTanh;
    std::string finalNorm;  ///< on every token, before the pooling
    std::string path;       ///< of the pooling, with its dot; empty: no pooling
};

/// SigLIP's pooling (Zhai et al. 2023): one learned query attends to all tokens, then y = a + mlp(norm(a)).
/// Outputs `last_hidden_state` and `pooler_output`.
class AttentionPoolingHead : public VisionHead {
public:
    explicit AttentionPoolingHead(AttentionPoolingSpec spec) : m_spec(std::move(spec)) {}
    void describe(ModelSpec& model) override;
    void visit(WeightVisitor& weights) override;
    void run(const VisionTokens& tokens, Forward& forward) const override;
    at::Tensor embed(const VisionTokens& tokens, Forward& forward) const override;

private:
    at::Tensor pool(const VisionTokens& tokens, const at::Tensor& stream, Forward& forward) const;

    AttentionPoolingSpec m_spec;
    int m_site = 0;
    LayerNorm m_finalNorm, m_norm;
    at::Tensor m_probe;
    Linear m_query, m_key, m_value, m_output;
    Mlp m_mlp;
};

}  // namespace fovea
