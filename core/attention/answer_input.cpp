#include "attention/answer_input.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/error.h"
#include "fovea/tokenizer.h"

namespace fovea {
namespace {

constexpr const char* kAnswerStage = "text";

std::shared_ptr<const Tokenizer> answerTokenizer(const Model& model) {
    try {
        return model.tokenizer();
    } catch (const Error&) {
        return nullptr;  // ids that came as tensors need none
    }
}

int promptLengthOf(const ModelInput& input, int item) {
    for (const StageTokens& stage : input.maps.at(static_cast<std::size_t>(item)).stages)
        if (stage.stage == kAnswerStage) return stage.size();
    return 0;
}

}  // namespace

// Ends and other special tokens are no words of the answer: what looks from the answer leaves them out.
void addAnswer(TokenMap& map, const Model& model, const std::set<int>& ends, const std::vector<int>& ids,
               std::size_t count) {
    const std::shared_ptr<const Tokenizer> tokenizer = answerTokenizer(model);
    for (StageTokens& stage : map.stages)
        if (stage.stage == kAnswerStage)
            for (std::size_t i = 0; i < count; ++i) {
                Token token;
                token.index = stage.size();
                const bool special = ends.count(ids[i]) > 0 || (tokenizer && tokenizer->isSpecial(ids[i]));
                token.kind = special ? TokenKind::Special : TokenKind::Generated;
                token.text = model.tokenText(ids[i]);
                stage.tokens.push_back(std::move(token));
            }
}

const ModelInput& inputOf(const Model& model, const ModelInput& input, const RunSpec& spec,
                          std::shared_ptr<const ModelInput>& holder) {
    if (spec.answer.empty()) return input;
    const auto length = static_cast<std::int64_t>(promptLengthOf(input, spec.item)) + static_cast<std::int64_t>(spec.answer.size());
    if (const std::int64_t limit = model.longestSequence(); limit > 0 && length > limit)
        throw Error(fmt::format("a prompt and an answer of {} tokens together: the model takes {}", length, limit),
                    "shorten the prompt, or ask for fewer tokens", ErrorCode::Usage);
    const std::shared_ptr<ModelInput> longer = model.withAnswer(input, spec.item, spec.answer);
    const std::vector<int> ends = model.endTokens();
    addAnswer(longer->maps.at(static_cast<std::size_t>(spec.item)), model, {ends.begin(), ends.end()}, spec.answer,
              spec.answer.size());
    holder = longer;
    return *holder;
}

void keepAnswer(const ModelInput& prompt, RunSpec& spec) {
    if (spec.answer.empty()) return;
    const int length = promptLengthOf(prompt, spec.item);
    for (TokenPrune& prune : spec.edits.prunes)
        if (prune.stage == kAnswerStage) std::erase_if(prune.dropped, [&](int token) { return token >= length; });
}

}  // namespace fovea
