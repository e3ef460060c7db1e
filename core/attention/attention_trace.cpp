#include "fovea/attention_trace.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/einsum.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "attention/probabilities.h"
#include "attention/trace_impl.h"
#include "fovea/error.h"

namespace fovea {
namespace {

const at::Tensor& named(const std::map<std::string, at::Tensor>& tensors, const std::string& name,
                        const char* what) {
    const auto found = tensors.find(name);
    if (found != tensors.end()) return found->second;
    std::string known;
    for (const auto& entry : tensors) known += (known.empty() ? "" : ", ") + entry.first;
    throw Error(fmt::format("the trace has no {} \"{}\"", what, name), "it has: " + known, ErrorCode::Usage);
}

std::vector<std::string> namesOf(const std::map<std::string, at::Tensor>& tensors) {
    std::vector<std::string> names;
    for (const auto& entry : tensors) names.push_back(entry.first);
    return names;
}

const at::Tensor& needed(const at::Tensor& tensor, const char* what, int site, const ModelSpec& spec) {
    if (!tensor.defined())
        throw Error(fmt::format("{} of site {} was not recorded", what,
                                spec.sites[static_cast<std::size_t>(site)].address()),
                    "record it with --keep, or ask for gradients", ErrorCode::Usage);
    return tensor;
}

// What else an analysis may be about, where nothing of the wanted stage was recorded.
std::string otherStages(const AttentionTrace::Impl& trace, const std::string& wanted) {
    std::string other;
    for (const auto& [index, record] : trace.records) {
        const AttentionSite& site = trace.spec.sites[static_cast<std::size_t>(index)];
        if (site.stage == wanted) return {};
        if (other.empty() && site.overOwnTokens()) other = site.stage;
    }
    return other.empty() ? other
                         : fmt::format("; those of stage {} were: an analysis takes them with --param stage={}", other, other);
}

}  // namespace

Array toArray(const at::Tensor& tensor, bool dropBatch) {
    const at::Tensor source = dropBatch && tensor.dim() > 0 && tensor.size(0) == 1 ? tensor[0] : tensor;
    const at::Tensor plain = source.detach().to(at::kCPU, at::kFloat).contiguous();
    Array array;
    array.shape = plain.sizes().vec();
    array.values.assign(plain.const_data_ptr<float>(), plain.const_data_ptr<float>() + plain.numel());
    return array;
}

at::Tensor SiteRecord::exactLse(const AttentionOperator& op) const {
    if (kernelsDecline(op, Weights::Base).empty()) {
        if (at::Tensor fromKernel = kernelLse(Lookup::Compute); fromKernel.defined()) return fromKernel;
    }
    const std::lock_guard lock(m_mutex);
    if (m_exactLse.defined()) return m_exactLse;
    const at::NoGradGuard noGrad;
    const std::int64_t heads = call.query.size(1), queries = call.query.size(2);
    const std::int64_t step = rowsPerBlock(heads, call.key.size(2));
    std::vector<at::Tensor> parts;
    for (std::int64_t begin = 0; begin < queries; begin += step)
        // In float64: some builds of the fp32 logarithm are off by 4e-5.
        parts.push_back(at::logsumexp(
            op.logits(call, {0, heads, begin, std::min(begin + step, queries)}).to(at::kDouble), {-1}));
    return m_exactLse = at::cat(parts, 1);
}

bool SiteRecord::usesStored(Weights weights) const {
    const bool wanted = weights == Weights::Effective || !storedEdited;
    if (storedProbs.defined() && (wanted || !hasLogits())) {
        if (wanted) return true;
        throw Error(
            "the recorded probabilities are those after edits: those of the plain softmax are not there",
            "choose weights=effective, or record qkv, too", ErrorCode::Usage);
    }
    if (!hasLogits())
        throw Error("neither probabilities nor the logits they come from were recorded",
                    "record probs, or qkv with its bias", ErrorCode::Usage);
    return false;
}

const SiteRecord& AttentionTrace::Impl::record(int site) const {
    if (const auto found = records.find(site); found != records.end()) return *found->second;
    if (site < 0 || site >= static_cast<int>(spec.sites.size()))
        throw Error("there is no site number " + std::to_string(site), {}, ErrorCode::Usage);
    const AttentionSite& wanted = spec.sites[static_cast<std::size_t>(site)];
    throw Error("site " + wanted.address() + " was not recorded",
                "recorded sites are chosen with --sites" + otherStages(*this, wanted.stage), ErrorCode::Usage);
}

std::int64_t rowsPerBlock(std::int64_t heads, std::int64_t keys) {
    return std::max<std::int64_t>(1, (std::int64_t{32} << 20) / std::max<std::int64_t>(1, heads * keys * 4));
}

at::Tensor recordedProbabilities(const AttentionOperator& op, const SiteRecord& record, const RowBlock& block,
                                 Weights weights) {
    if (record.usesStored(weights))
        return record.storedProbs.narrow(0, block.headBegin, block.headEnd - block.headBegin)
            .narrow(1, block.queryBegin, block.queryEnd - block.queryBegin);
    const SiteEdit* edit = weights == Weights::Effective && record.edit ? &*record.edit : nullptr;
    return blockProbabilities(op, record.call, edit, block);
}

AttentionTrace::AttentionTrace(std::shared_ptr<const Impl> impl) : m_impl(std::move(impl)) {}
AttentionTrace::~AttentionTrace() = default;

const ModelSpec& AttentionTrace::spec() const { return m_impl->spec; }
const TokenMap& AttentionTrace::tokens() const { return m_impl->tokens; }
const std::vector<int>& AttentionTrace::sites() const { return m_impl->order; }
bool AttentionTrace::has(int site) const { return m_impl->records.count(site) != 0; }
const std::string& AttentionTrace::prefix() const { return m_impl->prefix; }
const std::vector<std::shared_ptr<const AttentionTrace>>& AttentionTrace::parts() const { return m_impl->parts; }

bool AttentionTrace::edited(int site) const { return edit(site) || m_impl->record(site).storedEdited; }
const SiteEdit* AttentionTrace::edit(int site) const {
    const SiteRecord& record = m_impl->record(site);
    return record.edit ? &*record.edit : nullptr;
}

std::uint64_t AttentionTrace::bytes() const {
    std::uint64_t total = 0;
    const auto add = [&total](const at::Tensor& t) {
        total += t.defined() ? static_cast<std::uint64_t>(t.nbytes()) : 0;
    };
    std::set<const void*> biases;  // one bias may serve every layer
    for (const auto& [site, record] : m_impl->records) {
        add(record->call.query), add(record->call.key), add(record->call.value), add(record->lse);
        add(record->attentionOutput), add(record->headOutput), add(record->outputGradient);
        add(record->storedProbs);
        if (const at::Tensor& bias = record->call.bias;
            bias.defined() && biases.insert(bias.storage().data()).second)
            total += bias.storage().nbytes();
    }
    for (const auto& entry : m_impl->taps) add(entry.second);
    for (const auto& entry : m_impl->hidden) add(entry.second);
    for (const auto& entry : m_impl->outputs) add(entry.second);
    for (const auto& entry : m_impl->inputs) add(entry.second);
    for (const auto& part : m_impl->parts) total += part->bytes();
    return total;
}

int AttentionTrace::queries(int site) const {
    return static_cast<int>(m_impl->record(site).queryTokens.size());
}
int AttentionTrace::keys(int site) const { return static_cast<int>(m_impl->record(site).keyTokens.size()); }
const std::vector<int>& AttentionTrace::queryTokens(int site) const {
    return m_impl->record(site).queryTokens;
}
const std::vector<int>& AttentionTrace::keyTokens(int site) const { return m_impl->record(site).keyTokens; }

Array AttentionTrace::query(int site) const {
    return toArray(needed(m_impl->record(site).call.query, "Q", site, spec()), true);
}
Array AttentionTrace::key(int site) const {
    return toArray(needed(m_impl->record(site).call.key, "K", site, spec()), true);
}
Array AttentionTrace::value(int site) const {
    return toArray(needed(m_impl->record(site).call.value, "V", site, spec()), true);
}

Array AttentionTrace::logSumExp(int site) const {
    const SiteRecord& record = m_impl->record(site);
    if (!record.hasLogits()) return toArray(needed(record.lse, "log-sum-exp", site, spec()), true);
    return toArray(record.exactLse(*m_impl->op));
}

Array AttentionTrace::attentionOutput(int site) const {
    return toArray(needed(m_impl->record(site).attentionOutput, "the attention output", site, spec()), true);
}

Array AttentionTrace::headOutput(int site) const {
    return toArray(needed(m_impl->record(site).headOutput, "the output of the heads", site, spec()), true);
}

Array AttentionTrace::valueNorms(int site) const {
    const at::NoGradGuard noGrad;
    const AttentionCall& call = m_impl->record(site).call;
    at::Tensor values = needed(call.value, "V", site, spec())[0].to(at::kFloat);  // [kv_heads, key, dim]
    const std::int64_t heads = call.query.size(1), dim = values.size(2);
    if (heads != values.size(0)) values = values.repeat_interleave(heads / values.size(0), 0);
    if (!call.outputWeight.defined()) return toArray(at::linalg_vector_norm(values, 2, {-1}));
    // |v W_O^h|^2 = v (W_h^T W_h) v^T: a small Gram matrix per head instead of vectors of the hidden size.
    const at::Tensor weight = call.outputWeight.to(values.device(), at::kFloat).view({-1, heads, dim}).permute({1, 0, 2});
    const at::Tensor gram = at::matmul(weight.transpose(1, 2), weight);  // [heads, dim, dim]
    return toArray((at::matmul(values, gram) * values).sum({-1}).clamp_min(0).sqrt());
}

bool AttentionTrace::hasHidden(const std::string& stage, int i) const {
    return m_impl->hidden.count({stage, i}) != 0;
}

Array AttentionTrace::hidden(const std::string& stage, int i) const {
    const auto found = m_impl->hidden.find({stage, i});
    if (found == m_impl->hidden.end())
        throw Error(fmt::format("the residual stream at block {} of stage {} was not recorded", i, stage),
                    "record it with --keep hidden", ErrorCode::Usage);
    return toArray(found->second, true);
}

std::vector<std::string> AttentionTrace::tapNames() const { return namesOf(m_impl->taps); }
Array AttentionTrace::tap(const std::string& name) const {
    return toArray(named(m_impl->taps, name, "tap"), true);
}

std::vector<std::string> AttentionTrace::outputNames() const { return namesOf(m_impl->outputs); }
Array AttentionTrace::output(const std::string& name) const {
    return toArray(named(m_impl->outputs, name, "output"), true);
}
std::vector<std::string> AttentionTrace::inputNames() const { return namesOf(m_impl->inputs); }
Array AttentionTrace::input(const std::string& name) const {
    return toArray(named(m_impl->inputs, name, "input"), true);
}

}  // namespace fovea
