#pragma once

#include <string>
#include <vector>

#include "fovea/model.h"
#include "nn/activation.h"
#include "nn/layer_norm.h"
#include "nn/linear.h"
#include "nn/vision_transformer.h"

namespace fovea {

class Forward;

/// What follows the last block of a vision tower: norms, pooling, classifiers; names the model's outputs.
class VisionHead {
public:
    virtual ~VisionHead() = default;
    /// Adds attention sites of its own (attention pooling).
    virtual void describe(ModelSpec&) {}
    virtual void visit(WeightVisitor& weights) = 0;
    /// Names the outputs of a model that is one tower.
    virtual void run(const VisionTokens& tokens, Forward& forward) const = 0;
    /// The vector that a model of image and text compares, [1, size]; not normalised.
    virtual at::Tensor embed(const VisionTokens& tokens, Forward& forward) const;
};

/// Which tokens become one vector.
enum class Pooling {
    None,  ///< no pooled output
    ClassToken,
    PatchMean,
    ClassAndPatches,  ///< class token and patch mean, side by side (DINOv2)
    Mean,             ///< of all real tokens
};

/// The usual head as data. An empty path: that part is not there.
struct StandardHeadSpec {
    std::int64_t hidden = 768;
    double eps = 1e-6;
    std::string finalNorm;   ///< on every token
    std::string pooledNorm;  ///< on the pooled vector
    Pooling pooling = Pooling::ClassToken;
    std::string dense;  ///< matrix after pooling (ViT's pooler), with an activation
    std::int64_t denseSize = 768;
    Need denseNeed = Need::Optional;
    Activation denseActivation = Activation::Tanh;
    std::string classifier;  ///< then the only output is `logits`
    std::int64_t labels = 0;
    std::string projection;  ///< matrix without bias on the pooled vector: output `image_embeds`
    std::int64_t projectionSize = 0;
};

/// Outputs `logits` with a classifier, else `last_hidden_state` and, where it pools, `pooler_output`.
class StandardHead : public VisionHead {
public:
    explicit StandardHead(StandardHeadSpec spec) : m_spec(std::move(spec)) {}
    void visit(WeightVisitor& weights) override;
    void run(const VisionTokens& tokens, Forward& forward) const override;
    at::Tensor embed(const VisionTokens& tokens, Forward& forward) const override;

private:
    at::Tensor pooled(const VisionTokens& tokens, const at::Tensor& stream) const;

    StandardHeadSpec m_spec;
    LayerNorm m_finalNorm, m_pooledNorm;
    Linear m_dense, m_classifier, m_projection;
};

}  // namespace fovea
