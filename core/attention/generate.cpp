#include "fovea/generate.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/log_softmax.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "attention/answer_input.h"
#include "attention/answer_rules.h"
#include "attention/forward.h"
#include "attention/generation_state.h"
#include "attention/kv_cache.h"
#include "attention/sampling.h"
#include "fovea/error.h"
#include "fovea/run_estimate.h"

namespace fovea {
namespace {

constexpr const char* kStage = "text";

const TensorInput& tensorsOf(const Model& model, const ModelInput& input, const GenerateSpec& spec) {
    const auto* tensors = dynamic_cast<const TensorInput*>(&input);
    if (!model.spec().capabilities.generate || !tensors)
        throw Error(fmt::format("{}: expected a model that answers with text, found {} ({}), which does not",
                                model.spec().source, model.spec().architecture, model.spec().family),
                    "fovea-cli families lists what can be opened");
    if (spec.item < 0 || spec.item >= input.count())
        throw Error(fmt::format("item {} of an input with {} items", spec.item, input.count()), {}, ErrorCode::Usage);
    if (spec.maxNewTokens < 1)
        throw Error(fmt::format("an answer of {} tokens", spec.maxNewTokens), "ask for at least one", ErrorCode::Usage);
    return *tensors;
}

std::int64_t promptLength(const ModelInput& input, int item) {
    return static_cast<std::int64_t>(tokensOf(input, item, kStage));
}

int longestAnswer(const Model& model, const ModelInput& input, const GenerateSpec& spec) {
    const std::int64_t limit = model.longestSequence();
    if (limit == 0) return spec.maxNewTokens;
    // The last token of an answer need not be run.
    const std::int64_t room = limit - promptLength(input, spec.item) + 1;
    return static_cast<int>(std::clamp<std::int64_t>(room, 1, spec.maxNewTokens));
}

std::vector<int> promptIds(const TensorInput& input, int item) {
    const auto& tensors = input.items[static_cast<std::size_t>(item)];
    const auto found = tensors.find("input_ids");
    if (found == tensors.end()) return {};
    const at::Tensor plain = found->second.to(at::kCPU, at::kLong).contiguous();
    return {plain.const_data_ptr<std::int64_t>(), plain.const_data_ptr<std::int64_t>() + plain.numel()};
}

// The passes of one generation.
class Answer {
public:
    Answer(const Model& model, const TensorInput& input, const GenerateSpec& spec, const RunSpec& run,
           const JobContext& job)
        : m_model(model), m_input(input), m_spec(spec), m_job(job), m_prompt(promptLength(input, spec.item)),
          m_longest(longestAnswer(model, input, spec)), m_cache(m_prompt + std::min(m_longest, 256)),
          m_forward(model.spec(), input, run, makeDenseOperator(), job), m_sampler(spec.sampling, spec.candidates),
          m_rules(model.spec().generation), m_ownEnds(model.endTokens()), m_sequence(promptIds(input, spec.item)) {
        if (spec.sampling.repetitionPenalty) m_rules.repetitionPenalty = *spec.sampling.repetitionPenalty;
        m_ends.insert(m_ownEnds.begin(), m_ownEnds.end());
        m_ends.insert(spec.stopIds.begin(), spec.stopIds.end());
        m_forward.compareBy(inPrompt(run.edits, model.spec(), m_prompt));
    }

    /// See Forward; of a vision tower: the text's keys and values are the cache's.
    void limitRecording(std::uint64_t bytes) { m_forward.limitRecording(bytes); }

    void run(Generation& out, int kept, const TokenCallback& onToken) {
        at::Tensor logits;
        if (kept > 0)
            takeOver(out, kept, onToken);
        else
            logits = pass({});
        for (;;) {
            if (logits.defined()) choose(out, logits, onToken);
            const int id = out.ids.back();
            if (m_ends.count(id) && out.ids.size() >= m_spec.forced.size()) out.stop = StopReason::EndToken;
            if (m_job.stopRequested()) out.stop = StopReason::Cancelled;
            const bool last = out.stop != StopReason::Length || static_cast<int>(out.ids.size()) >= m_longest;
            const bool observed = m_spec.capture.wantsSites() || m_spec.capture.hidden || !m_spec.capture.taps.empty();
            // The last token is run only to be looked at, where there is a place for it.
            if (last && (!observed || out.stop == StopReason::Cancelled || full())) return;
            try {
                logits = pass({id});
            } catch (const Cancelled&) {
                m_forward.dropPass();
                if (!last) out.stop = StopReason::Cancelled;
                return;
            }
            ++m_run;
            if (last) return;
        }
    }

