#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/text_transformer.h"
#include "nn/tower_prompt.h"
#include "nn/transformer_model.h"
#include "nn/vision_head.h"
#include "nn/vision_input.h"

namespace fovea {

/// What a family of two towers hands over.
struct ContrastiveParts {
    VisionTransformerSpec tower;
    std::unique_ptr<VisionHead> head;
    TextTransformerSpec text;
    TowerPromptSpec prompt;
    std::shared_ptr<const PromptReader> reader;  ///< null for lone weight files
    bool logitBias = false;  ///< logits = exp(logit_scale) cos + logit_bias (SigLIP)
    std::vector<std::string> ignored;
};

/// Image and text towers compared by the cosine of their embeddings (CLIP, SigLIP). Runs the tower whose
/// input is there: with both, outputs `logits_per_image`, `logits_per_text`, `image_embeds` and
/// `text_embeds`; with one, its embedding, its `pooler_output` (the embedding before normalisation) and, for
/// text, `last_hidden_state`.
class ContrastiveModel : public TransformerModel {
public:
    ContrastiveModel(ContrastiveParts parts, ImageProcessor processor);

    std::shared_ptr<const ModelInput> encode(const UserInput& input) const override;
    std::string tokenText(int id) const override;
    std::shared_ptr<const Tokenizer> tokenizer() const override;

protected:
    void describe(ModelSpec& spec) override;
    void visit(WeightVisitor& weights) override;
    void runItem(Forward& forward) const override;
    std::vector<StageCost> costs() const override;
    std::vector<std::string> ignoredWeights() const override { return m_ignored; }

private:
    std::vector<InputTensor> accepted() const;

    VisionTransformer m_tower;
    std::unique_ptr<VisionHead> m_head;
    TextTransformer m_text;
    VisionInput m_input;
    TowerPromptSpec m_prompt;
    std::shared_ptr<const PromptReader> m_reader;
    bool m_hasLogitBias;
    at::Tensor m_logitScale, m_logitBias;
    std::vector<std::string> m_ignored;
};

/// Builds and loads a model of two towers.
std::shared_ptr<const Model> loadContrastiveModel(const std::string& family, ContrastiveParts parts,
                                                  const ModelSource& source, const LoadOptions& options,
                                                  const JobContext& job);

}  // namespace fovea
