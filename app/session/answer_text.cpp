#include "answer_text.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "fovea/error.h"
#include "fovea/tokenizer.h"

namespace fovea {
namespace {

std::shared_ptr<const Tokenizer> tokenizerOrNull(const Model& model) {
    // Ids need no tokenizer.
    try {
        return model.tokenizer();
    } catch (const Error&) {
        return nullptr;
    }
}

AnswerText answerOf(const Model& model, const std::vector<int>& ids) {
    AnswerText answer;
    answer.ids = ids;
    for (const int id : ids) answer.tokens.push_back(model.tokenText(id));
    const auto tokenizer = tokenizerOrNull(model);
    answer.text = tokenizer ? tokenizer->decode(ids, SkipSpecial::Yes) : fmt::format("{}", fmt::join(ids, " "));
    return answer;
}

}  // namespace

std::optional<AnswerText> answerText(Engine& engine, const Session& session, int item, const JobContext& job) {
    if (session.input.maxNewTokens > 0)
        return answerOf(*engine.model(session, job), engine.answer(session, item, {}, job)->ids);
    AnswerText recorded;
    for (const StageTokens& stage : engine.tokens(session, item, job)->stages)
        for (const Token& token : stage.tokens)
            if (token.kind == TokenKind::Generated) recorded.tokens.push_back(token.text);
    if (recorded.tokens.empty()) return {};
    for (const std::string& token : recorded.tokens) recorded.text += token;
    return recorded;
}

GenerationRules rulesInForce(const Model& model, const Session& session) {
    GenerationRules rules = model.spec().generation;
    const Sampling& sampling = session.input.sampling;
    if (sampling.repetitionPenalty) rules.repetitionPenalty = *sampling.repetitionPenalty;
    return rules;
}

nlohmann::ordered_json toJson(const AnswerText& answer) {
    return {{"text", answer.text}, {"ids", answer.ids}, {"tokens", answer.tokens}};
}

}  // namespace fovea
