#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fovea/seen_pictures.h"
#include "nn/decoder.h"
#include "nn/transformer_model.h"
#include "nn/vlm_family.h"
#include "nn/vlm_prompt.h"
#include "nn/vlm_tokens.h"

namespace fovea {

/// What a vision-language family hands over.
struct VlmParts {
    std::unique_ptr<VisionTower> tower;
    DecoderSpec decoder;
    std::unique_ptr<VlmFamily> family;
    VlmTokenIds tokens;
    std::shared_ptr<const VlmPrompts> prompts;  ///< what prompts are encoded with
    std::vector<int> endTokens;
    GenerationRules rules;
    std::vector<std::string> ignored, notices;
};

/// An encoded prompt with its pictures: one sequence of the decoder.
class VlmInput : public LanguageInput, public SeenPictures {
public:
    at::Tensor tokens;     // int64 [1, n], ids of pictures beyond the vocabulary replaced
    at::Tensor positions;  // int64 [n], or [rows, n]
    std::int64_t ahead = 0;  ///< by how much the position of the next token exceeds its place
    DecoderMask mask;
    at::Tensor places;                            // int64 [image tokens], where they stand in the sequence
    std::vector<std::vector<FeatureCell>> cells;  ///< of every picture
    std::vector<PictureViews> views;              ///< likewise
    std::vector<std::string> partPrefixes;        ///< of every pass of all pictures; empty strings for a lone pass
    std::vector<TokenMap> partTokens;             ///< likewise
};

/// A vision tower whose features stand in the place of image tokens in a decoder's text.
class VlmModel : public TransformerModel {
public:
    explicit VlmModel(VlmParts parts);

    std::shared_ptr<const ModelInput> encode(const UserInput& input) const override;
    void run(const ModelInput& input, int item, Forward& forward) const override;
    void runNext(const ModelInput& input, int item, const std::vector<int>& ids, Forward& forward) const override;
    std::shared_ptr<ModelInput> withAnswer(const ModelInput& input, int item, const std::vector<int>& ids) const override;
    MemoryEstimate estimate(const ModelInput& input, const CaptureRequest& capture, bool gradients) const override;
    std::vector<int> endTokens() const override { return m_endTokens; }
    std::vector<std::int64_t> sampleFrames(const VideoTiming& film) const override { return m_prompts->sampleFrames(film); }
    std::string tokenText(int id) const override;
    Array readOut(const Array& rows) const override { return m_decoder.readOut(rows); }
    std::shared_ptr<const Tokenizer> tokenizer() const override { return m_prompts->reader().sharedTokenizer(); }

protected:
    void describe(ModelSpec& spec) override;
    void visit(WeightVisitor& weights) override;
    void runItem(Forward&) const override {}
    std::vector<StageCost> costs() const override;
    std::vector<std::string> ignoredWeights() const override { return m_ignored; }

private:
    struct Vision {
        at::Tensor tokens;             // [image tokens, hidden]
        std::vector<at::Tensor> deep;  // likewise
    };
    std::vector<InputTensor> accepted() const;
    std::shared_ptr<const ModelInput> fromTensors(const UserInput& input) const;
    std::shared_ptr<const ModelInput> fromPrompt(const UserInput& input) const;
    std::shared_ptr<const ModelInput> fromEncoded(PromptTensors prompt) const;
    /// Cells, tokens, positions and mask of a prompt whose tensors are there.
    void complete(VlmInput& input, const TensorItem& item, const std::vector<VlmPicture>& pictures) const;
    void describePrompt(VlmInput& input, const PromptTensors& prompt) const;
    void describeText(VlmInput& input, const TensorItem& item, const std::vector<VlmPicture>& pictures) const;
    void describePictures(VlmInput& input, const std::vector<VlmPicture>& pictures) const;
    Vision see(const VlmInput& input, Forward& forward) const;
    /// The same, or what an earlier answer has seen.
    Vision seen(const VlmInput& input, Forward& forward) const;

    std::unique_ptr<VisionTower> m_tower;
    Decoder m_decoder;
    std::unique_ptr<VlmFamily> m_family;
    VlmTokenIds m_tokens;
    std::vector<int> m_endTokens;
    GenerationRules m_rules;
    std::vector<std::string> m_ignored;
    std::shared_ptr<const VlmPrompts> m_prompts;
};

}  // namespace fovea
