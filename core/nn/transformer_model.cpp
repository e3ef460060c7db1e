#include "nn/transformer_model.h"

#include <ATen/Parallel.h>

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

/// Values of all statistics of one head with the default options: columns, rows, the largest keys and pooled
/// cells.
std::int64_t statisticsOf(std::int64_t queries, std::int64_t keys) {
    const StatisticsOptions options;
    const auto cells = [&](std::int64_t n) { return (n + options.pooledBlock - 1) / options.pooledBlock; };
    return 2 * (queries + keys) + 2 * queries * std::min<std::int64_t>(options.topk, keys) +
           cells(queries) * cells(keys);
}

// The most bytes of a decoder's attention: stream, norm, Q, K and V beside what turns Q, or beside the output, its
// copy, K and V repeated for their queries, and what the route works in.
std::uint64_t decoderAttention(const StageCost& stage, std::int64_t tokens, std::int64_t element) {
    const std::int64_t width = stage.attentionWidth, shared = stage.keyValueWidth;
    const std::uint64_t turning = bytesOf(tokens * (2 * stage.hidden + 5 * width + 2 * shared), element);
    const std::int64_t repeated = shared < width ? 2 * width : 0;
    const std::uint64_t attending = bytesOf(tokens * (2 * stage.hidden + 3 * width + 2 * shared + repeated), element);
    // The fused routes of the CPU, the kernels' own included: a tile of logits a thread.
    const std::int64_t rows = std::min<std::int64_t>(tokens, tokens >= 768 ? 256 : tokens >= 192 ? 64 : 32);
    const std::int64_t tile = rows * (std::min<std::int64_t>(tokens, 512) + stage.attentionWidth / stage.heads + 2);
    const std::uint64_t scratch = bytesOf(at::get_num_threads() * tile * 4, 1);
    return std::max(turning, attending + scratch);
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
    amend(collector.plan);
    const BoundWeights weights = source.weights().bind(collector.plan);
    m_spec.weights = weights.report();
    m_spec.weights.notices.insert(m_spec.weights.notices.end(), m_notices.begin(), m_notices.end());
    if (std::string text = m_spec.weights.unexpectedNotice(); !text.empty())
        m_spec.weights.notices.push_back(std::move(text));
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
    if (!options.adapters.empty()) {
        const ResolvedModel& files = source.files();
        std::vector<std::string> names{files.displayName, files.reference, files.folder.string()};
        if (const auto& json = source.config().json(); json.contains("_name_or_path") && json["_name_or_path"].is_string())
            names.push_back(json["_name_or_path"].get<std::string>());
        m_adapters = AdapterSet::load(options.adapters, filler.matrices(), names);
        m_spec.weightBytes += m_adapters->bytes();
        m_spec.weights.notices.insert(m_spec.weights.notices.end(), m_adapters->notices().begin(),
                                      m_adapters->notices().end());
    }
    job.progress(1, "weights loaded");
}

TensorItem TransformerModel::placed(TensorItem item) const {
    for (auto& [name, tensor] : item) tensor = tensor.to(m_placement.device);
    return item;
}

void TransformerModel::begin(Forward& forward) const {
    if (!m_problem.empty()) throw Error(m_problem, kDamaged);
    forward.useAdapters(m_adapters.get());
}

