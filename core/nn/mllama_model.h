#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fovea/seen_pictures.h"
#include "nn/decoder_mask.h"
#include "nn/decoder_spec.h"
#include "nn/towers/mllama_tower.h"
#include "nn/vlm_prompt.h"

namespace fovea {

/// An encoded input with what its tower reads of each picture.
class MllamaInput : public LanguageInput, public SeenPictures {
public:
    std::vector<TokenMap> pictureTokens;  ///< one map a picture, of stage "vision"
};

/// A language model some of whose blocks attend to a picture through gates instead of to the text (Llama 3.2 Vision,
/// Meta 2024). Sites "text.N.self" or "text.N.cross".
class MllamaModel : public TransformerModel {
public:
    struct Parts {
        MllamaTowerSpec tower;
        DecoderSpec decoder;                   ///< of a Llama; names of its self-attention blocks
        std::vector<std::int64_t> crossBlocks;  ///< those that attend to the picture
        std::string projector;
        std::int64_t imageToken = 128256;
        std::vector<int> endTokens;
        GenerationRules rules;
        std::shared_ptr<const VlmPrompts> prompts;
    };
    explicit MllamaModel(Parts parts);

    std::shared_ptr<const ModelInput> encode(const UserInput& input) const override;
    void run(const ModelInput& input, int item, Forward& forward) const override;
    MemoryEstimate estimate(const ModelInput& input, const CaptureRequest& capture, bool gradients) const override;
    void runNext(const ModelInput& input, int item, const std::vector<int>& ids, Forward& forward) const override;
    std::shared_ptr<ModelInput> withAnswer(const ModelInput& input, int item, const std::vector<int>& ids) const override;
    std::vector<int> endTokens() const override { return m_parts.endTokens; }
    std::string tokenText(int id) const override { return m_parts.prompts->reader().shown(id); }
    Array readOut(const Array& rows) const override;
    std::shared_ptr<const Tokenizer> tokenizer() const override { return m_parts.prompts->reader().sharedTokenizer(); }

protected:
    void describe(ModelSpec& spec) override;
    void visit(WeightVisitor& weights) override;
    void runItem(Forward&) const override {}
    std::vector<StageCost> costs() const override;

private:
    struct Block {
        bool cross = false;
        Norm norm1, norm2, queryNorm, keyNorm;
        Linear query, key, value, output;
        Mlp mlp;
        at::Tensor attentionGate, mlpGate;
    };
    /// What the cross blocks of a pass see.
    struct Picture {
        bool seen = false;
        at::Tensor states;  // [1, keys, hidden]; undefined where the cache holds what is made of it
        at::Tensor bias;    // [1, 1, n, keys], or undefined
        at::Tensor rows;    // [1, n, 1], 0 for tokens that see no picture, or undefined
    };
    /// The text of a pass: new tokens, and what they may see.
    struct Pass {
        at::Tensor ids, positions;  // [1, n], [n]
        DecoderMask mask;
        Picture picture;
    };
    std::vector<InputTensor> accepted() const;
    std::shared_ptr<const ModelInput> fromPrompt(const UserInput& user) const;
    /// The tower's tokens of one picture with the pixels they read; without `image` every tile is a picture.
    TokenMap pictureMap(const at::Tensor& mask, const VisionImage* image) const;
    void describePictures(MllamaInput& input, const TensorItem& item, const std::vector<VisionImage>& images) const;
    DecoderSpec textLimits() const;
    /// What the tower makes of all pictures, [1, keys, hidden].
    at::Tensor towerStates(const ModelInput& input, Forward& forward) const;
    Picture see(const ModelInput& input, Forward& forward) const;
    void addCrossMask(Picture& picture, const at::Tensor& mask) const;
    void runText(const Pass& pass, Forward& forward) const;
    void maskSelf(AttentionCall& call, const Pass& pass, const Forward& forward) const;
    at::Tensor selfAttention(int index, const at::Tensor& x, const RotaryTable& rope, const Pass& pass,
                             Forward& forward) const;
    at::Tensor crossAttention(int index, const at::Tensor& x, const Picture& picture, Forward& forward) const;
    at::Tensor finish(const Block& block, AttentionCall& call, const at::Tensor& x, Forward& forward) const;

    Parts m_parts;
    MllamaTower m_tower;
    std::vector<Block> m_blocks;
    Linear m_embedding;
    Linear m_projector, m_head;
    Norm m_finalNorm;
    int m_firstSite = 0;
};

}  // namespace fovea
