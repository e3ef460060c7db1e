#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/decoder.h"
#include "nn/input_tensors.h"
#include "nn/prompt_reader.h"
#include "nn/transformer_model.h"

namespace fovea {

/// What a family of language models hands over.
struct LanguageParts {
    DecoderSpec decoder;
    std::shared_ptr<const PromptReader> reader;  ///< null for lone weight files
    std::vector<int> endTokens;
    GenerationRules rules;
    bool tokenTypes = false;  ///< token_type_ids pick rows of the token embedding that are added (GPT-2)
    std::vector<std::string> ignored, notices;
};

/// A decoder on its own: `logits` of every position, or, of a bare model, `last_hidden_state`.
class LanguageModel : public TransformerModel {
public:
    explicit LanguageModel(LanguageParts parts);

    std::shared_ptr<const ModelInput> encode(const UserInput& input) const override;
    void runNext(const ModelInput& input, int item, const std::vector<int>& ids, Forward& forward) const override;
    std::shared_ptr<ModelInput> withAnswer(const ModelInput& input, int item, const std::vector<int>& ids) const override;
    std::int64_t longestSequence() const override;
    std::vector<int> endTokens() const override { return m_endTokens; }
    std::string tokenText(int id) const override;
    Array readOut(const Array& rows) const override { return m_decoder.readOut(rows); }
    std::shared_ptr<const Tokenizer> tokenizer() const override;

protected:
    void describe(ModelSpec& spec) override;
    void visit(WeightVisitor& weights) override { m_decoder.visit(weights); }
    void runItem(Forward& forward) const override;
    std::vector<StageCost> costs() const override { return {m_decoder.cost()}; }
    std::vector<std::string> ignoredWeights() const override { return m_ignored; }

private:
    std::vector<InputTensor> accepted() const;
    std::shared_ptr<const ModelInput> encodePrompt(const UserInput& input) const;

    Decoder m_decoder;
    std::shared_ptr<const PromptReader> m_reader;
    std::vector<int> m_endTokens;
    GenerationRules m_rules;
    bool m_tokenTypes;
    std::vector<std::string> m_ignored;
};

/// Checks the tensors of a text (input_ids or inputs_embeds, attention_mask, position_ids) against a decoder and says
/// what its tokens are, with the reader's words where there is one; throws Error (Input).
StageTokens textTokens(const TensorItem& item, const DecoderSpec& decoder, const PromptReader* reader);

/// The mask of a sequence of n tokens from attention_mask and position_ids (either may be undefined), with the
/// reference's reading of positions that do not follow on each other.
DecoderMask textMask(const at::Tensor& attentionMask, const at::Tensor& positionIds);

/// The mask of a sequence that has grown to `length` tokens: those of the answer are text that is seen.
DecoderMask continued(const DecoderMask& mask, std::int64_t length);

/// Positions [n] of a sequence that has grown to `length` tokens: those of the answer go on behind the largest one.
at::Tensor continuedPositions(const at::Tensor& positions, std::int64_t length);

/// Token ids as int64 [1, n].
at::Tensor nextTokens(const std::vector<int>& ids, at::Device device);

/// `ids` [1, n] followed by others, of the same type.
at::Tensor followedBy(const at::Tensor& ids, const std::vector<int>& others);

/// Records `logits` of the positions that a run asks for (Forward::toReadOut).
void outputLogits(const Decoder& decoder, const at::Tensor& hidden, Forward& forward);

/// Builds and loads a language model of the Llama line or GPT-2 whose files are those of `modelType`.
std::shared_ptr<const Model> loadLanguageModel(const std::string& modelType, const ModelSource& source,
                                               const LoadOptions& options, const JobContext& job);

}  // namespace fovea
