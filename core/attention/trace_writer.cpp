#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "attention/trace_impl.h"
#include "fovea/attention_trace.h"
#include "fovea/error.h"
#include "io/safetensors.h"

namespace fovea {
namespace {

using Sink = SafetensorsEntry::Sink;

struct FloatType {
    Dtype dtype;
    at::ScalarType scalar;
};

FloatType floatType(const std::string& name) {
    if (name == "float32") return {Dtype::F32, at::kFloat};
    if (name == "float16") return {Dtype::F16, at::kHalf};
    if (name == "bfloat16") return {Dtype::BF16, at::kBFloat16};
    throw Error("a trace cannot be written as \"" + name + "\"", "use float32, float16 or bfloat16",
                ErrorCode::Usage);
}

void send(const at::Tensor& tensor, const Sink& sink) {
    const at::Tensor plain = tensor.to(at::kCPU).contiguous();
    sink({static_cast<const std::byte*>(plain.const_data_ptr()), static_cast<std::size_t>(plain.nbytes())});
}

std::vector<std::int64_t> withoutBatch(const at::Tensor& tensor) {
    std::vector<std::int64_t> shape = tensor.sizes().vec();
    if (!shape.empty() && shape.front() == 1) shape.erase(shape.begin());
    return shape;
}

// Collects the entries of one trace.
class Entries {
public:
    Entries(const AttentionTrace& trace, const TraceFileOptions& options, const JobContext& job,
            std::vector<SafetensorsEntry>& out)
        : m_trace(trace), m_options(options), m_job(job), m_type(floatType(options.dtype)), m_out(out) {}

    void addAll() {
        const CaptureRequest& keep = m_options.keep;
        for (const int site : m_trace.sites()) {
            const std::string address = m_trace.spec().sites[static_cast<std::size_t>(site)].address();
            if (keep.wants(address)) addSite(site, address);
        }
        if (keep.hidden)
            for (const auto& [key, tensor] : m_trace.impl()->hidden)
                add(fmt::format("hidden/{}/{}", key.first, key.second), tensor);
        if (keep.output)
            for (const auto& [name, tensor] : m_trace.impl()->outputs) add("output/" + name, tensor);
        if (keep.input)
            for (const auto& [name, tensor] : m_trace.impl()->inputs) add("input/" + name, tensor);
    }

    void addAnswer(const std::vector<int>& ids) {
        if (ids.empty() || !m_options.keep.output) return;
        auto held = std::make_shared<std::vector<std::int64_t>>(ids.begin(), ids.end());
        m_out.push_back({m_trace.prefix() + "output/generated_ids", Dtype::I64, {static_cast<std::int64_t>(held->size())},
                         [held](const Sink& sink) { sink(std::as_bytes(std::span(*held))); }});
    }

private:
    void addSite(int site, const std::string& address) {
        m_job.progress(0, address);
        const CaptureRequest& keep = m_options.keep;
        const SiteRecord& record = m_trace.impl()->record(site);
        const AttentionCall& call = record.call;
        if (keep.probs) addProbabilities(site, address);
        if (keep.qkv && call.query.defined()) {
            add(address + "/q", call.query);
            add(address + "/k", call.key);
            if (call.value.defined()) add(address + "/v", call.value);
            if (call.bias.defined()) addBias(address + "/bias", call.bias);
        }
        if (keep.lse) addArray(address + "/lse", m_trace.logSumExp(site));
        if (keep.stats) addStatistics(site, address);
        if (keep.attentionOutput && record.attentionOutput.defined())
            add(address + "/output", record.attentionOutput);
        const auto others = [](const std::vector<int>& tokens) {
            return !tokens.empty() && tokens.back() != static_cast<int>(tokens.size()) - 1;
        };
        if (call.segments)
            addWindowIndex(address, call.segments->columns());
        else if (others(m_trace.keyTokens(site)) || others(m_trace.queryTokens(site)))
            addPrunedIndex(site, address);
    }

    // Floating tensors in the file's dtype, integers as they are; the batch axis is dropped.
    void add(const std::string& name, const at::Tensor& tensor) {
        const bool floating = tensor.is_floating_point();
        const at::ScalarType target = floating ? m_type.scalar : at::kLong;
        m_out.push_back({m_trace.prefix() + name, floating ? m_type.dtype : Dtype::I64, withoutBatch(tensor),
                         [tensor, target](const Sink& sink) { send(tensor.to(target), sink); }});
    }

