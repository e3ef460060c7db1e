#include "nn/vision_head.h"

#include <ATen/ops/cat.h>

#include "attention/forward.h"
#include "fovea/error.h"

namespace fovea {

at::Tensor VisionHead::embed(const VisionTokens&, Forward&) const {
    throw Error("this head makes no image embedding", {}, ErrorCode::Internal);
}

void StandardHead::visit(WeightVisitor& weights) {
    const std::int64_t hidden = m_spec.hidden;
    m_finalNorm.eps = m_pooledNorm.eps = m_spec.eps;
    if (!m_spec.finalNorm.empty()) weights.norm(m_finalNorm, m_spec.finalNorm, hidden);
    if (!m_spec.pooledNorm.empty()) weights.norm(m_pooledNorm, m_spec.pooledNorm, hidden);
    if (!m_spec.dense.empty()) {
        m_dense.name = m_spec.dense;
        weights.tensor(m_dense.weight, m_spec.dense + ".weight", {m_spec.denseSize, hidden},
                       m_spec.denseNeed);
        weights.tensor(m_dense.bias, m_spec.dense + ".bias", {m_spec.denseSize}, m_spec.denseNeed);
        weights.matrix({m_spec.dense, {{m_dense, 0}}});
    }
    const std::int64_t width =
        m_spec.pooling == Pooling::ClassAndPatches && !m_spec.classifier.empty() ? 2 * hidden : hidden;
    if (!m_spec.classifier.empty()) weights.linear(m_classifier, m_spec.classifier, m_spec.labels, width);
    if (!m_spec.projection.empty())
        weights.linear(m_projection, m_spec.projection, m_spec.projectionSize, hidden, Bias::None);
}

at::Tensor StandardHead::pooled(const VisionTokens& tokens, const at::Tensor& stream) const {
    switch (m_spec.pooling) {
        case Pooling::None:
            return {};
        case Pooling::ClassToken:
            return tokens.token(stream, 0);
        case Pooling::PatchMean:
            return tokens.patchMean(stream);
        case Pooling::ClassAndPatches:
            // A bare DINOv2 model pools the class token alone.
            if (m_spec.classifier.empty()) return tokens.token(stream, 0);
            return at::cat({tokens.token(stream, 0), tokens.patchMean(stream)}, 1);
        case Pooling::Mean:
            break;
    }
    return tokens.mean(stream);
}

at::Tensor StandardHead::embed(const VisionTokens& tokens, Forward& forward) const {
    at::Tensor vector = pooled(tokens, m_finalNorm.defined() ? m_finalNorm(tokens.hidden) : tokens.hidden);
    if (m_pooledNorm.defined()) vector = m_pooledNorm(vector);
    return m_projection.weight.defined() ? forward.linear(m_projection, vector) : vector;
}

void StandardHead::run(const VisionTokens& tokens, Forward& forward) const {
    const at::Tensor stream = m_finalNorm.defined() ? m_finalNorm(tokens.hidden) : tokens.hidden;
    at::Tensor vector = pooled(tokens, stream);
    if (m_pooledNorm.defined()) vector = m_pooledNorm(vector);
    if (m_classifier.weight.defined()) {
        forward.output("logits", forward.linear(m_classifier, vector));
        return;
    }
    forward.output("last_hidden_state", stream);
    if (m_projection.weight.defined()) {
        forward.output("image_embeds", forward.linear(m_projection, vector));
        return;
    }
    if (!m_spec.dense.empty() && !m_dense.weight.defined()) return;
    if (m_dense.weight.defined()) vector = activate(m_spec.denseActivation, forward.linear(m_dense, vector));
    if (vector.defined()) forward.output("pooler_output", vector);
}

}  // namespace fovea
