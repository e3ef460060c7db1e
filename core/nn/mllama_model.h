#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/decoder_spec.h"
#include "nn/towers/mllama_tower.h"
#include "nn/vlm_prompt.h"

namespace fovea {

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
        std::shared_ptr<const VlmPrompts> prompts;
    };
    explicit MllamaModel(Parts parts);

    std::shared_ptr<const ModelInput> encode(const UserInput& input) const override;

protected:
    void describe(ModelSpec& spec) override;
    void visit(WeightVisitor& weights) override;
    void runItem(Forward& forward) const override;
    std::vector<StageCost> costs() const override;

private:
    struct Block {
        bool cross = false;
        Norm norm1, norm2, queryNorm, keyNorm;
        Linear query, key, value, output;
        Mlp mlp;
        at::Tensor attentionGate, mlpGate;
    };
    /// What the cross blocks of a run see.
    struct Picture {
        at::Tensor states;  // [1, keys, hidden], or undefined without a picture
        at::Tensor bias;    // [1, 1, n, keys], or undefined
        at::Tensor rows;    // [1, n, 1], 0 for tokens that see no picture, or undefined
    };
    std::vector<InputTensor> accepted() const;
    std::shared_ptr<const ModelInput> fromPrompt(const UserInput& user) const;
    /// The tokens of the vision stage where there is one picture, with their rectangles.
    void describePicture(TokenMap& map, const TensorItem& item, const VisionImage* image) const;
    DecoderSpec textLimits() const;
    Picture see(Forward& forward) const;
    void addCrossMask(Picture& picture, const at::Tensor& mask) const;
    at::Tensor selfAttention(int index, const at::Tensor& x, const RotaryTable& rope, const at::Tensor& bias,
                             Forward& forward) const;
    at::Tensor crossAttention(int index, const at::Tensor& x, const Picture& picture, Forward& forward) const;
    at::Tensor finish(const Block& block, AttentionCall& call, const at::Tensor& x, Forward& forward) const;

    Parts m_parts;
    MllamaTower m_tower;
    std::vector<Block> m_blocks;
    at::Tensor m_embedding;
    Linear m_projector, m_head;
    Norm m_finalNorm;
    int m_firstSite = 0;
};

}  // namespace fovea