    void addArray(const std::string& name, Array array) {
        auto held = std::make_shared<const Array>(std::move(array));
        m_out.push_back({m_trace.prefix() + name, m_type.dtype, held->shape,
                         [held, type = m_type.scalar](const Sink& sink) { sendArray(*held, type, sink); }});
    }

    static void sendArray(const Array& array, at::ScalarType type, const Sink& sink) {
        const at::Tensor view =
            at::from_blob(const_cast<float*>(array.values.data()), array.shape, at::kFloat);
        send(view.to(type), sink);
    }

    // One head at a time: the file may be far larger than memory.
    void addProbabilities(int site, const std::string& address) {
        if (m_trace.impl()->record(site).call.segments) return addWindows(site, address);
        const int heads = m_trace.spec().sites[static_cast<std::size_t>(site)].heads;
        const std::vector<std::int64_t> shape = {heads, m_trace.queries(site), m_trace.keys(site)};
        m_out.push_back(
            {m_trace.prefix() + address + "/probs", m_type.dtype, shape,
             [this_ = &m_trace, job = m_job, type = m_type.scalar, heads, site](const Sink& sink) {
                 for (int head = 0; head < heads; ++head) {
                     job.progress(static_cast<double>(head) / heads, "writing probabilities");
                     sendArray(this_->probabilities(site, {head, head + 1, 0, -1, 0, -1}), type, sink);
                 }
             }});
    }

    // Only the keys that a query's window holds, [heads, query, longest window], in blocks of rows.
    void addWindows(int site, const std::string& address) {
        const int heads = m_trace.spec().sites[static_cast<std::size_t>(site)].heads;
        const at::Tensor columns = m_trace.impl()->record(site).call.segments->columns();
        const int queries = m_trace.queries(site);
        m_out.push_back(
            {m_trace.prefix() + address + "/probs", m_type.dtype, {heads, queries, columns.size(1)},
             [this_ = &m_trace, job = m_job, type = m_type.scalar, heads, queries, columns,
              site](const Sink& sink) {
                 const auto step = static_cast<int>(rowsPerBlock(1, queries));
                 for (int head = 0; head < heads; ++head)
                     for (int begin = 0; begin < queries; begin += step) {
                         job.progress(static_cast<double>(head) / heads, "writing probabilities");
                         const int end = std::min(begin + step, queries);
                         const Array rows = this_->probabilities(site, {head, head + 1, begin, end, 0, -1});
                         sendArray(gathered(rows, columns.narrow(0, begin, end - begin)), type, sink);
                     }
             }});
    }

    static Array gathered(const Array& rows, const at::Tensor& columns) {
        const std::int64_t count = columns.size(0), width = columns.size(1), keys = rows.shape[2];
        Array out({1, count, width});
        const std::int32_t* column = columns.const_data_ptr<std::int32_t>();
        for (std::int64_t i = 0; i < count * width; ++i)
            if (column[i] >= 0)
                out.values[static_cast<std::size_t>(i)] =
                    rows.values[static_cast<std::size_t>((i / width) * keys + column[i])];
        return out;
    }

    void addWindowIndex(const std::string& address, const at::Tensor& columns) {
        m_out.push_back({m_trace.prefix() + address + "/index", Dtype::I32, columns.sizes().vec(),
                         [columns](const Sink& sink) { send(columns, sink); }});
    }

    void addStatistics(int site, const std::string& address) {
        SiteStatistics stats = m_trace.statistics(site, m_options.statistics);
        addIndices(address + "/topk_index", stats.topkIndex);
        addArray(address + "/topk_value", std::move(stats.topkValue));
        addArray(address + "/colsum", std::move(stats.colsum));
        addArray(address + "/colmax", std::move(stats.colmax));
        addArray(address + "/entropy", std::move(stats.entropy));
        addArray(address + "/rowmax", std::move(stats.rowmax));
        addArray(address + "/pooled", std::move(stats.pooled));
    }

    void addIndices(const std::string& name, const Array& values) {
        auto held = std::make_shared<std::vector<std::int32_t>>(values.values.begin(), values.values.end());
        m_out.push_back({m_trace.prefix() + name, Dtype::I32, values.shape,
                         [held](const Sink& sink) { sink(std::as_bytes(std::span(*held))); }});
    }

