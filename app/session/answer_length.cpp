#include "answer_length.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/error.h"

namespace fovea {
namespace {

constexpr int kMost = 1 << 20;  // as a session may say

}  // namespace

AnswerLength usualAnswerLength(const GenerationRules& rules, int promptTokens, int usual) {
    if (rules.maxNewTokens > 0) return {std::min(rules.maxNewTokens, kMost), "max_new_tokens", 0};
    if (rules.maxLength == 0) return {usual, {}, 0};
    if (rules.maxLength <= promptTokens)
        throw Error(fmt::format("generation_config.json: max_length: expected more than the prompt's {} tokens, found {}",
                                promptTokens, rules.maxLength),
                    "say how long the answer may be with --max-new-tokens", ErrorCode::Usage);
    return {std::min(rules.maxLength - promptTokens, kMost), "max_length", 0};
}

AnswerLength usualAnswerLength(Engine& engine, const Session& session, int usual, const JobContext& job) {
    const auto model = engine.model(session, job.part(0, 0.5));
    const auto input = engine.input(session, job.part(0.5, 1));
    AnswerLength length = usualAnswerLength(model->spec().generation, input->maps.at(0).stage("text").size(), usual);
    Session asked = session;
    const auto tooLong = [&] {
        asked.input.maxNewTokens = length.tokens;
        return engine.estimate(asked, job.part(1, 1)).run() > engine.budget(asked);
    };
    // What is refused at the usual length is refused by the run, with its reasons.
    const int wanted = length.tokens;
    while (length.tokens > usual && tooLong()) length.tokens = std::max(usual, length.tokens / 2);
    if (length.tokens < wanted) length.shortenedFrom = wanted;
    return length;
}

}  // namespace fovea
