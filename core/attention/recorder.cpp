#include "attention/recorder.h"

#include <algorithm>

namespace fovea {

Recorder::Recorder(const ModelSpec& spec, const RunSpec& run, TokenMap tokens, std::string prefix,
                   std::shared_ptr<const AttentionOperator> op)
    : m_spec(spec), m_run(run), m_impl(std::make_shared<AttentionTrace::Impl>()) {
    m_impl->spec = spec;
    m_impl->tokens = std::move(tokens);
    m_impl->prefix = std::move(prefix);
    m_impl->op = std::move(op);
    CaptureRequest capture = run.capture;
    capture.qkv = capture.qkv || run.gradients.attention;
    for (const AttentionSite& site : spec.sites) m_wanted.push_back(capture.wants(site.address()));
}

void Recorder::site(const AttentionCall& call, const SiteEdit* edit, const at::Tensor& lse,
                    std::vector<int> queryTokens, std::vector<int> keyTokens) {
    auto record = std::make_shared<SiteRecord>();
    record->call = call;
    for (at::Tensor* tensor :
         {&record->call.query, &record->call.key, &record->call.value, &record->call.bias})
        if (tensor->defined()) *tensor = tensor->detach();
    record->lse = lse.detach();
    if (edit) record->edit = *edit;
    record->queryTokens = std::move(queryTokens);
    record->keyTokens = std::move(keyTokens);
    m_open[call.site] = std::move(record);
    m_impl->order.push_back(call.site);
}

void Recorder::watchGradient(int site, const at::Tensor& output) {
    output.retain_grad();
    m_watched[site] = output;
}

void Recorder::attentionOutput(int site, const at::Tensor& value) {
    if (const auto found = m_open.find(site); m_run.capture.attentionOutput && found != m_open.end())
        found->second->attentionOutput = value.detach();
}

void Recorder::headOutput(int site, const at::Tensor& value) {
    if (const auto found = m_open.find(site); m_run.capture.headOutput && found != m_open.end())
        found->second->headOutput = value.detach();
}

void Recorder::tap(std::string_view name, const at::Tensor& value) {
    if (m_run.capture.wantsTap(name)) m_impl->taps[std::string(name)] = value.detach();
}

void Recorder::hidden(const std::string& stage, int i, const at::Tensor& x) {
    if (m_run.capture.hidden) m_impl->hidden[{stage, i}] = x.detach();
}

void Recorder::checkpoint(const std::string& stage, int block, const at::Tensor& x, const at::Tensor& kept) {
    const CheckpointPolicy& policy = m_run.checkpoints;
    if (policy.everyBlocks <= 0 || block % policy.everyBlocks != 0) return;
    const auto bytes = static_cast<std::uint64_t>(x.nbytes());
    if (policy.maxBytes > 0 && m_checkpointBytes + bytes > policy.maxBytes) return;
    m_checkpointBytes += bytes;
    m_checkpoints[stage].push_back({{block, x.detach()}, kept});
}

void Recorder::adopt(const RunState& state, const std::string& stage, int block) {
    for (const int site : state.trace->order) {
        const AttentionSite& where = m_spec.sites[static_cast<std::size_t>(site)];
        if (where.stage != stage || where.block >= block) continue;
        m_impl->order.push_back(site);
        m_impl->records[site] = state.trace->records.at(site);
    }
    for (const auto& [key, tensor] : state.trace->hidden)
        if (key.first == stage && key.second < block) m_impl->hidden[key] = tensor;
    if (m_run.checkpoints.everyBlocks <= 0) return;
    const auto found = state.checkpoints.find(stage);
    if (found == state.checkpoints.end()) return;
    for (const Checkpoint& checkpoint : found->second)
        if (checkpoint.residual.block < block) {
            m_checkpoints[stage].push_back(checkpoint);
            m_checkpointBytes += static_cast<std::uint64_t>(checkpoint.residual.x.nbytes());
        }
}

std::shared_ptr<const AttentionTrace> Recorder::finish(std::map<std::string, at::Tensor> outputs,
                                                       const std::map<std::string, at::Tensor>& inputs) {
    for (auto& [site, output] : m_watched)
        if (const auto found = m_open.find(site); found != m_open.end() && output.grad().defined())
            found->second->outputGradient = output.grad().detach();
    m_watched.clear();
    for (auto& [site, record] : m_open) m_impl->records[site] = record;
    for (auto& [name, tensor] : outputs) tensor = tensor.detach();
    m_impl->outputs = std::move(outputs);
    if (m_run.capture.input)
        for (const auto& [name, tensor] : inputs) m_impl->inputs[name] = tensor.detach();
    return std::make_shared<AttentionTrace>(m_impl);
}

std::shared_ptr<const RunState> Recorder::state(const std::shared_ptr<const AttentionTrace>& trace,
                                                const std::map<std::string, at::Tensor>& inputs) const {
    if (m_run.checkpoints.everyBlocks <= 0) return nullptr;
    auto state = std::make_shared<RunState>();
    state->edits = m_run.edits;
    state->capture = m_run.capture;
    state->route = m_run.route;
    for (const auto& [name, tensor] : inputs) state->inputs[name] = tensor.detach();
    state->checkpoints = m_checkpoints;
    state->trace = trace->impl();
    state->bytes = m_checkpointBytes;
    return state;
}

}  // namespace fovea
