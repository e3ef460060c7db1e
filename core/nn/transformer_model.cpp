#include "nn/transformer_model.h"

#include <algorithm>

#include "fovea/error.h"

namespace fovea {
namespace {

constexpr const char* kDamaged =
    "The checkpoint does not fit its configuration: fetch both again, or see `fovea-cli info`.";

std::uint64_t bytesOf(std::int64_t count, std::int64_t size) {
    return static_cast<std::uint64_t>(count) * static_cast<std::uint64_t>(size);
}

/// The longest sequence of a stage over all items; 0 where the stage is not run.
std::int64_t longest(const ModelInput& input, const std::string& stage) {
    std::int64_t tokens = 0;
    for (const TokenMap& map : input.maps)
        for (const StageTokens& found : map.stages)
            if (found.stage == stage) tokens = std::max<std::int64_t>(tokens, found.size());
    return tokens;
}

}  // namespace

void TransformerModel::load(const std::string& family, const ModelSource& source, const LoadOptions& options,
                            const JobContext& job) {
    m_spec.family = family;
    m_spec.modelType = source.identity().modelType;
    m_spec.architecture = source.identity().architecture;
    m_spec.source = source.name();
    describe(m_spec);

    WeightCollector collector;
    visit(collector);
    collector.plan.ignored = ignoredWeights();
    const BoundWeights weights = source.weights().bind(collector.plan);
    m_spec.weights = weights.report();
    m_spec.weights.notices.insert(m_spec.weights.notices.end(), m_notices.begin(), m_notices.end());
    m_spec.parameters = static_cast<std::uint64_t>(m_spec.weights.parameters);
    m_placement = resolvePlacement(options, weights.storedDtype());
    m_spec.storedDtype = std::string(displayName(weights.storedDtype()));
    m_spec.computeDtype = dtypeName(m_placement.dtype);
    m_spec.device = deviceName(m_placement.device);
    if (!m_spec.weights.complete()) {
        m_problem = source.name() + ": " + m_spec.weights.problem();
        if (options.strict) throw Error(m_problem, kDamaged);
        m_spec.capabilities = {false, false, false, false, false};
        return;
    }
    WeightFiller filler(weights, m_placement.dtype, m_placement.device, collector.plan.specs.size(), job);
    visit(filler);
    m_spec.weightBytes = filler.bytes();
    job.progress(1, "weights loaded");
}

TensorItem TransformerModel::placed(TensorItem item) const {
    for (auto& [name, tensor] : item) tensor = tensor.to(m_placement.device);
    return item;
}

void TransformerModel::run(const ModelInput&, int, Forward& forward) const {
    if (!m_problem.empty()) throw Error(m_problem, kDamaged);
    runItem(forward);
}

MemoryEstimate TransformerModel::estimate(const ModelInput& input, const CaptureRequest& capture,
                                          bool gradients) const {
    const std::int64_t element = c10::elementSize(m_placement.dtype);
    MemoryEstimate estimate;
    estimate.weights = m_spec.weightBytes;
    std::uint64_t inputs = 0;
    if (const auto* tensors = dynamic_cast<const TensorInput*>(&input); tensors && !tensors->items.empty())
        for (const auto& [name, tensor] : tensors->items.front())
            inputs += static_cast<std::uint64_t>(tensor.nbytes());

    for (const StageCost& stage : costs()) {
        const std::int64_t tokens = longest(input, stage.stage);
        const std::int64_t pairs = stage.heads * tokens * tokens;
        const std::int64_t attention = 3 * stage.hidden + 5 * stage.attentionWidth;
        const std::int64_t mlp = 3 * stage.hidden + 2 * stage.mlpWidth;
        std::uint64_t peak = bytesOf(tokens * std::max(attention, mlp), element);
        if (stage.biased) peak += bytesOf(3 * pairs, element);
        estimate.activations = std::max(estimate.activations, peak);

        if (capture.hidden) estimate.capture += bytesOf((stage.layers + 1) * tokens * stage.hidden, element);
        if (gradients) {
            const std::int64_t kept = 3 * stage.hidden + 5 * stage.attentionWidth + 2 * stage.mlpWidth;
            estimate.gradients += bytesOf(stage.layers * tokens * kept, element);
            if (stage.biased) estimate.gradients += bytesOf(stage.layers * pairs, element);
        }
        for (const AttentionSite& site : m_spec.sites) {
            if (site.stage != stage.stage || !capture.wantsSites() || !capture.wants(site.address()))
                continue;
            const std::int64_t queries = site.kind == SiteKind::Cross ? 1 : tokens;
            const std::int64_t width = static_cast<std::int64_t>(site.heads) * site.headDim;
            estimate.capture +=
                bytesOf((queries + 2 * tokens) * width, element) + bytesOf(site.heads * queries, 4);
            if (stage.biased) estimate.capture += bytesOf(site.heads * queries * tokens, element);
            if (capture.probs) estimate.capture += bytesOf(site.heads * queries * tokens, 4);
            if (capture.stats) estimate.capture += bytesOf(site.heads * (2 * queries + 2 * tokens), 4);
            if (capture.attentionOutput) estimate.capture += bytesOf(queries * stage.hidden, element);
        }
    }
    // The picture is kept as it came, as the run's type, and cut into patches.
    estimate.activations += 3 * inputs;
    if (capture.input) estimate.capture += inputs;
    if (gradients) estimate.gradients += 2 * inputs;
    return estimate;
}

}  // namespace fovea
