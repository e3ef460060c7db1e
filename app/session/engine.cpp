#include "engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "content_key.h"
#include "conversation.h"
#include "engine_state.h"
#include "fovea/error.h"
#include "fovea/open_model.h"
#include "fovea/run_estimate.h"
#include "recorded_pictures.h"
#include "session_context.h"
#include "session_images.h"
#include "session_video.h"

namespace fovea {
namespace {

constexpr std::uint64_t kMaxCache = std::uint64_t{2} << 30;
constexpr std::size_t kMaxModels = 2, kMaxLatest = 2;

std::uint64_t bytesOf(const RunResult& run) {
    const std::uint64_t arrays = 4 * (run.inputGradient.values.size() + run.inputTensor.values.size());
    return run.trace->bytes() + arrays + 4096;
}

std::uint64_t bytesOf(const ModelInput& input) {
    std::uint64_t bytes = 4096;
    // The encoded tensors are four bytes where the seen picture has one.
    for (const auto* pictures : {&input.originals, &input.seen})
        for (const Pixels& picture : *pictures) bytes += 5 * picture.rgb.size();
    return bytes;
}

std::uint64_t bytesOf(const AnalysisResult& result) {
    std::uint64_t bytes = 4096;
    for (const Finding& finding : result.findings) {
        if (const auto* grid = std::get_if<Grid>(&finding.data)) bytes += 4 * grid->values.size();
        if (const auto* table = std::get_if<Table>(&finding.data))
            bytes += 48 * table->rows.size() * table->columns.size();
        bytes += 1024;
    }
    return bytes;
}

}  // namespace

void checkIndex(int index, std::size_t count, const char* what) {
    if (index < 0 || static_cast<std::size_t>(index) >= count)
        throw Error(fmt::format("there is no {} {}: the session has {}", what, index, count), {},
                    ErrorCode::Usage);
}

Engine::Impl::Impl(std::shared_ptr<const Catalog> c, std::shared_ptr<const viz::PainterCatalog> p,
                   ImageReader r, VideoOpener v)
    : catalog(std::move(c)),
      painters(std::move(p)),
      reader(std::move(r)),
      films(std::move(v)),
      results(std::min(kMaxCache, availableMemory() / 4)) {}

std::uint64_t Engine::Impl::budget(const Session& session) const {
    // 0 would mean no limit to a run.
    return session.budget.empty() ? availableMemory()
                                  : std::max<std::uint64_t>(1, parseBytes(session.budget));
}

std::string Engine::Impl::inputKey(const Session& session) const {
    return content_key::ofModel(session.model) + "\n" + content_key::ofInput(session.input);
}

std::string Engine::Impl::itemKey(const Session& session, int item) const {
    return fmt::format("{}\n{}\nitem {}\n{}\n{}", inputKey(session), content_key::ofStrengths(session.model), item,
                       content_key::ofEdits(session.edits), content_key::ofAnswer(session.input, session.seed));
}

std::shared_ptr<const Model> Engine::Impl::openedModel(const Session& session, const JobContext& job) {
    if (session.model.reference.empty())
        throw Error("no model was chosen", "give a folder, a file, org/name or demo:NAME", ErrorCode::Usage);
    const std::string key = content_key::ofModel(session.model);
    const auto known =
        std::find_if(models.begin(), models.end(), [&](const auto& entry) { return entry.first == key; });
    if (known != models.end()) {
        models.splice(models.begin(), models, known);
        return known->second;
    }
    if (models.size() == kMaxModels) models.pop_back();
    LoadOptions options;
    options.device = session.model.device;
    options.dtype = session.model.dtype;
    options.adapters = session.model.adapters;
    job.progress(0, "loading the model");
    models.emplace_front(key, openModel(*catalog, session.model.reference, options, job));
    return models.front().second;
}

std::shared_ptr<const ModelInput> Engine::Impl::encodedInput(const Session& session, const JobContext& job) {
    const auto opened = openedModel(session, job.part(0, 0.5));
    const std::string key = "encoded\n" + inputKey(session);
    if (auto known = results.find<ModelInput>(key)) return known;
    const bool replays = !opened->spec().capabilities.forward;
    const SessionInput& given = session.input;
    const bool spoken = !given.prompt.empty() || !given.chat.empty() || !given.turns.empty();
    if (given.images.empty() && given.video.empty() && given.tensors.empty() && !spoken && !replays)
        throw Error("expected a picture, a text or tensors for " + opened->spec().architecture + ", found none",
                    "give a picture (--image FILE or --image scene:SEED), a text (--prompt) or tensors (--tensors FILE)",
                    ErrorCode::Usage);
    const auto& stages = opened->spec().stages;
    const bool reads = std::any_of(stages.begin(), stages.end(),
                                   [](const StageSpec& s) { return s.id.starts_with("text"); });
    if (spoken && !reads)
        throw Error("the session has a prompt, and " + opened->spec().architecture + " reads no text",
                    "clear the prompt, or choose a model with a text side");
    UserInput user;
    user.images = readImages(session.input.images, reader, job.part(0.5, 0.7));
    if (!given.video.empty()) user.video = readVideo(given.video, films, *opened, job.part(0.7, 0.9));
    user.prompt = session.input.prompt;
    user.promptForm = session.input.rawPrompt ? PromptForm::Raw : PromptForm::Template;
    user.chat = session.input.chat;
    std::optional<ConversationFile> conversation;
    if (!session.input.turns.empty()) user.chat = conversation.emplace(session.input).path();
    user.tensors = session.input.tensors;
    job.progress(0.9, "preparing the input");
    const bool recorded = replays && user.images.empty() && user.tensors.empty();
    if (recorded) user.images = recordedPictures(session.model.reference, reader, job.part(0.7, 0.9));
    std::shared_ptr<const ModelInput> encoded;
    try {
        encoded = opened->encode(user);
    } catch (const Error&) {
        if (!recorded || user.images.empty()) throw;
        user.images.clear();  // other pictures by now
        encoded = opened->encode(user);
    }
    return results.put(key, encoded, bytesOf(*encoded));
}

Needs Engine::Impl::needs(const Session& session, const ModelSpec& spec) const {
    Needs all;
    all.capture.output = true;
    for (const AnalysisRequest& request : session.analyses) {
        const AnalysisEntry& entry = catalog->analyses.get(request.id);
        const Needs own = entry.needs(spec, checkedParams(entry.info, request.params));
        if (own.classifier && spec.labels.empty())
            throw Error(fmt::format("{} needs a model with classes; {} has none", request.id, spec.source),
                        "choose a checkpoint for image classification, or another analysis",
                        ErrorCode::Usage);
        all = united(all, own);
    }
    return all;
}

EditPlan Engine::Impl::plan(const Session& session, const std::vector<Intervention>& edits, int item,
                            const JobContext& job) {
    EditPlan plan;
    const auto opened = openedModel(session, job);
    const auto input = encodedInput(session, job);
    checkIndex(item, input->maps.size(), "item");
    std::shared_ptr<const RunResult> plain;
    const auto unedited = [&]() -> const AttentionTrace& {
        Needs record;
        record.capture.qkv = true;
        // What is looked for lies in the prompt.
        Session prompt = session;
        prompt.input.maxNewTokens = 0;
        if (!plain) plain = mainRun(prompt, {}, item, record, job);
        return *plain->trace;
    };
    const int answerTokens = opened->spec().capabilities.generate ? session.input.maxNewTokens : 0;
    const InterventionContext context{opened->spec(), input->maps[static_cast<std::size_t>(item)], unedited, answerTokens};
    for (const Intervention& edit : edits) {
        if (!edit.enabled) continue;
        const InterventionEntry& entry = catalog->interventions.get(edit.id);
        entry.compile(context, checkedParams(entry.info, edit.params), plan);
    }
    return plan;
}

std::shared_ptr<const Engine::Impl::Recorded> Engine::Impl::recorded(const std::string& key,
                                                                     const CaptureRequest& capture) {
    for (const auto& entry : latest)
        if (entry->key == key && covers(entry->capture, capture)) return entry;
    auto kept = results.find<Recorded>(key);
    return kept && covers(kept->capture, capture) ? kept : nullptr;
}

RunSpec Engine::Impl::mainSpec(const Session& session, const std::vector<Intervention>& edits, int item,
                               const Needs& needs, const JobContext& job) {
    RunSpec spec;
    spec.item = item;
    spec.edits = plan(session, edits, item, job);
    spec.capture = needs.capture;
    spec.budget = budget(session);
    spec.adapterStrengths = adapterStrengths(session.model);
    if (needs.attentionGradients) {
        spec.gradients.attention = true;
        spec.objective = Objective{};
    } else if (checkpoints && openedModel(session, job)->spec().capabilities.resume) {
        spec.checkpoints = {1, std::max<std::uint64_t>(1, spec.budget / 8)};
    }
    return spec;
}

std::shared_ptr<const RunResult> Engine::Impl::mainRun(const Session& session,
                                                       const std::vector<Intervention>& edits, int item,
                                                       const Needs& needs, const JobContext& job) {
    if (session.input.maxNewTokens > 0) return answered(session, edits, item, needs, {}, job)->run;
    const auto opened = openedModel(session, job.part(0, 0.2));
    const auto input = encodedInput(session, job.part(0.2, 0.3));
    checkIndex(item, input->maps.size(), "item");
    auto entry = std::make_shared<Recorded>();
    entry->input = fmt::format("main {:d} item {}\n{}\n{}", needs.attentionGradients, item, inputKey(session),
                               content_key::ofStrengths(session.model));
    entry->key = entry->input + "\n" + content_key::ofEdits(edits);
    if (const auto known = recorded(entry->key, needs.capture)) return known->run;

    RunSpec spec = mainSpec(session, edits, item, needs, job.part(0.3, 0.5));
    if (spec.checkpoints.everyBlocks > 0)
        for (const auto& earlier : latest)
            if (!spec.resume && earlier->input == entry->input) spec.resume = earlier->run->state;
    entry->capture = spec.capture;
    RunResult result = runModel(*opened, *input, spec, job.part(0.5, 1));
    result.notices.insert(result.notices.end(), input->notices.begin(), input->notices.end());
    entry->run = std::make_shared<const RunResult>(std::move(result));
    const std::shared_ptr<const Recorded> kept = entry;
    latest.push_front(kept);
    if (latest.size() > kMaxLatest) latest.pop_back();
    results.put(entry->key, kept, bytesOf(*entry->run));
    return entry->run;
}

std::shared_ptr<const RunResult> Engine::Impl::extraRun(const Session& session, int item, const RunSpec& spec,
                                                        const JobContext& job) {
    const auto opened = openedModel(session, job);
    const auto input = encodedInput(session, job);
    const std::string key =
        fmt::format("extra\n{}\nitem {}\n{}", inputKey(session), item, content_key::ofRun(spec));
    if (auto known = results.find<RunResult>(key)) return known;
    auto run = std::make_shared<const RunResult>(runModel(*opened, *input, spec, job));
    // A state is kept only by the run that resumes from it.
    return run->state ? run : results.put(key, run, bytesOf(*run));
}

void Engine::Impl::requireGradientRuns(const Session& session, int item, const Needs& needs, const JobContext& job) {
    const auto opened = openedModel(session, job);
    const auto input = encodedInput(session, job);
    checkIndex(item, input->maps.size(), "item");
    if (!opened->spec().capabilities.forward || !opened->spec().capabilities.gradient) return;
    const RunSpec first = mainSpec(session, session.edits, item, needs, job);
    RunSpec again;
    again.item = item;
    again.edits = first.edits;
    again.budget = first.budget;
    again.gradients.input = true;
    // The larger of the two is refused, so that a budget that is raised as its hint says suffices for both.
    if (leastBudget(*opened, *input, again) > leastBudget(*opened, *input, first))
        requireBudget(*opened, *input, again);
}

std::shared_ptr<const AnalysisResult> Engine::Impl::analysis(const Session& session, int index, int item,
                                                             const JobContext& job) {
    checkIndex(index, session.analyses.size(), "analysis");
    const AnalysisRequest& request = session.analyses[static_cast<std::size_t>(index)];
    const AnalysisEntry& entry = catalog->analyses.get(request.id);
    const nlohmann::json params = checkedParams(entry.info, request.params);
    openedModel(session, job.part(0, 0.2));
    const std::string key = fmt::format("analysis {} {}\nseed {}\n{}", request.id,
                                        params.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
                                        session.seed, itemKey(session, item));
    if (auto known = results.find<AnalysisResult>(key)) return known;
    const Needs all = needs(session, openedModel(session, job)->spec());
    std::shared_ptr<const Generation> answer;
    std::shared_ptr<const RunResult> run;
    if (session.input.maxNewTokens > 0) {
        const auto given = answered(session, session.edits, item, all, {}, job.part(0.2, 0.6));
        answer = given->answer, run = given->run;
    } else {
        if (entry.needs(openedModel(session, job)->spec(), params).gradientRuns)
            requireGradientRuns(session, item, all, job.part(0.2, 0.3));
        run = mainRun(session, session.edits, item, all, job.part(0.2, 0.6));
    }
    SessionContext context(*this, session, item, run, std::move(answer), job.part(0.6, 1));
    auto result = std::make_shared<AnalysisResult>();
    result->findings = entry.compute(context, params);
    // How the model was read matters to what it shows as much as how it ran.
    result->notices = openedModel(session, job)->spec().weights.notices;
    result->notices.insert(result->notices.end(), run->notices.begin(), run->notices.end());
    return results.put(key, std::shared_ptr<const AnalysisResult>(result), bytesOf(*result));
}

Engine::Engine(std::shared_ptr<const Catalog> catalog, std::shared_ptr<const viz::PainterCatalog> painters,
               ImageReader reader, VideoOpener films)
    : m_impl(std::make_unique<Impl>(std::move(catalog), std::move(painters), std::move(reader), std::move(films))) {}
Engine::~Engine() = default;

std::shared_ptr<const Model> Engine::model(const Session& session, const JobContext& job) {
    return m_impl->openedModel(session, job);
}

std::shared_ptr<const ModelInput> Engine::input(const Session& session, const JobContext& job) {
    return m_impl->encodedInput(session, job);
}

std::uint64_t Engine::budget(const Session& session) const {
    return m_impl->budget(session);
}

MemoryEstimate Engine::estimate(const Session& session, const JobContext& job) {
    const auto opened = model(session, job.part(0, 0.5));
    const auto encoded = input(session, job.part(0.5, 0.7));
    const Needs needs = m_impl->needs(session, opened->spec());
    if (session.input.maxNewTokens > 0 && opened->spec().capabilities.generate) {
        GenerateSpec spec;
        spec.maxNewTokens = session.input.maxNewTokens;
        spec.capture = needs.capture;
        spec.rows = RecordedRows::All;
        const MemoryEstimate answer = estimateGeneration(*opened, *encoded, spec);
        if (!needs.gradientRuns || !opened->spec().capabilities.gradient) return answer;
        // Gradients of an answer take it with its prompt as one sequence, at its longest here.
        const std::int64_t prompt = encoded->maps.at(0).stage("text").size(), limit = opened->longestSequence();
        const std::int64_t room = limit > 0 ? std::max<std::int64_t>(1, limit - prompt) : session.input.maxNewTokens;
        RunSpec again;
        again.gradients.input = again.gradients.attention = again.capture.qkv = true;
        again.answer.resize(static_cast<std::size_t>(std::min<std::int64_t>(room, session.input.maxNewTokens)));
        if (limit > 0 && prompt >= limit) again.answer.clear();
        const MemoryEstimate gradients = estimateRun(*opened, *encoded, again);
        return gradients.run() > answer.run() ? gradients : answer;
    }
    const bool edited = std::any_of(session.edits.begin(), session.edits.end(),
                                    [](const Intervention& edit) { return edit.enabled; });
    // A trace file is not run: its edits are refused when they are asked for, not here.
    const std::vector<Intervention> edits =
        edited && opened->spec().capabilities.forward ? session.edits : std::vector<Intervention>();
    return estimateRun(*opened, *encoded, m_impl->mainSpec(session, edits, 0, needs, job.part(0.7, 1)));
}

EditPlan Engine::edits(const Session& session, int item, const JobContext& job) {
    return m_impl->plan(session, session.edits, item, job);
}

EditPlan Engine::edit(const Session& session, int index, int item, const JobContext& job) {
    checkIndex(index, session.edits.size(), "edit");
    Intervention alone = session.edits[static_cast<std::size_t>(index)];
    alone.enabled = true;
    return m_impl->plan(session, {alone}, item, job);
}

std::shared_ptr<const RunResult> Engine::run(const Session& session, int item, const CaptureRequest& capture,
                                             const JobContext& job) {
    Needs needs = m_impl->needs(session, model(session, job.part(0, 0.2))->spec());
    needs.capture = united(needs.capture, capture);
    return m_impl->mainRun(session, session.edits, item, needs, job.part(0.2, 1));
}

std::shared_ptr<const AnalysisResult> Engine::analyse(const Session& session, int analysis, int item,
                                                      const JobContext& job) {
    return m_impl->analysis(session, analysis, item, job);
}

void Engine::saveMemory() {
    m_impl->results.clear();
    m_impl->latestAnswers.clear();
    m_impl->latest.clear();
    m_impl->checkpoints = false;
}

const Catalog& Engine::catalog() const {
    return *m_impl->catalog;
}
const viz::PainterCatalog& Engine::painters() const {
    return *m_impl->painters;
}

}  // namespace fovea