    // After pruning, or where only the rows of an answer were kept, columns and rows are no longer tokens 0..n-1: say
    // which they are. All rows are alike, so that one is kept and written many times.
    void addPrunedIndex(int site, const std::string& address) {
        const std::vector<int>& keys = m_trace.keyTokens(site);
        const std::vector<int>& queries = m_trace.queryTokens(site);
        const auto rows = static_cast<std::int64_t>(queries.size());
        auto row = std::make_shared<std::vector<std::int32_t>>(keys.begin(), keys.end());
        m_out.push_back({m_trace.prefix() + address + "/index", Dtype::I32,
                         {rows, static_cast<std::int64_t>(keys.size())}, [row, rows](const Sink& sink) {
                             for (std::int64_t i = 0; i < rows; ++i) sink(std::as_bytes(std::span(*row)));
                         }});
        auto tokens = std::make_shared<std::vector<std::int32_t>>(queries.begin(), queries.end());
        m_out.push_back({m_trace.prefix() + address + "/query_index", Dtype::I32, {rows},
                         [tokens](const Sink& sink) { sink(std::as_bytes(std::span(*tokens))); }});
    }

    // [heads or 1, query or 1, key], so that Q and K give the same probabilities again.
    void addBias(const std::string& name, at::Tensor bias) {
        while (bias.dim() < 4) bias = bias.unsqueeze(0);
        const std::vector<std::int64_t> shape = {bias.size(1), bias.size(2), bias.size(3)};
        m_out.push_back({m_trace.prefix() + name, m_type.dtype, shape,
                         [bias, type = m_type.scalar](const Sink& sink) {
                             for (std::int64_t head = 0; head < bias.size(1); ++head)
                                 send(bias[0][head].to(type), sink);
                         }});
    }

    const AttentionTrace& m_trace;
    const TraceFileOptions& m_options;
    JobContext m_job;
    FloatType m_type;
    std::vector<SafetensorsEntry>& m_out;
};

// How logits came from Q and K, so that a replay of Q and K gives the same probabilities.
void addAttention(const AttentionTrace& trace, nlohmann::json& sites) {
    for (const int site : trace.sites()) {
        const SiteRecord& record = trace.impl()->record(site);
        sites[trace.spec().sites[static_cast<std::size_t>(site)].address()] = {
            {"scale", record.call.scale},
            {"softcap", record.call.softcap},
            {"biased", record.call.bias.defined() || record.biasMissing},
            {"edited", record.edit.has_value() || record.storedEdited},
            {"causal", record.call.causal}};
        if (!record.call.causal) continue;
        nlohmann::json& how = sites[trace.spec().sites[static_cast<std::size_t>(site)].address()];
        how["query_offset"] = record.call.queryOffset;
        if (record.call.windowLeft >= 0) how["window"] = record.call.windowLeft;
        if (record.call.prefix > 0) how["prefix"] = record.call.prefix;
    }
}

std::string attentionText(const AttentionTrace& trace) {
    nlohmann::json sites = nlohmann::json::object();
    addAttention(trace, sites);
    for (const auto& part : trace.parts()) addAttention(*part, sites);
    return sites.dump();
}

std::string tokenMapText(const std::vector<std::shared_ptr<const AttentionTrace>>& traces) {
    if (traces.size() == 1) return toJson(traces.front()->tokens()).dump();
    nlohmann::json items = nlohmann::json::array();
    for (const auto& trace : traces) items.push_back(toJson(trace->tokens()));
    return nlohmann::json{{"items", std::move(items)}}.dump();
}

}  // namespace

void writeTraceFile(const std::filesystem::path& path,
                    const std::vector<std::shared_ptr<const AttentionTrace>>& traces,
                    const TraceFileOptions& options, const JobContext& job) {
    if (traces.empty()) throw Error("there is no trace to write", {}, ErrorCode::Internal);
    const at::NoGradGuard noGrad;
    std::vector<SafetensorsEntry> entries;
    for (std::size_t i = 0; i < traces.size(); ++i) {
        const auto& trace = traces[i];
        Entries own(*trace, options, job, entries);
        own.addAll();
        if (i < options.answers.size()) own.addAnswer(options.answers[i]);
        for (const auto& part : trace->parts()) Entries(*part, options, job, entries).addAll();
    }
    std::map<std::string, std::string> metadata = {{"fovea.version", FOVEA_VERSION},
                                                   {"fovea.token_map", tokenMapText(traces)},
                                                   {"fovea.attention", attentionText(*traces.front())},
                                                   {"fovea.spec", toJson(traces.front()->spec()).dump()}};
    if (!options.session.empty()) metadata["fovea.session"] = options.session;
    if (!options.model.empty()) metadata["fovea.model"] = options.model;
    if (options.keep.stats) metadata["fovea.pooled_block"] = std::to_string(options.statistics.pooledBlock);
    writeSafetensors(path, std::move(entries), metadata);
}

}  // namespace fovea