void TransformerModel::run(const ModelInput&, int, Forward& forward) const {
    begin(forward);
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

    std::uint64_t embedding = 0;
    std::uint64_t shared = 0;  // recorded tensors that the backward pass keeps anyway
    for (const StageCost& stage : costs()) {
        const std::int64_t tokens = longest(input, stage.stage);
        const std::int64_t pairs = stage.heads * tokens * tokens;
        const auto vectors = [&](std::int64_t width) { return bytesOf(tokens * width, element); };
        // Alive at once: stream, norm, Q, K, V, output in two layouts; or stream, norm, both sides of the
        // activation.
        std::uint64_t attention = vectors(2 * stage.hidden + 5 * stage.attentionWidth);
        if (stage.keyValueWidth > 0) attention = decoderAttention(stage, tokens, element);
        if (stage.vocabulary > 0) {
            // The logits, and their capped copy or cast.
            const std::uint64_t logits = bytesOf((capture.allLogits ? tokens : std::min<std::int64_t>(tokens, 1)) * stage.vocabulary, element);
            estimate.activations = std::max(estimate.activations, vectors(2 * stage.hidden) + 2 * logits);
        }
        // The bias, its padded copy, and the table rows it is gathered by.
        if (stage.biases > 0) attention += bytesOf(2 * pairs, element) + bytesOf(tokens * tokens, 8);
        const std::uint64_t mlp = vectors(3 * stage.hidden + 2 * stage.mlpWidth);
        // The picture cut into patches, positions, prefix and stream.
        embedding = std::max(embedding, inputs + vectors(5 * stage.hidden));
        estimate.activations = std::max({estimate.activations, attention, mlp});
        if (capture.hidden) {
            estimate.capture += static_cast<std::uint64_t>(stage.layers + 1) * vectors(stage.hidden);
            shared += static_cast<std::uint64_t>(stage.layers) * vectors(stage.hidden);
        }
        for (const std::string& tap : m_spec.taps)
            if (tap.starts_with(stage.stage + ".") && capture.wantsTap(tap))
                estimate.capture += vectors(stage.hidden);
        if (gradients) {
            const std::uint64_t block = vectors(2 * stage.hidden + 4 * stage.attentionWidth + stage.mlpWidth);
            estimate.gradients += static_cast<std::uint64_t>(stage.layers) * block +
                                  bytesOf(std::max<std::int64_t>(stage.biases - 1, 0) * pairs, element);
        }
        for (const AttentionSite& site : m_spec.sites) {
            if (site.stage != stage.stage || !capture.wantsSites() || !capture.wants(site.address()))
                continue;
            const bool pooling = site.kind == SiteKind::Cross && site.keyStage.empty();
            const std::int64_t queries = pooling ? 1 : tokens;
            const std::int64_t keys = site.keyStage.empty() ? tokens : longest(input, site.keyStage);
            const std::int64_t width = static_cast<std::int64_t>(site.heads) * site.headDim;
            const std::int64_t cells = site.heads * queries * keys;
            const std::int64_t keyValueWidth = static_cast<std::int64_t>(site.keyValueHeads) * site.headDim;
            const std::uint64_t qkv = bytesOf(queries * width + 2 * keys * keyValueWidth, element);
            estimate.capture += qkv + bytesOf(site.heads * queries, 4);
            shared += qkv;
            // The first bias is counted among the activations.
            if (site.kind == SiteKind::Self && site.block > 0 && site.block < stage.biases) {
                estimate.capture += bytesOf(cells, element);
                shared += bytesOf(cells, element);
            }
            if (capture.probs) estimate.capture += bytesOf(cells, 4);
            if (capture.stats) estimate.capture += bytesOf(site.heads * statisticsOf(queries, keys), 4);
            if (capture.attentionOutput) estimate.capture += bytesOf(queries * stage.hidden, element);
            if (capture.headOutput) estimate.capture += bytesOf(queries * width, element);
        }
    }
    if (capture.input) estimate.capture += inputs;
    if (gradients) estimate.gradients += 2 * inputs - std::min(shared, estimate.gradients);
    // Nothing is recorded yet while the picture is embedded.
    const std::uint64_t later = estimate.capture + estimate.gradients;
    estimate.activations = std::max(estimate.activations, embedding > later ? embedding - later : 0);
    return estimate;
}

MemoryEstimate TransformerModel::estimateWithParts(const ModelInput& input, const std::vector<TokenMap>& parts,
                                                   const CaptureRequest& capture, bool gradients) const {
    MemoryEstimate whole = TransformerModel::estimate(input, capture, gradients);
    // Parts run one after the other; what they record stays.
    for (const TokenMap& map : parts) {
        ModelInput part;
        part.maps = {map};
        const MemoryEstimate more = TransformerModel::estimate(part, capture, gradients);
        whole.activations = std::max(whole.activations, more.activations);
        whole.capture += more.capture;
        whole.gradients += more.gradients;
    }
    return whole;
}

}  // namespace fovea
