// The engine's answers as the window shows them.
#include <algorithm>
#include <cmath>
#include <optional>

#include "compute/engine_driver.h"
#include "fovea/tokenizer.h"

namespace fovea::gui {

namespace {

/// Turns generated tokens into what the window shows of them, one after the other.
class Teller {
public:
    Teller(const Model& model, std::shared_ptr<const Tokenizer> tokenizer, int promptLength)
        : m_model(model), m_next(promptLength) {
        if (tokenizer) m_decoder.emplace(std::move(tokenizer));
    }

    AnswerToken tell(const GeneratedToken& token) {
        AnswerToken told;
        told.id = token.id;
        told.index = m_next++;
        told.piece = m_decoder ? m_decoder->push(token.id) : " " + std::to_string(token.id);
        told.spelling = m_model.tokenText(token.id);
        told.probability = std::exp(token.logProbability);
        for (const Candidate& candidate : token.candidates)
            told.candidates.emplace_back(m_model.tokenText(candidate.id), std::exp(candidate.logProbability));
        return told;
    }
    std::string rest() { return m_decoder ? m_decoder->finish() : std::string(); }

private:
    const Model& m_model;
    int m_next;
    std::optional<StreamingDecoder> m_decoder;
};

std::shared_ptr<const Tokenizer> tokenizerOf(const Model& model, const Session& session) {
    if (session.input.tensors.empty()) return model.tokenizer();
    // Ids need no tokenizer: where there is none, ids come out.
    try {
        return model.tokenizer();
    } catch (const Error&) {
        return nullptr;
    }
}

}  // namespace

std::shared_ptr<const TextAnswer> EngineDriver::answer(const Session& session, int item, const AnswerCallback& onToken,
                                                       const JobContext& job) {
    const auto model = m_engine.model(session, job.part(0, 0.1));
    const auto input = m_engine.input(session, job.part(0.1, 0.2));
    if (item < 0 || item >= input->count()) throw Error("there is no such item", {}, ErrorCode::Usage);
    Teller teller(*model, tokenizerOf(*model, session),
                  input->maps[static_cast<std::size_t>(item)].stage("text").size());
    auto answer = std::make_shared<TextAnswer>();
    // The model tree's numbers and other layers are asked for next.
    CaptureRequest besides;
    besides.qkv = besides.lse = true;
    const auto generated = m_engine.answer(
        session, item,
        [&](const GeneratedToken& token) {
            answer->tokens.push_back(teller.tell(token));
            if (onToken) onToken(answer->tokens.back());
        },
        job.part(0.2, 1), besides);
    const std::string rest = teller.rest();
    if (!answer->tokens.empty()) answer->tokens.back().piece += rest;
    answer->stop = generated->stop;
    answer->map = generated->trace->tokens();
    const int length = answer->map.stage("text").size();
    for (AnswerToken& token : answer->tokens)
        if (token.index >= length) token.index = -1;
    return answer;
}

}  // namespace fovea::gui
