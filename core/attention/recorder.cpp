#include "attention/recorder.h"

#include <algorithm>

#include "attention/kv_cache.h"
#include "attention/spill.h"

namespace fovea {

Recorder::Recorder(const ModelSpec& spec, const RunSpec& run, TokenMap tokens, std::string prefix,
                   std::shared_ptr<const AttentionOperator> op)
    : m_spec(spec), m_run(run), m_op(std::move(op)), m_main(newBook(std::move(prefix), std::move(tokens))) {
    CaptureRequest capture = run.capture;
    capture.qkv = capture.qkv || run.gradients.attention;
    for (const AttentionSite& site : spec.sites) m_wanted.push_back(capture.wants(site.address()));
}

Recorder::Book Recorder::newBook(std::string prefix, TokenMap tokens) const {
    Book book;
    book.impl = std::make_shared<AttentionTrace::Impl>();
    book.impl->spec = m_spec;
    book.impl->tokens = std::move(tokens);
    book.impl->prefix = std::move(prefix);
    book.impl->op = m_op;
    return book;
}

void Recorder::Book::close() {
    for (auto& [site, output] : watched)
        if (const auto found = open.find(site); found != open.end() && output.grad().defined())
            found->second->outputGradient = output.grad().detach();
    watched.clear();
    for (auto& [site, record] : open) impl->records[site] = record;
    open.clear();
}

void Recorder::beginPart(const std::string& prefix, TokenMap tokens) {
    m_part = newBook(m_main.impl->prefix + prefix, std::move(tokens));
}

void Recorder::endPart() {
    if (!m_part) return;
    m_finished.push_back(std::move(*m_part));
    m_part.reset();
}

void Recorder::beginPass(int firstToken) { m_passes.begin(firstToken); }

void Recorder::site(const AttentionCall& call, const SiteEdit* edit, const at::Tensor& lse,
                    std::vector<int> queryTokens, std::vector<int> keyTokens) {
    auto record = std::make_shared<SiteRecord>();
    record->call = call;
    for (at::Tensor* tensor :
         {&record->call.query, &record->call.key, &record->call.value, &record->call.bias})
        if (tensor->defined()) *tensor = tensor->detach();
    record->lse = lse.detach();
    if (call.cached) {
        m_passes.site(record->call, record->lse, queryTokens);
        return;
    }
    if (edit) record->edit = *edit;
    record->queryTokens = std::move(queryTokens);
    record->keyTokens = std::move(keyTokens);
    spillBeyondLimit(*record);
    book().open[call.site] = std::move(record);
    book().impl->order.push_back(call.site);
}

void Recorder::spillBeyondLimit(SiteRecord& record) {
    if (!m_siteLimit) return;
    const std::vector<at::Tensor*> held = {&record.call.query, &record.call.key, &record.call.value, &record.lse};
    std::uint64_t bytes = 0;
    std::vector<at::Tensor> tensors;
    for (const at::Tensor* tensor : held) {
        bytes += static_cast<std::uint64_t>(tensor->nbytes());
        tensors.push_back(*tensor);
    }
    if (m_siteBytes + bytes <= *m_siteLimit) {
        m_siteBytes += bytes;
        return;
    }
    const std::vector<at::Tensor> moved = onTemporaryFile(tensors);
    for (std::size_t i = 0; i < held.size(); ++i) *held[i] = moved[i];
    if (record.call.bias.defined()) record.call.bias = record.call.bias.to(at::kCPU);
    if (record.call.segments) record.call.segments = besideFile(record.call.segments);
    m_spilled += bytes;
}

std::shared_ptr<const AttentionSegments> Recorder::besideFile(
    const std::shared_ptr<const AttentionSegments>& segments) {
    for (const auto& [given, copy] : m_besideFile)
        if (given == segments) return copy;
    m_besideFile.emplace_back(segments, std::make_shared<const AttentionSegments>(*segments, at::kCPU));
    return m_besideFile.back().second;
}

void Recorder::watchGradient(int site, const at::Tensor& output) {
    output.retain_grad();
    book().watched[site] = output;
}

void Recorder::attentionOutput(int site, const at::Tensor& value) {
    if (!m_run.capture.attentionOutput || !wants(site)) return;
    if (!m_passes.attentionOutput(site, value.detach()))
        if (SiteRecord* record = openRecord(site)) record->attentionOutput = value.detach();
}

void Recorder::headOutput(int site, const at::Tensor& value) {
    if (!m_run.capture.headOutput || !wants(site)) return;
    if (!m_passes.headOutput(site, value.detach()))
        if (SiteRecord* record = openRecord(site)) record->headOutput = value.detach();
}

SiteRecord* Recorder::openRecord(int site) {
    const auto found = book().open.find(site);
    return found == book().open.end() ? nullptr : found->second.get();
}

void Recorder::tap(std::string_view name, const at::Tensor& value) {
    if (!m_run.capture.wantsTap(name)) return;
    if (m_passes.active() && !m_part)
        m_passes.tap(std::string(name), value.detach());
    else
        book().impl->taps[std::string(name)] = value.detach();
}

void Recorder::hidden(const std::string& stage, int i, const at::Tensor& x) {
    if (!m_run.capture.hidden) return;
    if (m_passes.active() && !m_part)
        m_passes.hidden(stage, i, x.detach());
    else
        book().impl->hidden[{stage, i}] = x.detach();
}

void Recorder::checkpoint(const std::string& stage, int block, const at::Tensor& x, const at::Tensor& kept) {
    const CheckpointPolicy& policy = m_run.checkpoints;
    // A run that would begin at block 0 begins with the embeddings.
    if (m_part || policy.everyBlocks <= 0 || block == 0 || block % policy.everyBlocks != 0) return;
    const auto bytes = static_cast<std::uint64_t>(x.nbytes());
    if (policy.maxBytes > 0 && m_checkpointBytes + bytes > policy.maxBytes) return;
    m_checkpointBytes += bytes;
    m_checkpoints[stage].push_back({{block, x.detach()}, kept});
}

void Recorder::adopt(const RunState& state, const std::string& stage, int block) {
    for (const int site : state.trace->order) {
        const AttentionSite& where = m_spec.sites[static_cast<std::size_t>(site)];
        if (where.stage == stage && where.block < block) adoptRecord(*state.trace, site);
    }
    for (const auto& part : state.trace->parts) {
        const std::vector<StageTokens>& own = part->tokens().stages;
        if (std::any_of(own.begin(), own.end(), [&](const StageTokens& tokens) { return tokens.stage == stage; }))
            m_main.impl->parts.push_back(part);
    }
    if (m_passes.active())
        m_passes.adopt(state.passes, m_spec, stage, block);
    else
        for (const auto& [key, tensor] : state.trace->hidden)
            if (key.first == stage && key.second < block) m_main.impl->hidden[key] = tensor;
    adoptCheckpoints(state, stage, block);
}

// Sites whose keys are those of a cache belong to the passes of a generation.
void Recorder::adoptRecord(const AttentionTrace::Impl& trace, int site) {
    const std::shared_ptr<const SiteRecord>& record = trace.records.at(site);
    if (record->call.cached) return;
    m_main.impl->order.push_back(site);
    m_main.impl->records[site] = record;
}

void Recorder::adoptCheckpoints(const RunState& state, const std::string& stage, int block) {
    if (m_run.checkpoints.everyBlocks <= 0) return;
    const auto found = state.checkpoints.find(stage);
    if (found == state.checkpoints.end()) return;
    for (const Checkpoint& checkpoint : found->second)
        if (checkpoint.residual.block < block) {
            m_checkpoints[stage].push_back(checkpoint);
            m_checkpointBytes += static_cast<std::uint64_t>(checkpoint.residual.x.nbytes());
        }
}

void Recorder::adoptPasses(const RunState& earlier, int passes) {
    for (const int site : earlier.trace->order) adoptRecord(*earlier.trace, site);
    m_main.impl->parts = earlier.trace->parts;
    m_passes = earlier.passes.firstOf(passes);
    for (const StageSpec& stage : m_spec.stages) adoptCheckpoints(earlier, stage.id, stage.layers);
}

std::shared_ptr<const AttentionTrace> Recorder::finish(std::map<std::string, at::Tensor> outputs,
                                                       const std::map<std::string, at::Tensor>& inputs) {
    m_main.close();
    for (Book& part : m_finished) {
        part.close();
        m_main.impl->parts.push_back(std::make_shared<AttentionTrace>(part.impl));
    }
    m_finished.clear();
    for (auto& [name, tensor] : outputs) tensor = tensor.detach();
    m_main.impl->outputs = std::move(outputs);
    if (m_run.capture.input)
        for (const auto& [name, tensor] : inputs) m_main.impl->inputs[name] = tensor.detach();
    return std::make_shared<AttentionTrace>(m_main.impl);
}

std::shared_ptr<const AttentionTrace> Recorder::finishGeneration(std::map<std::string, at::Tensor> outputs,
                                                                 const std::map<std::string, at::Tensor>& inputs,
                                                                 const KvCache& cache, TokenMap tokens) {
    m_main.impl->tokens = std::move(tokens);
    m_passes.close(*m_main.impl, cache, m_run.edits);
    return finish(std::move(outputs), inputs);
}

void Recorder::leave(RunState& state) const {
    state.checkpoints = m_checkpoints;
    state.passes = m_passes;
    state.bytes += m_checkpointBytes;
}

}  // namespace fovea