    std::shared_ptr<GenerationState> state(const Generation& out) const {
        auto state = std::make_shared<GenerationState>();
        state->asked = m_spec;
        state->asked.resume.reset();
        state->asked.edits.dropIdentities();
        state->prompt = m_prompt;
        state->steps = out.steps;
        m_forward.leave(*state, *out.trace);
        return state;
    }

    bool keptPictures() const { return m_forward.tookResults(); }

    RunResult finish(const Generation& out) {
        if (!m_logits.empty()) m_forward.output("logits", at::cat(m_logits, 1));
        TokenMap map = m_input.maps[static_cast<std::size_t>(m_spec.item)];
        addAnswer(map, m_model, m_ends, out.ids, m_run);
        return m_forward.finishGeneration(std::move(map));
    }

private:
    void choose(Generation& out, const at::Tensor& logits, const TokenCallback& onToken) {
        keepLogits(logits);
        const at::Tensor last = logits[0].select(0, logits.size(1) - 1).to(at::kFloat);
        const AnswerPlace place{m_sequence, static_cast<int>(m_prompt), static_cast<int>(out.ids.size()), m_spec.maxNewTokens};
        GeneratedToken token = m_sampler.choose(last, ruledScores(last, m_rules, m_ownEnds, place));
        force(token, logits, out.ids.size());
        add(out, token, onToken);
    }

    void add(Generation& out, const GeneratedToken& token, const TokenCallback& onToken) {
        out.steps.push_back(token);
        out.ids.push_back(token.id);
        m_sequence.push_back(token.id);
        if (onToken) onToken(token);
    }

    // The first tokens of an earlier answer; the last of them is still to be run.
    void takeOver(Generation& out, int kept, const TokenCallback& onToken) {
        const GenerationState& earlier = *m_spec.resume;
        for (int i = 0; i < kept; ++i) {
            add(out, earlier.steps[static_cast<std::size_t>(i)], onToken);
            if (m_job.stopRequested()) kept = i + 1;
        }
        m_sampler.skip(static_cast<std::size_t>(kept));
        m_run = static_cast<std::size_t>(kept) - 1;
        m_cache = earlier.cache.forked(m_prompt + kept - 1);
        m_forward.continueFrom(kept, m_cache);
        if (m_spec.capture.allLogits) m_logits.push_back(earlier.trace->outputs.at("logits").narrow(1, 0, kept));
        out.resumedAt = kept - 1;
    }

    at::Tensor pass(const std::vector<int>& ids) {
        const ModelSpec& model = m_model.spec();
        int blocks = 0;
        for (const StageSpec& stage : model.stages)
            if (ids.empty() || stage.id == kStage) blocks += stage.layers;
        const double before = ids.empty() ? 0 : 0.2 + 0.8 * static_cast<double>(m_run) / m_longest;
        const double after = 0.2 + 0.8 * (ids.empty() ? 0 : std::min(1.0, static_cast<double>(m_run + 1) / m_longest));
        const int first = m_spec.rows == RecordedRows::All ? 0 : static_cast<int>(m_prompt) - 1;
        m_forward.beginPass(m_cache, first, blocks, m_job.part(before, after));
        const at::AutoDispatchBelowADInplaceOrView noGradients;  // saves every operator the look for them
        if (ids.empty())
            m_model.run(m_input, m_spec.item, m_forward);
        else
            m_model.runNext(m_input, m_spec.item, ids, m_forward);
        m_forward.endPass(ids.empty() ? m_prompt : static_cast<std::int64_t>(ids.size()));
        const at::Tensor logits = m_forward.recordedOutput("logits");
        if (!logits.defined())
            throw Error("the model gives no logits", "a bare model has no head over the vocabulary", ErrorCode::Usage);
        return logits;
    }

    void force(GeneratedToken& token, const at::Tensor& logits, std::size_t step) const {
        if (step >= m_spec.forced.size()) return;
        const at::Tensor last = logits[0].select(0, logits.size(1) - 1).to(at::kFloat);
        const int id = m_spec.forced[step];
        if (id < 0 || id >= last.size(0))
            throw Error(fmt::format("forced token {}: expected ids from 0 to {}", id, last.size(0) - 1),
                        "Give ids of this model's vocabulary.",
                        ErrorCode::Usage);
        token.id = id;
        token.logProbability = at::log_softmax(last, 0)[id].item<double>();
    }

