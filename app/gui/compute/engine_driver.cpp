#include "compute/engine_driver.h"

#include <QString>
#include <algorithm>
#include <cmath>
#include <iterator>

#include "fovea/run.h"
#include "fovea/sinks.h"
#include "fovea/viz/colormap.h"
#include "fovea/viz/export.h"
#include "fovea/viz/image_file.h"
#include "fovea/viz/video_file.h"
#include "session/finding_file.h"
#include "session/picture_sheet.h"

namespace fovea::gui {

namespace {

constexpr int colormapSamples = 64;
constexpr std::size_t mostAnswers = 5;

/// The tokens that the keys of a site are.
const StageTokens* tokensOf(const AttentionTrace& trace, int site) {
    const AttentionSite& at = trace.spec().sites[static_cast<std::size_t>(site)];
    for (const StageTokens& tokens : trace.tokens().stages)
        if (tokens.stage == (at.keyStage.empty() ? at.stage : at.keyStage)) return &tokens;
    return nullptr;
}

bool isOfImage(const StageTokens& tokens, int token) {
    return token >= 0 && token < tokens.size() && tokens.tokens[static_cast<std::size_t>(token)].kind == TokenKind::Image;
}

SiteSummary summaryOf(const AttentionTrace& trace, int site, const StageTokens& tokens) {
    const SiteStatistics stats = trace.statistics(site);
    const auto heads = stats.entropy.size(0), queries = stats.entropy.size(1), keys = stats.colsum.size(1);
    const std::vector<int>& keyTokens = trace.keyTokens(site);
    const bool causal = trace.spec().sites[static_cast<std::size_t>(site)].causal;
    std::vector<bool> ofImage;
    for (std::int64_t k = 0; k < keys; ++k) ofImage.push_back(isOfImage(tokens, keyTokens[static_cast<std::size_t>(k)]));
    const bool anyImage = std::find(ofImage.begin(), ofImage.end(), true) != ofImage.end();
    const double limit = SinkRule().of(static_cast<int>(keys)), rows = static_cast<double>(queries);
    SiteSummary summary;
    summary.site = site;
    for (std::int64_t h = 0; h < heads; ++h) {
        double entropy = 0, sinks = 0, image = 0;
        for (std::int64_t q = 0; q < queries; ++q) entropy += stats.entropy.at(h, q);
        for (std::int64_t k = 0; k < keys; ++k) {
            const double sum = stats.colsum.at(h, k);
            // Of causal attention, rows before a key cannot see it.
            const double seeing = causal && queries == keys ? static_cast<double>(keys - k) : rows;
            if (sum > limit * seeing) sinks += sum;
            if (ofImage[static_cast<std::size_t>(k)]) image += sum;
        }
        summary.sinkMass.push_back(sinks / rows);
        summary.entropy.push_back(entropy / rows);
        summary.imageShare.push_back(anyImage ? image / rows : std::nan(""));
    }
    return summary;
}

bool isPicture(const std::filesystem::path& file) {
    static const char* const numbers[] = {".json", ".csv", ".npz", ".safetensors"};
    const QString suffix = QString::fromStdString(file.extension().string()).toLower();
    return std::find(std::begin(numbers), std::end(numbers), suffix.toStdString()) == std::end(numbers);
}

Offer makeOffer(const Catalog& catalog, const viz::PainterCatalog& painters) {
    Offer offer;
    for (const AnalysisEntry& entry : catalog.analyses.all()) offer.analyses.push_back(entry.info);
    for (const InterventionEntry& entry : catalog.interventions.all())
        offer.interventions.push_back(entry.info);
    for (const viz::PainterEntry& entry : painters.all()) {
        offer.painters.push_back({entry.info, entry.kinds});
        if (entry.sheets) offer.painters.back().kinds.emplace_back(sheetKind);
    }
    for (const viz::ColorMap& map : viz::colorMaps()) {
        ColormapOffer made{map.name, {}, {}};
        for (int i = 0; i < colormapSamples; ++i) made.samples.push_back(map.at(i / (colormapSamples - 1.0)));
        offer.colormaps.push_back(std::move(made));
    }
    return offer;
}

}  // namespace

EngineDriver::EngineDriver()
    : m_catalog(std::make_shared<const Catalog>(makeCatalog())),
      m_painters(std::make_shared<const viz::PainterCatalog>(viz::makePainterCatalog())),
      m_engine(m_catalog, m_painters, [](const std::filesystem::path& file) { return viz::readImage(file); },
               [](const std::filesystem::path& file) { return viz::openVideo(file); }),
      m_offer(makeOffer(*m_catalog, *m_painters)) {}

EngineDriver::~EngineDriver() = default;

std::shared_ptr<const ModelSpec> EngineDriver::model(const Session& session, const JobContext& job) {
    auto model = m_engine.model(session, job);
    return {model, &model->spec()};
}

std::shared_ptr<const ModelInput> EngineDriver::input(const Session& session, const JobContext& job) {
    return m_engine.input(session, job);
}

MemoryOutlook EngineDriver::outlook(const Session& session, const JobContext& job) {
    return {m_engine.estimate(session, job), m_engine.budget(session)};
}

std::vector<FindingOffer> EngineDriver::findings(const Session& session, int analysis, int item,
                                                 const JobContext& job) {
    std::vector<FindingOffer> offers;
    const auto result = m_engine.analyse(session, analysis, item, job);
    const std::vector<std::string> sheets = sheetNames(result->findings), titles = sheetTitles(result->findings);
    for (std::size_t i = 0; i < sheets.size(); ++i) offers.push_back({sheets[i], titles[i], sheetKind, 0});
    for (const Finding& finding : result->findings) {
        const auto* path = std::get_if<Path>(&finding.data);
        offers.push_back({finding.name, finding.title, findingKindName(finding),
                          path ? static_cast<int>(path->fixations.size()) : 0});
    }
    return offers;
}

std::shared_ptr<const PictureResult> EngineDriver::paint(const Session& session, int picture, int item,
                                                         const JobContext& job) {
    return m_engine.paint(session, picture, item, job);
}

std::shared_ptr<const PictureResult> EngineDriver::paintDifference(const Session& a, const Session& b,
                                                                   int picture, int item,
                                                                   const JobContext& job) {
    return m_engine.paintDifference(a, b, picture, item, job);
}

std::shared_ptr<const RunResult> EngineDriver::mainRun(const Session& session, int item,
                                                       const JobContext& job) {
    CaptureRequest capture;
    capture.qkv = capture.lse = true;
    return m_engine.run(session, item, capture, job);
}

std::vector<Answer> EngineDriver::answers(const Session& session, int item, const JobContext& job) {
    const auto run = mainRun(session, item, job);
    const std::vector<std::string>& labels = run->trace->spec().labels;
    const auto names = run->trace->outputNames();
    if (labels.empty() || std::find(names.begin(), names.end(), "logits") == names.end()) return {};
    const std::vector<float> logits = run->trace->output("logits").values;
    if (logits.size() != labels.size()) return {};
    const float largest = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    std::vector<Answer> answers;
    for (std::size_t i = 0; i < logits.size(); ++i) {
        answers.push_back({labels[i], std::exp(static_cast<double>(logits[i]) - largest)});
        sum += answers.back().probability;
    }
    const auto count = std::min(answers.size(), mostAnswers);
    std::partial_sort(answers.begin(), answers.begin() + static_cast<std::ptrdiff_t>(count), answers.end(),
                      [](const Answer& a, const Answer& b) { return a.probability > b.probability; });
    answers.resize(count);
    for (Answer& answer : answers) answer.probability /= sum;
    return answers;
}

std::vector<SiteSummary> EngineDriver::summary(const Session& session, int item, const JobContext& job) {
    const auto run = mainRun(session, item, job.part(0, 0.5));
    const std::vector<int>& sites = run->trace->sites();
    std::vector<SiteSummary> summary;
    for (std::size_t i = 0; i < sites.size(); ++i) {
        job.progress(0.5 + 0.5 * static_cast<double>(i) / static_cast<double>(sites.size()));
        // A stage that ran once per tile has no tokens of its own in the sequence.
        if (const StageTokens* tokens = tokensOf(*run->trace, sites[i]))
            summary.push_back(summaryOf(*run->trace, sites[i], *tokens));
    }
    return summary;
}

std::shared_ptr<const BoxReaders> EngineDriver::readers(const Session& session, int item, const JobContext& job) {
    if (!boxQuery(session)) return {};
    for (const Finding& finding : m_engine.analyse(session, boxAnalysis(session), item, job)->findings)
        if (const auto* scores = std::get_if<TokenScores>(&finding.data))
            return std::make_shared<const BoxReaders>(BoxReaders{scores->stage, scores->values});
    return {};
}

std::vector<int> EngineDriver::sitesTouched(const Session& session, int item, const JobContext& job) {
    std::vector<int> counts;
    const auto model = m_engine.model(session, job);
    for (int i = 0; i < static_cast<int>(session.edits.size()); ++i) {
        const EditPlan plan = m_engine.edit(session, i, item, job);
        int touched = static_cast<int>(plan.sites.size());
        for (const TokenPrune& prune : plan.prunes)
            for (int site : model->spec().sitesOfStage(prune.stage))
                touched += model->spec().sites[static_cast<std::size_t>(site)].block >= prune.block;
        counts.push_back(touched);
    }
    return counts;
}

void EngineDriver::exportPicture(const Session& session, int picture, int item,
                                 const std::filesystem::path& file, const JobContext& job) {
    const PictureRequest& wanted = session.pictures[static_cast<std::size_t>(picture)];
    if (isPicture(file)) {
        const auto result = m_engine.paint(session, picture, item, job);
        viz::exportPicture(result->picture, file, {wanted.dpi, true});
        return;
    }
    Numbers numbers = computeNumbers(m_engine, session, wanted.analysis, job);
    numbers.finding = wanted.finding;
    writeNumbers(file, numbers);
}

}  // namespace fovea::gui
