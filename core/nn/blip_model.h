#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/norm.h"
#include "nn/transformer_model.h"
#include "nn/vision_transformer.h"
#include "nn/vlm_prompt.h"

namespace fovea {

/// BLIP's text decoder as data: post-norm blocks with self-attention and attention to the picture.
struct BlipTextSpec {
    std::string stage = "text";
    std::int64_t hidden = 768, encoderHidden = 768, intermediate = 3072, vocabulary = 30524, positions = 512;
    int layers = 12, heads = 8, headDim = 96;
    double eps = 1e-12;
    Activation activation = Activation::Gelu;
    std::string prefix = "text_decoder.";
};

/// A picture described by a decoder that attends to it in every block (Li et al. 2022): `logits` of every position,
/// `image_embeds` and `last_hidden_state` of the picture. Sites "text.N.self" and "text.N.cross".
class BlipModel : public TransformerModel {
public:
    struct Parts {
        VisionTransformerSpec tower;
        std::string finalNorm;
        BlipTextSpec text;
        std::shared_ptr<const VlmPrompts> prompts;
        std::vector<std::string> ignored;
    };
    explicit BlipModel(Parts parts);

    std::shared_ptr<const ModelInput> encode(const UserInput& input) const override;

protected:
    void describe(ModelSpec& spec) override;
    void visit(WeightVisitor& weights) override;
    void runItem(Forward& forward) const override;
    std::vector<StageCost> costs() const override;
    std::vector<std::string> ignoredWeights() const override { return m_parts.ignored; }

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
    std::vector<InputTensor> accepted() const;
    void visitAttention(WeightVisitor& weights, Attention& attention, const std::string& path, std::int64_t keys) const;
    at::Tensor attend(const Attention& weights, int site, const at::Tensor& x, const at::Tensor& source,
                      const at::Tensor& bias, Forward& forward) const;
    at::Tensor decode(const at::Tensor& picture, Forward& forward) const;
    StageTokens pictureTokens(const TensorItem& item, const PixelTransform* transform) const;
    StageTokens textTokensOf(const TensorItem& item) const;

    Parts m_parts;
    VisionTransformer m_tower;
    LayerNorm m_finalNorm;
    at::Tensor m_words, m_positions, m_headWeight, m_headBias, m_otherBias;
    Norm m_embeddingNorm, m_headNorm;
    Linear m_headDense;
    std::vector<Block> m_blocks;
    int m_firstSite = 0;
};

}  // namespace fovea
