#include "attention/forward.h"

#include <ATen/TensorOperators.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/index_copy.h>
#include <ATen/ops/isin.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/topk.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "attention/kernel_forward.h"
#include "attention/kv_cache.h"
#include "attention/probabilities.h"
#include "attention/recorder.h"
#include "attention/routes.h"
#include "attention/run_state.h"
#include "fovea/error.h"
#include "nn/adapter_set.h"
#include "nn/linear.h"

namespace fovea {
namespace {

std::vector<int> toInts(const at::Tensor& indices) {
    const at::Tensor plain = indices.to(at::kCPU, at::kLong).contiguous();
    return {plain.const_data_ptr<std::int64_t>(), plain.const_data_ptr<std::int64_t>() + plain.numel()};
}

// The baseline, broadcastable to x: one value, or one per channel of [..., channels, height, width], of patches
// [1, patches, pixels * channels] or of patches [patches, channels * pixels].
at::Tensor baselineOf(const at::Tensor& x, const Perturbation& change) {
    if (change.channelBaseline.empty()) return at::tensor(change.baseline, at::kDouble).to(x.options());
    const at::Tensor channels = at::tensor(change.channelBaseline, at::kDouble).to(x.options());
    const std::int64_t count = channels.size(0), axis = x.dim() >= 4 ? x.dim() - 3 : x.dim() - 1;
    if (x.size(axis) % count != 0)
        throw Error(fmt::format("a baseline of {} channels does not fit an input axis of size {}", count,
                                x.size(axis)),
                    "Give one value, or one for each channel.", ErrorCode::Usage);
    if (x.dim() >= 4) return channels.view({count, 1, 1});
    return x.dim() == 2 ? channels.repeat_interleave(x.size(axis) / count) : channels.repeat({x.size(axis) / count});
}

at::Tensor perturbed(const at::Tensor& x, const Perturbation& change) {
    at::Tensor y = x;
    if (change.scale != 1) {
        const at::Tensor baseline = baselineOf(x, change);
        y = baseline + change.scale * (y - baseline);
    }
    if (change.noise > 0) {
        at::Generator generator = at::detail::createCPUGenerator(change.seed);
        const at::Tensor noise = at::randn(x.sizes(), generator, at::TensorOptions(at::kFloat));
        y = y + noise.to(x.options()) * change.noise;
    }
    return y;
}

// What an objective says of the logits at one place; `chosen` becomes the class that it is about.
at::Tensor scoreOf(Objective::Kind kind, const at::Tensor& logits, int classIndex, int otherClass, int& chosen) {
    const std::int64_t count = logits.size(0);
    const auto index = [&](int given, std::int64_t rank) {
        if (given >= count)
            throw Error(fmt::format("class {} of an output with {} entries", given, count),
                        "Choose a class of the model, counted from 0.",
                        ErrorCode::Usage);
        if (given >= 0) return static_cast<std::int64_t>(given);
        return std::get<1>(at::topk(logits.detach(), std::min(rank + 1, count)))[std::min(rank, count - 1)].item<std::int64_t>();
    };
    chosen = static_cast<int>(index(classIndex, 0));
    const at::Tensor score = (kind == Objective::Kind::LogProbability ? at::log_softmax(logits, 0) : logits)[chosen];
    return kind == Objective::Kind::LogitDifference ? score - logits[index(otherClass, 1)] : score;
}

}  // namespace

Forward::Forward(const ModelSpec& model, const TensorInput& input, const RunSpec& spec,
                 std::shared_ptr<const AttentionOperator> dense, const JobContext& job)
    : m_model(model), m_input(input), m_spec(spec), m_job(job), m_dense(std::move(dense)),
      m_routes(std::make_unique<RouteTable>(spec.route)), m_compared(spec.edits) {
    const std::string prefix = input.count() > 1 ? fmt::format("image{}/", spec.item) : "";
    m_recorder = std::make_unique<Recorder>(model, spec, input.maps.at(static_cast<std::size_t>(spec.item)),
                                            prefix, m_dense);
    m_inputs = input.items.at(static_cast<std::size_t>(spec.item));
    for (const StageSpec& stage : model.stages) m_blocksTotal += stage.layers;
    if (const auto main = m_inputs.find(input.mainTensor); main != m_inputs.end()) {
        const bool differentiable = main->second.is_floating_point();
        if (!differentiable && (spec.gradients.input || !(spec.perturbation == Perturbation{})))
            throw Error(fmt::format("{} holds whole numbers: it has no gradient and cannot be perturbed",
                                    input.mainTensor),
                        "give a picture, or choose an analysis without gradients", ErrorCode::Usage);
        main->second = perturbed(main->second, spec.perturbation);
        if (spec.gradients.any() && differentiable) main->second = main->second.detach().clone().requires_grad_(true);
    }
    if (spec.resume && !spec.gradients.any()) requireSameRun(*spec.resume, model, m_inputs, spec);
}

Forward::~Forward() = default;

void Forward::limitRecording(std::uint64_t bytes) { m_recorder->limitSites(bytes); }

at::Tensor Forward::attend(const AttentionCall& call) {
    const AttentionSite& site = m_model.sites.at(static_cast<std::size_t>(call.site));
    m_job.progress(done(), site.address());
    RouteOutput result = m_routes->run(call, *m_dense);
    const auto edit = std::find_if(m_spec.edits.sites.begin(), m_spec.edits.sites.end(),
                                   [&](const SiteEdit& e) { return e.site == call.site; });
    const bool edited = edit != m_spec.edits.sites.end() && !edit->identity();
    if (!edited) watchFinite(call.site, result.output);
    if (!edited && !m_recorder->wants(call.site)) return result.output;

    const std::vector<int> queryTokens = tokensOf(site.stage, call.query.size(2));
    // A recorded cache has its own list of tokens; an answer of many tokens must not copy it at every one of them.
    std::vector<int> keyTokens;
    if (!call.cached)
        keyTokens = keyTokensOf(site, call.key.size(2));
    else if (edited)
        keyTokens = m_cache->tokens(call.site);
    std::optional<SiteEdit> resolved;
    if (edited) {
        resolved = resolvePositions(*edit, queryTokens, keyTokens);
        result.output = applyEdit(call, *resolved, result.output);
        watchFinite(call.site, result.output);
    }
    if (m_recorder->wants(call.site)) {
        m_recorder->site(call, resolved ? &*resolved : nullptr, result.lse, queryTokens, keyTokens);
        m_recorder->headOutput(call.site, result.output);
        if (m_spec.gradients.attention && result.output.requires_grad())
            m_recorder->watchGradient(call.site, result.output);
    }
    return result.output;
}

// A sum is finite only where every value is; in fp32 at least, which half-precision values cannot overflow.
void Forward::watchFinite(int site, const at::Tensor& output) {
    // The prompt of an answer tells; two operators more would slow each of its tokens.
    constexpr std::size_t most = 4096;
    if (m_attended.size() >= most || (m_cache && output.size(2) == 1)) return;
    const at::AutoGradMode none(false);
    const at::ScalarType type = output.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    m_attended.push_back(site);
    m_sums.push_back(at::sum(output.detach(), type).to(at::kDouble));
}

std::string Forward::notFinite() const {
    if (m_sums.empty()) return {};
    std::vector<at::Tensor> sums;  // of blocks on several devices, too
    for (const at::Tensor& sum : m_sums) sums.push_back(sum.to(m_sums.front().device()));
    const at::Tensor finite = at::isfinite(at::stack(sums)).to(at::kCPU).contiguous();
    const bool* values = finite.const_data_ptr<bool>();
    const auto first = std::find(values, values + finite.numel(), false);
    if (first == values + finite.numel()) return {};
    const auto site = static_cast<std::size_t>(m_attended[static_cast<std::size_t>(first - values)]);
    return "attention holds values that are not finite (NaN or infinity), first at " + m_model.sites[site].address() +
           ": what depends on them has no value; check the weights and the input, or compute in float32";
}

std::vector<int> Forward::tokensOf(const std::string& stage, std::int64_t count) const {
    const auto kept = m_kept.find(stage);
    if (kept != m_kept.end() && kept->second.size(0) == count) return toInts(kept->second);
    std::vector<int> list(static_cast<std::size_t>(count));
    std::iota(list.begin(), list.end(), static_cast<int>(past()));
    return list;
}

std::vector<int> Forward::keyTokensOf(const AttentionSite& site, std::int64_t count) const {
    return tokensOf(site.keyStage.empty() ? site.stage : site.keyStage, count);
}

double Forward::done() const {
    if (m_blocksTotal <= 0) return 0;
    return std::min(1.0, static_cast<double>(m_blocksRun - m_blocksBefore) / m_blocksTotal);
}

void Forward::useCache(AttentionCall& call) {
    if (!m_cache) return;
    const std::string& stage = m_model.sites.at(static_cast<std::size_t>(call.site)).stage;
    call.queryOffset = static_cast<std::int64_t>(m_cache->tokens(call.site).size());
    const KvCache::View all = m_cache->append(call.site, call.key, call.value, tokensOf(stage, call.key.size(2)));
    call.key = all.key;
    call.value = all.value;
    call.cached = true;
}

void Forward::useFixedKeys(AttentionCall& call, const std::function<void(AttentionCall&)>& make) {
    if (!m_cache || !m_cache->holds(call.site)) make(call);
    if (!m_cache) return;
    if (!m_cache->holds(call.site)) {
        const AttentionSite& site = m_model.sites.at(static_cast<std::size_t>(call.site));
        m_cache->keep(call.site, call.key, call.value, keyTokensOf(site, call.key.size(2)));
    }
    const KvCache::View all = m_cache->view(call.site);
    call.key = all.key;
    call.value = all.value;
    call.cached = true;
}

std::int64_t Forward::past() const { return m_cache ? m_cache->length() : 0; }

const std::vector<int>& Forward::cachedTokens(int site) const { return m_cache->tokens(site); }

void Forward::beginPart(const std::string& prefix, TokenMap tokens) {
    for (const StageTokens& stage : tokens.stages) m_partStages.push_back(stage.stage);
    m_recorder->beginPart(prefix, std::move(tokens));
}

void Forward::endPart() {
    m_recorder->endPart();
    for (const std::string& stage : m_partStages) m_kept.erase(stage);
    m_partStages.clear();
}

void Forward::beginPass(KvCache& cache, int firstToken, int blocks, const JobContext& job) {
    m_cache = &cache;
    m_job = job;
    m_kept.clear();
    m_blocksBefore = m_blocksRun;
    m_blocksTotal = blocks;
    m_recorder->beginPass(firstToken);
}

void Forward::endPass(std::int64_t tokens) { m_cache->advance(tokens); }

void Forward::dropPass() {
    m_recorder->dropPass();
    m_cache->truncate(m_cache->length());
}

void Forward::continueFrom(int passes, KvCache& cache) {
    const RunState& earlier = *m_spec.resume;
    m_cache = &cache;
    m_outputs = earlier.trace->outputs;
    m_results = earlier.results;
    m_attended = earlier.attended;
    m_sums = earlier.sums;
    // Those of a later pass than the last one kept.
    if (passes < earlier.passes.passes()) m_outputs.erase("logits");
    m_recorder->adoptPasses(earlier, passes);
}

std::vector<at::Tensor> Forward::kept(const std::string& stage, const std::vector<std::string>& reads,
                                      const std::function<std::vector<at::Tensor>()>& make) {
    const bool keeps = m_spec.checkpoints.everyBlocks > 0;
    if (sameAsBefore(reads) && sameAsBefore({stage}) &&
        recordedStage(*m_spec.resume, m_spec.capture, m_model, stage)) {
        const auto found = m_spec.resume->results.find(stage);
        if (found != m_spec.resume->results.end()) {
            m_tookResults = true;
            takeOver(stage, m_model.stage(stage).layers + 1);
            for (const auto& [name, value] : found->second.outputs) m_outputs[name] = value;
            if (found->second.kept.defined()) m_kept[stage] = found->second.kept;
            if (keeps) m_results[stage] = found->second;
            return found->second.tensors;
        }
    }
    const std::map<std::string, at::Tensor> before = m_outputs;
    const std::vector<at::Tensor> made = make();
    if (!keeps) return made;
    StageResult result;
    for (const at::Tensor& tensor : made) result.tensors.push_back(tensor.defined() ? tensor.detach() : tensor);
    for (const auto& [name, value] : m_outputs)
        if (before.count(name) == 0) result.outputs[name] = value.detach();
    result.kept = keptTokens(stage);
    m_results[stage] = std::move(result);
    return made;
}

void Forward::leave(RunState& state, const AttentionTrace& trace) const {
    state.edits = m_compared;
    state.capture = m_spec.capture;
    state.route = m_spec.route;
    state.adapterStrengths = m_spec.adapterStrengths;
    for (const auto& [name, tensor] : m_inputs) state.inputs[name] = tensor.requires_grad() ? tensor.detach() : tensor;
    state.trace = trace.impl();
    state.results = m_results;
    for (const auto& [stage, result] : m_results)
        for (const at::Tensor& tensor : result.tensors)
            if (tensor.defined()) state.bytes += static_cast<std::uint64_t>(tensor.nbytes());
    state.attended = m_attended;
    state.sums = m_sums;
    m_recorder->leave(state);
    if (!m_cache) return;
    state.cache = *m_cache;
    state.bytes += m_cache->bytes();
}

at::Tensor Forward::recordedOutput(const std::string& name) const {
    const auto found = m_outputs.find(name);
    return found == m_outputs.end() ? at::Tensor() : found->second;
}

// Heads that an edit changes are computed again and overwrite their slice; the other heads keep the bits of the
// route.
at::Tensor Forward::applyEdit(const AttentionCall& call, const SiteEdit& edit, const at::Tensor& plain) {
    at::Tensor output = plain;
    const std::vector<std::int64_t> heads = recomputedHeads(edit, call.query.size(1));
    if (!heads.empty()) {
        std::string declined = m_spec.route == RouteChoice::Explicit ? "the explicit route was asked for" : "";
        at::Tensor changed = declined.empty() ? editedHeads(call, edit, heads, declined) : at::Tensor();
        m_routes->count(changed.defined() ? kernelEdit : explicitEdit,
                        changed.defined() ? std::vector<std::string>() : std::vector{"kernel: " + declined});
        if (!changed.defined()) changed = explicitHeads(call, edit, heads);
        output = at::index_copy(output, 1, at::tensor(heads, at::kLong).to(output.device()),
                                changed.to(output.scalar_type()));
    }
    if (!edit.headGain.empty()) {
        const at::Tensor gain =
            at::tensor(edit.headGain, at::kDouble).to(output.options()).view({1, -1, 1, 1});
        output = output * gain;
    }
    return output;
}

void Forward::useAdapters(const AdapterSet* adapters) {
    const std::vector<double>& asked = m_spec.adapterStrengths;
    const std::size_t count = adapters ? adapters->strengths().size() : 0;
    if (!asked.empty() && asked.size() != count)
        throw Error(fmt::format("strengths of {} adapters for a model with {}", asked.size(), count),
                    "give one for each adapter that the model was opened with", ErrorCode::Usage);
    m_adapterStrengths = !adapters || !asked.empty() ? asked : adapters->strengths();
    const bool acts = std::any_of(m_adapterStrengths.begin(), m_adapterStrengths.end(),
                                  [](double strength) { return strength != 0; });
    m_adapters = acts ? adapters : nullptr;
}

// The heads from their edited probabilities, row block by row block; differentiable.
at::Tensor Forward::explicitHeads(const AttentionCall& call, const SiteEdit& edit,
                                  const std::vector<std::int64_t>& heads) const {
    const std::int64_t queries = call.query.size(2), group = call.query.size(1) / call.key.size(1);
    SiteEdit ungained = edit;
    ungained.headGain.clear();
    const std::int64_t step = rowsPerBlock(1, call.key.size(2));
    std::vector<at::Tensor> changed;
    for (const std::int64_t head : heads) {
        const at::Tensor values = call.value[0][head / group];
        std::vector<at::Tensor> parts;
        for (std::int64_t begin = 0; begin < queries; begin += step) {
            const RowBlock block{head, head + 1, begin, std::min(begin + step, queries)};
            const at::Tensor probs = blockProbabilities(*m_dense, call, &ungained, block);
            parts.push_back(at::matmul(probs.to(values.scalar_type()), values));
        }
        changed.push_back(at::cat(parts, 1).unsqueeze(0));
    }
    return at::cat(changed, 1);
}

at::Tensor Forward::linear(const Linear& weight, const at::Tensor& x) {
    if (m_adapters) return m_adapters->linear(weight, x, m_adapterStrengths);
    return at::linear(x, weight.weight,
                      weight.bias.defined() ? std::optional<at::Tensor>(weight.bias) : std::nullopt);
}

at::Tensor Forward::embedding(const Linear& table, const at::Tensor& ids) const {
    return m_adapters ? m_adapters->embedding(table, ids, m_adapterStrengths) : at::embedding(table.weight, ids);
}

at::Tensor Forward::tap(std::string_view name, const at::Tensor& value) {
    m_recorder->tap(name, value);
    return value;
}

at::Tensor Forward::input(const std::string& name) const {
    const auto found = m_inputs.find(name);
    return found == m_inputs.end() ? at::Tensor() : found->second;
}

at::Tensor Forward::given(const std::string& name) const {
    const auto& items = m_input.items.at(static_cast<std::size_t>(m_spec.item));
    const auto found = items.find(name);
    return found == items.end() ? at::Tensor() : found->second;
}

std::optional<Residual> Forward::resume(const std::string& stage, const std::vector<std::string>& reads) {
    // Tokens of an answer are run one by one.
    if (past() > 0 || m_recorder->inPart()) return {};
    m_resumable.insert(stage);
    if (!sameAsBefore(reads)) return {};
    const Checkpoint* best = latestCheckpoint(*m_spec.resume, m_compared, m_spec.capture, m_model, stage);
    if (!best) return {};
    if (best->keptTokens.defined()) m_kept[stage] = best->keptTokens;
    takeOver(stage, best->residual.block);
    return best->residual;
}

// Whether there is a run before, and nothing in these stages differs from it.
bool Forward::sameAsBefore(const std::vector<std::string>& stages) const {
    if (!m_spec.resume || m_spec.gradients.any()) return false;
    return std::all_of(stages.begin(), stages.end(), [&](const std::string& stage) {
        return sameEdits(*m_spec.resume, m_compared, m_model, stage);
    });
}

// What the run before has left of the blocks of a stage before `block`.
void Forward::takeOver(const std::string& stage, int block) {
    const RunState& earlier = *m_spec.resume;
    const auto before = [&](int site) {
        const AttentionSite& where = m_model.sites[static_cast<std::size_t>(site)];
        return where.stage == stage && where.block < block;
    };
    m_recorder->adopt(earlier, stage, block);
    for (std::size_t i = 0; i < earlier.attended.size(); ++i)
        if (before(earlier.attended[i])) {
            m_attended.push_back(earlier.attended[i]);
            m_sums.push_back(earlier.sums[i]);
        }
    if (m_cache)
        for (std::size_t i = 0; i < m_model.sites.size(); ++i)
            if (before(static_cast<int>(i))) m_cache->adopt(earlier.cache, static_cast<int>(i), earlier.prompt);
    const int blocks = std::min(block, m_model.stage(stage).layers);
    m_blocksResumed += blocks;
    m_blocksTotal -= blocks;
}

at::Tensor Forward::enterBlock(const std::string& stage, int block, const at::Tensor& x) {
    m_job.progress(done(), stage);
    const auto kept = m_kept.find(stage);
    // Checkpoints hold the stream before this block's own pruning, so that a run that prunes otherwise can
    // use them.
    if (past() == 0 && m_resumable.count(stage) > 0)
        m_recorder->checkpoint(stage, block, x, kept == m_kept.end() ? at::Tensor() : kept->second);
    at::Tensor stream = pruned(stage, block, x);
    // A text's gradients reach back to its embeddings: its ids have none, and a picture may come in only later.
    if (m_spec.gradients.attention && block == 0 && !stream.requires_grad()) stream = stream.detach().requires_grad_(true);
    m_recorder->hidden(stage, block, stream);
    // The backward pass has no other place to stop at. It may run on a thread of the device: nothing is
    // reported.
    if (stream.requires_grad())
        stream.register_hook([stop = m_job.stopToken()](const at::Tensor&) {
            if (stop.stop_requested()) throw Cancelled();
        });
    ++m_blocksRun;
    return stream;
}

at::Tensor Forward::pruned(const std::string& stage, int block, const at::Tensor& x) {
    at::Tensor stream = x;
    if (past() > 0) return stream;  // tokens of an answer are never dropped
    for (const TokenPrune& prune : m_spec.edits.prunes) {
        if (prune.stage != stage || prune.block != block) continue;
        const auto options = at::TensorOptions(at::kLong).device(x.device());
        at::Tensor& kept = m_kept[stage];
        if (!kept.defined()) kept = at::arange(stream.size(1), options);
        const std::vector<std::int64_t> gone(prune.dropped.begin(), prune.dropped.end());
        const at::Tensor stays = at::isin(kept, at::tensor(gone, at::kLong).to(x.device())).logical_not();
        const at::Tensor positions = stays.nonzero().squeeze(1);
        if (positions.numel() == 0)
            throw Error(
                fmt::format("pruning before block {} of stage {} would drop every token", block, stage),
                "keep at least one token", ErrorCode::Usage);
        stream = stream.index_select(1, positions);
        kept = kept.index_select(0, positions);
    }
    return stream;
}

void Forward::leaveStage(const std::string& stage, int blocks, const at::Tensor& x) {
    m_recorder->hidden(stage, blocks, x);
}

at::Tensor Forward::keptTokens(const std::string& stage) const {
    const auto found = m_kept.find(stage);
    return found == m_kept.end() ? at::Tensor() : found->second;
}

at::Tensor Forward::attentionOutput(int site, const at::Tensor& value) {
    m_recorder->attentionOutput(site, value);
    return value;
}

void Forward::output(const std::string& name, const at::Tensor& value) { m_outputs[name] = value; }

RunResult Forward::finish() {
    RunResult result;
    const at::Tensor objective = resolveObjective(result);
    if (m_spec.gradients.any()) {
        if (!objective.defined())
            throw Error("gradients need an objective", "choose a class or an output", ErrorCode::Usage);
        const auto found = m_inputs.find(m_input.mainTensor);
        const bool leaf = found != m_inputs.end() && found->second.requires_grad();
        if (!objective.requires_grad() || (m_spec.gradients.input && !leaf))
            throw Error(
                "gradients need the tensor " + m_input.mainTensor + ", which this input does not hold",
                "give a picture", ErrorCode::Usage);
        objective.backward();
        if (leaf) {
            result.inputTensor = toArray(found->second, true);
            if (found->second.grad().defined()) result.inputGradient = toArray(found->second.grad(), true);
        }
    }
    result.trace = m_recorder->finish(m_outputs, m_inputs);
    if (m_spec.checkpoints.everyBlocks > 0) {
        const auto state = std::make_shared<RunState>();
        leave(*state, *result.trace);
        result.state = state;
    }
    addCounts(result);
    return result;
}

RunResult Forward::finishGeneration(TokenMap tokens) {
    RunResult result;
    result.trace = m_recorder->finishGeneration(m_outputs, m_inputs, *m_cache, std::move(tokens));
    addCounts(result);
    return result;
}

void Forward::addCounts(RunResult& result) const {
    result.routes = m_routes->reports();
    for (std::string& notice : m_routes->notices()) result.notices.push_back(std::move(notice));
    if (std::string notice = notFinite(); !notice.empty()) result.notices.push_back(std::move(notice));
    if (const std::uint64_t bytes = m_recorder->spilledBytes(); bytes > 0)
        result.notices.push_back(fmt::format("{} of the recording are on a temporary file: they do not fit into the "
                                             "budget, and what needs them is slower",
                                             formatBytes(bytes)));
    result.blocksRun = m_blocksRun;
    result.blocksResumed = m_blocksResumed;
}

// The last row at or before a token: where the prompt's end was pruned, the answer follows on what is left of it.
std::int64_t Forward::rowOf(const std::string& stage, int token, std::int64_t rows) const {
    const at::Tensor kept = keptTokens(stage);
    const std::int64_t row = kept.defined() ? kept.le(token).sum().item<std::int64_t>() - 1 : token;
    const StageTokens& tokens = m_input.maps.at(static_cast<std::size_t>(m_spec.item)).stage(stage);
    if (token >= 0 && token < tokens.size() && row >= 0 && row < rows) return row;
    throw Error(fmt::format("an objective about what token {} of stage {} is followed by: expected one of {} tokens, of "
                            "which {} are left in the last layer",
                            token, stage, tokens.size(), rows),
                "choose a later token, or prune less", ErrorCode::Usage);
}

at::Tensor Forward::toReadOut(const std::string& stage, const at::Tensor& x) {
    const bool all = !m_cache && (m_input.allLogits || m_spec.capture.allLogits);
    m_read.clear();
    if (m_spec.objective)
        for (const ObjectiveToken& token : m_spec.objective->tokens) m_read.push_back(rowOf(stage, token.row, x.size(1)));
    if (all) return x;
    if (m_read.empty()) return x.narrow(1, x.size(1) - 1, 1);
    std::vector<std::int64_t> rows = m_read;
    std::sort(rows.begin(), rows.end());
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    for (std::int64_t& row : m_read) row = std::lower_bound(rows.begin(), rows.end(), row) - rows.begin();
    return x.index_select(1, at::tensor(rows, at::kLong).to(x.device()));
}

at::Tensor Forward::resolveObjective(RunResult& result) {
    if (!m_spec.objective) return {};
    const Objective& wanted = *m_spec.objective;
    const auto found = m_outputs.find(wanted.output);
    if (found == m_outputs.end())
        throw Error(
            fmt::format("the model has no output \"{}\" that an objective could be about", wanted.output),
            "a bare model has no classes: choose another objective or a model with a classifier",
            ErrorCode::Usage);
    const at::Tensor output = found->second.to(found->second.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
    // Of a text the next token is what an objective is about.
    const bool text = wanted.output == "logits" && output.dim() == 3;
    const at::Tensor values = (text ? output.select(1, output.size(1) - 1) : output).reshape({-1});
    at::Tensor scalar;
    if (wanted.kind == Objective::Kind::OutputNorm) {
        scalar = (values * values).sum();
    } else if (wanted.tokens.empty()) {
        scalar = scoreOf(wanted.kind, values, wanted.classIndex, wanted.otherClass, result.objectiveClass);
    } else {
        if (output.dim() != 3 || m_read.size() != wanted.tokens.size())
            throw Error(fmt::format("output \"{}\": an objective about tokens needs a text's logits", wanted.output),
                        "choose the output logits", ErrorCode::Usage);
        for (std::size_t i = 0; i < wanted.tokens.size(); ++i) {
            const ObjectiveToken& token = wanted.tokens[i];
            const at::Tensor score =
                scoreOf(wanted.kind, output[0][m_read[i]], token.id, token.other, result.objectiveClass);
            scalar = scalar.defined() ? scalar + score : score;
        }
    }
    result.objective = scalar.item<double>();
    return scalar;
}

}  // namespace fovea
