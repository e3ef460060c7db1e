#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nn/blip_text.h"
#include "nn/vision_transformer.h"
#include "nn/vlm_prompt.h"

namespace fovea {

/// A picture described, or a question about it answered, by a decoder that attends in every block to the picture, or to
/// the question as a second stack has read it with the picture (Li et al. 2022): `logits` of the decoder's tokens,
/// `image_embeds` and `last_hidden_state` of the picture, `question_embeds` of a question.
class BlipModel : public TransformerModel {
public:
    struct Parts {
        VisionTransformerSpec tower;
        std::string finalNorm;
        std::optional<BlipTextSpec> question;
        BlipTextSpec decoder;
        std::string head = "text_decoder.cls.predictions.";
        int beginToken = 30522;  ///< what a caption or an answer begins with
        int endToken = 102;
        std::shared_ptr<const VlmPrompts> prompts;
        std::vector<std::string> ignored;
    };
    explicit BlipModel(Parts parts);

    /// A prompt is how a caption begins, or a question.
    std::shared_ptr<const ModelInput> encode(const UserInput& input) const override;
    void runNext(const ModelInput& input, int item, const std::vector<int>& ids, Forward& forward) const override;
    std::shared_ptr<ModelInput> withAnswer(const ModelInput& input, int item, const std::vector<int>& ids) const override;
    std::vector<int> endTokens() const override { return {m_parts.endToken}; }
    std::int64_t longestSequence() const override { return m_parts.decoder.positions; }
    std::string tokenText(int id) const override { return m_parts.prompts->reader().shown(id); }
    Array readOut(const Array& rows) const override;
    std::shared_ptr<const Tokenizer> tokenizer() const override { return m_parts.prompts->reader().sharedTokenizer(); }

protected:
    void describe(ModelSpec& spec) override;
    void visit(WeightVisitor& weights) override;
    void runItem(Forward& forward) const override;
    std::vector<StageCost> costs() const override;
    std::vector<std::string> ignoredWeights() const override { return m_parts.ignored; }

private:
    std::vector<InputTensor> accepted() const;
    at::Tensor see(Forward& forward) const;
    at::Tensor read(const at::Tensor& picture, Forward& forward) const;
    BlipTextPass decoderPass(Forward& forward) const;
    Linear head() const;
    void outputLogits(const at::Tensor& x, Forward& forward) const;
    std::shared_ptr<const ModelInput> fromTensors(const UserInput& user) const;
    std::shared_ptr<const ModelInput> fromPrompt(const UserInput& user) const;
    StageTokens pictureTokens(const TensorItem& item, const PixelTransform* transform) const;
    StageTokens textTokensOf(const TensorItem& item, const BlipTextSpec& text, const std::string& prefix) const;

    Parts m_parts;
    VisionTransformer m_tower;
    LayerNorm m_finalNorm;
    std::optional<BlipText> m_question;
    BlipText m_decoder;
    at::Tensor m_headWeight, m_headBias, m_otherBias;
    Linear m_headDense;
    Norm m_headNorm;
};

}  // namespace fovea
