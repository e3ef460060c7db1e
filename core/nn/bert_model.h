#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/bert_encoder.h"
#include "nn/input_tensors.h"
#include "nn/model_source.h"
#include "nn/prompt_reader.h"
#include "nn/sentence_pooling.h"
#include "nn/transformer_model.h"

namespace fovea {

/// What stands behind a BERT encoder.
enum class BertHead {
    None,            ///< last_hidden_state, and pooler_output where there is a pooler
    Words,           ///< logits over the vocabulary (masked language model)
    Classification,  ///< logits of the text
    Tokens,          ///< logits of every token
};

struct BertParts {
    BertSpec encoder;
    BertHead head = BertHead::None;
    bool pooler = true;
    bool tied = true;  ///< the word head reads out with the token embedding
    SentencePooling sentence;
    std::shared_ptr<const PromptReader> reader;
    std::vector<std::string> labels, ignored, notices;
};

/// BERT with one of its heads; folders of sentence encoders also give `sentence_embedding`.
class BertModel : public TransformerModel {
public:
    explicit BertModel(BertParts parts);

    std::shared_ptr<const ModelInput> encode(const UserInput& input) const override;
    std::string tokenText(int id) const override;
    std::shared_ptr<const Tokenizer> tokenizer() const override;

protected:
    void describe(ModelSpec& spec) override;
    void visit(WeightVisitor& weights) override;
    void amend(WeightPlan& plan) const override;
    void runItem(Forward& forward) const override;
    std::vector<StageCost> costs() const override { return {m_encoder.cost()}; }
    std::vector<std::string> ignoredWeights() const override { return m_parts.ignored; }

private:
    std::vector<InputTensor> accepted() const;
    StageTokens tokensOf(const TensorItem& item) const;
    at::Tensor pooled(const at::Tensor& hidden, Forward& forward) const;

    BertParts m_parts;
    BertEncoder m_encoder;
    Linear m_pooler, m_transform, m_words, m_classifier;
    LayerNorm m_transformNorm;
};

/// Builds and loads a BERT.
std::shared_ptr<const Model> loadBert(const ModelSource& source, const LoadOptions& options, const JobContext& job);

}  // namespace fovea
