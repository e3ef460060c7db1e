#include <fmt/format.h>

#include <algorithm>

#include "content_key.h"
#include "engine_state.h"
#include "fovea/error.h"

namespace fovea {
namespace {

constexpr std::size_t kMaxAnswers = 2;

std::shared_ptr<const RunResult> runOf(const Generation& answer, const ModelInput& input) {
    auto run = std::make_shared<RunResult>();
    run->trace = answer.trace;
    run->estimate = answer.estimate;
    run->routes = answer.routes;
    run->notices = input.notices;
    run->notices.insert(run->notices.end(), answer.notices.begin(), answer.notices.end());
    if (answer.stop == StopReason::Cancelled) run->notices.push_back("the answer was stopped before its end");
    return run;
}

}  // namespace

std::shared_ptr<const GenerationState> Engine::Impl::earlierAnswer(const std::string& question, const Model& model,
                                                                   const ModelInput& input, GenerateSpec spec) const {
    std::shared_ptr<const GenerationState> best;
    ResumePoint most;
    for (const auto& known : latestAnswers) {
        if (known->question != question || !known->answer->state) continue;
        spec.resume = known->answer->state;
        if (const ResumePoint kept = resumesAt(model, input, spec); !best || kept > most) {
            most = kept;
            best = spec.resume;
        }
    }
    return best;
}

std::shared_ptr<const Engine::Impl::Answered> Engine::Impl::answered(const Session& session,
                                                                    const std::vector<Intervention>& edits, int item,
                                                                    const Needs& needs, const TokenCallback& onToken,
                                                                    const JobContext& job) {
    const auto opened = openedModel(session, job.part(0, 0.1));
    const auto input = encodedInput(session, job.part(0.1, 0.2));
    checkIndex(item, input->maps.size(), "item");
    if (needs.attentionGradients)
        throw Error("gradients of an answer are not computed", "leave --max-new-tokens out: the prompt's next token serves",
                    ErrorCode::Usage);
    const std::string question = fmt::format("answer item {}\n{}\n{}\n{}", item, inputKey(session),
                                             content_key::ofStrengths(session.model),
                                             content_key::ofAnswer(session.input, session.seed));
    const std::string key = question + "\n" + content_key::ofEdits(edits);
    for (const auto& known : latestAnswers) {
        if (known->key != key || !covers(known->capture, needs.capture)) continue;
        if (onToken)
            for (const GeneratedToken& token : known->answer->steps) onToken(token);
        return known;
    }
    GenerateSpec spec;
    spec.item = item;
    spec.maxNewTokens = session.input.maxNewTokens;
    spec.sampling = session.input.sampling;
    spec.sampling.seed = session.seed;
    spec.capture = needs.capture;
    spec.budget = budget(session);
    spec.adapterStrengths = adapterStrengths(session.model);
    spec.edits = plan(session, edits, item, job.part(0.2, 0.4));
    // All rows where they fit: maps are square then, as those of a plain run.
    spec.rows = RecordedRows::All;
    if (opened->spec().capabilities.generate && estimateGeneration(*opened, *input, spec).run() > spec.budget)
        spec.rows = RecordedRows::Answer;
    spec.keepState = checkpoints;
    spec.resume = earlierAnswer(question, *opened, *input, spec);
    auto entry = std::make_shared<Answered>();
    entry->question = question;
    entry->key = key;
    entry->capture = needs.capture;
    entry->answer =
        std::make_shared<const Generation>(generate(*opened, *input, spec, onToken, job.part(0.4, 1)));
    entry->run = runOf(*entry->answer, *input);
    // A stopped answer is not what the session says.
    if (entry->answer->stop != StopReason::Cancelled) {
        latestAnswers.remove_if([&](const auto& known) { return known->key == key; });
        latestAnswers.push_front(entry);
        if (latestAnswers.size() > kMaxAnswers) latestAnswers.pop_back();
    }
    return entry;
}

std::shared_ptr<const TokenMap> Engine::Impl::tokens(const Session& session, int item, const JobContext& job) {
    if (session.input.maxNewTokens > 0) {
        const Needs record = needs(session, openedModel(session, job)->spec());
        const auto run = answered(session, session.edits, item, record, {}, job)->run;
        return {run, &run->trace->tokens()};
    }
    const auto input = encodedInput(session, job);
    checkIndex(item, input->maps.size(), "item");
    return {input, &input->maps[static_cast<std::size_t>(item)]};
}

std::shared_ptr<const TokenMap> Engine::tokens(const Session& session, int item, const JobContext& job) {
    return m_impl->tokens(session, item, job);
}

std::shared_ptr<const Generation> Engine::answer(const Session& session, int item, const TokenCallback& onToken,
                                                 const JobContext& job, const CaptureRequest& besides) {
    const auto opened = model(session, job.part(0, 0.1));
    Needs needs = m_impl->needs(session, opened->spec());
    GenerateSpec spec;
    spec.item = item;
    spec.maxNewTokens = std::max(1, session.input.maxNewTokens);
    spec.capture = united(needs.capture, besides);
    const auto encoded = input(session, job.part(0.1, 0.2));
    // What is only convenient to have must not make an answer impossible.
    if (opened->spec().capabilities.generate && estimateGeneration(*opened, *encoded, spec).run() <= budget(session))
        needs.capture = spec.capture;
    return m_impl->answered(session, session.edits, item, needs, onToken, job.part(0.2, 1))->answer;
}

}  // namespace fovea