    bool full() const {
        const std::int64_t limit = m_model.longestSequence();
        return limit > 0 && m_cache.length() >= limit;
    }

    void keepLogits(const at::Tensor& logits) {
        if (m_spec.capture.allLogits) m_logits.push_back(logits.narrow(1, logits.size(1) - 1, 1));
    }

    const Model& m_model;
    const TensorInput& m_input;
    const GenerateSpec& m_spec;
    JobContext m_job;
    std::int64_t m_prompt;
    int m_longest;
    KvCache m_cache;
    Forward m_forward;
    Sampler m_sampler;
    GenerationRules m_rules;
    std::vector<int> m_ownEnds;  ///< the model's, without those of the spec
    std::vector<int> m_sequence;
    std::set<int> m_ends;
    std::vector<at::Tensor> m_logits;
    std::size_t m_run = 0;  ///< tokens of the answer that went through the model
};

// What is recorded of stages other than the text.
CaptureRequest besideText(const ModelSpec& about, const CaptureRequest& capture) {
    CaptureRequest others = capture;
    others.allLogits = false;
    others.sites.clear();
    for (const AttentionSite& site : about.sites)
        if (site.stage != kStage && capture.wants(site.address())) others.sites.push_back(site.address());
    // An empty list would mean all.
    if (others.sites.empty())
        others.qkv = others.lse = others.probs = others.stats = others.attentionOutput = others.headOutput = false;
    return others;
}

// Q, K, V and log-sum-exp of other stages can go to a temporary file; full probabilities that are asked for must fit.
std::uint64_t spillable(const Model& model, const ModelInput& input, const GenerateSpec& spec) {
    const CaptureRequest with = besideText(model.spec(), spec.capture);
    if (with.probs || !with.wantsSites()) return 0;
    CaptureRequest without = with;
    without.qkv = without.lse = without.stats = false;
    const std::uint64_t all = model.estimate(input, with, false).capture,
                        rest = model.estimate(input, without, false).capture;
    return all > rest ? all - rest : 0;
}

// Keys and values of the text.
std::uint64_t cacheBytes(const Model& model, const ModelInput& input, const GenerateSpec& spec) {
    const auto answer = static_cast<std::uint64_t>(longestAnswer(model, input, spec));
    const std::uint64_t tokens = static_cast<std::uint64_t>(promptLength(input, spec.item)) + answer;
    std::uint64_t values = 0;
    for (const AttentionSite& site : model.spec().sites) {
        if (site.stage != kStage) continue;
        // Room is made for 256 tokens of an answer at first, later for half as many again.
        std::uint64_t room = answer <= 256 ? tokens : tokens + tokens / 2;
        if (!site.keyStage.empty()) room = tokensOf(input, spec.item, site.keyStage);
        values += 2 * static_cast<std::uint64_t>(site.keyValueHeads) * static_cast<std::uint64_t>(site.headDim) * room;
    }
    return values * elementBytes(model.spec());
}

bool fits(const GenerateSpec& spec, const MemoryEstimate& estimate, std::uint64_t besides) {
    return spec.budget == 0 || estimate.run() + besides <= spec.budget;
}

// Where others can resume the prompt: as of any run, and so that the next answer has room for its own.
CheckpointPolicy checkpointsOf(const Model& model, const ModelInput& input, const GenerateSpec& spec,
                               const MemoryEstimate& estimate) {
    CheckpointPolicy policy{1, 0};
    if (spec.budget == 0) return policy;
    const std::uint64_t kept = std::max(cacheBytes(model, input, spec), spec.resume ? spec.resume->bytes : 0);
    const std::uint64_t left = fits(spec, estimate, kept) ? (spec.budget - estimate.run() - kept) / 2 : 0;
    policy.maxBytes = std::max<std::uint64_t>(1, std::min(spec.budget / 8, left));  // 0 would mean no limit
    return thinned(policy, model.spec(), input, spec.item);
}

KeptAnswer keptBy(const Model& model, const TensorInput& input, const GenerateSpec& spec,
                  const MemoryEstimate& estimate) {
    if (!spec.resume || !fits(spec, estimate, spec.resume->bytes)) return {};
    GenerateSpec asked = spec;
    asked.edits.dropIdentities();
    return keptOf(*spec.resume, model.spec(), input.items[static_cast<std::size_t>(spec.item)], asked);
}

}  // namespace

MemoryEstimate estimateGeneration(const Model& model, const ModelInput& input, const GenerateSpec& spec) {
    const ModelSpec& about = model.spec();
    const std::uint64_t element = elementBytes(about);
    const CaptureRequest others = besideText(about, spec.capture);
    MemoryEstimate estimate = model.estimate(input, others, false);
    const auto prompt = static_cast<std::uint64_t>(promptLength(input, spec.item));
    const auto answer = static_cast<std::uint64_t>(longestAnswer(model, input, spec));
    estimate.capture += cacheBytes(model, input, spec);
    const std::uint64_t tokens = prompt + answer, rows = spec.rows == RecordedRows::All ? tokens : answer + 1;
    for (const AttentionSite& site : about.sites) {
        if (site.stage != kStage) continue;
        const auto width = static_cast<std::uint64_t>(site.headDim);
        const auto heads = static_cast<std::uint64_t>(site.heads);
        if (!spec.capture.wants(site.address())) continue;
        estimate.capture += rows * heads * (width * element + 4);
        const auto hidden = static_cast<std::uint64_t>(about.stage(kStage).hidden);
        if (spec.capture.attentionOutput) estimate.capture += rows * hidden * element;
        if (spec.capture.headOutput) estimate.capture += rows * heads * width * element;
    }
    return estimate;
}

ResumePoint resumesAt(const Model& model, const ModelInput& input, const GenerateSpec& spec) {
    const TensorInput& tensors = tensorsOf(model, input, spec);
    return keptBy(model, tensors, spec, estimateGeneration(model, input, spec)).point;
}

Generation generate(const Model& model, const ModelInput& input, const GenerateSpec& spec,
                    const TokenCallback& onToken, const JobContext& job) {
    const TensorInput& tensors = tensorsOf(model, input, spec);
    Generation out;
    out.estimate = estimateGeneration(model, input, spec);
    const bool beyond = spec.budget > 0 && out.estimate.run() > spec.budget;
    const std::uint64_t spilled = beyond ? spillable(model, input, spec) : 0;
    if (beyond && out.estimate.run() - spilled > spec.budget)
        throw Error(fmt::format("this answer would take {} (activations {}, cache and recording {}), the budget is {}",
                                formatBytesUp(out.estimate.run()), formatBytes(out.estimate.activations),
                                formatBytes(out.estimate.capture), formatBytes(spec.budget)),
                    "ask for fewer tokens (--max-new-tokens), record fewer sites (--sites), or " +
                        raisedBudget(out.estimate.run(), spilled),
                    ErrorCode::Memory);
    RunSpec run;
    run.item = spec.item;
    run.edits = spec.edits;
    run.edits.dropIdentities();
    run.capture = spec.capture;
    run.route = spec.route;
    run.adapterStrengths = spec.adapterStrengths;
    const at::AutoGradMode gradients(false);
    const KeptAnswer kept = keptBy(model, tensors, spec, out.estimate);
    if (kept.serves) run.resume = spec.resume;
    const bool keeps = spec.keepState && fits(spec, out.estimate, cacheBytes(model, input, spec));
    if (keeps) run.checkpoints = checkpointsOf(model, input, spec, out.estimate);
    Answer answer(model, tensors, spec, run, job);
    if (beyond) answer.limitRecording(spec.budget - (out.estimate.run() - spilled));
    answer.run(out, kept.tokens, onToken);
    RunResult result = answer.finish(out);
    out.trace = std::move(result.trace);
    out.routes = std::move(result.routes);
    out.notices = std::move(result.notices);
    if (std::string notice = unfollowedNotice(model.spec().generation, spec.sampling); !notice.empty())
        out.notices.push_back(std::move(notice));
    out.keptPictures = answer.keptPictures();
    out.blocksRun = result.blocksRun;
    out.blocksResumed = result.blocksResumed;
    if (!keeps || out.stop == StopReason::Cancelled) return out;
    const auto state = answer.state(out);
    if (!fits(spec, out.estimate, state->bytes)) state->dropCheckpoints();
    if (fits(spec, out.estimate, state->bytes)) out.state = state;
    return out;
}

}  // namespace fovea
