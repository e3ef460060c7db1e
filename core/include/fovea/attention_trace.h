#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "fovea/array.h"
#include "fovea/capture.h"
#include "fovea/model.h"
#include "fovea/token_map.h"

namespace fovea {

/// Which probabilities: those of the plain softmax, or those that really multiplied the values (after edits).
enum class Weights { Effective, Base };

struct SiteEdit;

/// How heads are combined into one map.
enum class HeadFusion { Mean, Max, Min };

/// A rectangular part of a site's [heads, query, key] probabilities; end -1 means up to the end.
struct Slice {
    int headBegin = 0, headEnd = -1;
    int queryBegin = 0, queryEnd = -1;
    int keyBegin = 0, keyEnd = -1;
};

/// Exact reductions of one site's probabilities; entropy in nats.
struct SiteStatistics {
    Array colsum;     // [heads, key]
    Array colmax;     // [heads, key]
    Array entropy;    // [heads, query]
    Array rowmax;     // [heads, query]
    Array topkIndex;  // [heads, query, k], key indices as floats
    Array topkValue;  // [heads, query, k]
    Array pooled;     // [heads, ceil(query/block), ceil(key/block)], means over the cells that exist
    int pooledBlock = 0;
    std::string route;  ///< "kernel", or "explicit: " and why the kernels did not serve
};

struct StatisticsOptions {
    int topk = 8;         ///< 1..64, clipped to the number of keys
    int pooledBlock = 8;  ///< side of a pooled cell
    Weights weights = Weights::Base;
};

/// What one run recorded: Q, K, log-sum-exp and what else was asked for. Probabilities, rows, tiles and
/// statistics are computed exactly on demand, in tiles under a memory cap. Immutable; safe to read from
/// several threads.
class AttentionTrace {
public:
    struct Impl;  // tensors; defined in core/attention/trace_impl.h
    explicit AttentionTrace(std::shared_ptr<const Impl> impl);
    ~AttentionTrace();

    const ModelSpec& spec() const;
    const TokenMap& tokens() const;
    /// Indices of the recorded sites (into spec().sites), in order of execution.
    const std::vector<int>& sites() const;
    bool has(int site) const;
    /// Bytes that the recording holds.
    std::uint64_t bytes() const;
    /// "", or the axis prefix of the item in a trace file ("image0/").
    const std::string& prefix() const;

    /// Whether edits act on the attention of a site, or on what its heads write.
    bool edited(int site) const;
    /// The edit of a site; null where there is none, or where a trace file tells only that there was one.
    const SiteEdit* edit(int site) const;

    /// Traces of passes that ran the same sites once for every tile or image of this item, in order; mostly empty.
    const std::vector<std::shared_ptr<const AttentionTrace>>& parts() const;

    int queries(int site) const;
    int keys(int site) const;
    /// Token index (in the unpruned sequence) of every query or key row; differs from 0..n-1 only after
    /// pruning.
    const std::vector<int>& queryTokens(int site) const;
    const std::vector<int>& keyTokens(int site) const;

    /// Probabilities of a slice, [heads, query, key]; a full map is made only when the slice asks for it.
    Array probabilities(int site, const Slice& slice = {}, Weights weights = Weights::Effective) const;
    /// Heads combined, [query, key] of a slice; `heads` empty means all.
    Array fused(int site, HeadFusion fusion, const std::vector<int>& heads = {}, const Slice& slice = {},
                Weights weights = Weights::Effective) const;
    /// Probabilities of chosen query rows (positions in this site's rows), [heads, rows, key].
    Array rows(int site, const std::vector<int>& queries, Weights weights = Weights::Effective) const;
    /// Probabilities of chosen key columns, [heads, query, columns].
    Array columns(int site, const std::vector<int>& keys, Weights weights = Weights::Effective) const;
    SiteStatistics statistics(int site, const StatisticsOptions& options = {}) const;

    Array query(int site) const;            // [heads, tokens, head_dim]
    Array key(int site) const;              // [kv_heads, tokens, head_dim]
    Array value(int site) const;            // [kv_heads, tokens, head_dim]
    Array logSumExp(int site) const;        // [heads, query], natural log, of the logits entering the softmax
    Array attentionOutput(int site) const;  // [query, hidden]
    Array headOutput(int site) const;       // [heads, query, value_dim], before the output projection
    /// Norm of each token's value vector after the output projection, per head: [heads, key] (sinks reference
    /// §0.4).
    Array valueNorms(int site) const;

    /// Gradient of the objective at the probabilities, dO V^T, [heads, query, key] of a slice (needs
    /// gradients).
    bool hasGradient(int site) const;
    Array probabilityGradient(int site, const Slice& slice = {}) const;

    /// Residual stream at block boundary i (0 = input of block 0), [tokens, hidden].
    bool hasHidden(const std::string& stage, int i) const;
    Array hidden(const std::string& stage, int i) const;

    /// Values that taps saw, under their names; Error (Usage) for a name that was not recorded.
    std::vector<std::string> tapNames() const;
    Array tap(const std::string& name) const;

    std::vector<std::string> outputNames() const;
    Array output(const std::string& name) const;
    std::vector<std::string> inputNames() const;
    Array input(const std::string& name) const;

    const std::shared_ptr<const Impl>& impl() const { return m_impl; }

private:
    std::shared_ptr<const Impl> m_impl;
};

/// Which quantities `writeTraceFile` puts into the file, and how probabilities and statistics are made.
struct TraceFileOptions {
    CaptureRequest keep;
    StatisticsOptions statistics;
    std::string dtype = "float32";  ///< float32, float16 or bfloat16
    std::string session;            ///< session JSON for the metadata
    std::string model;              ///< model identity JSON for the metadata
    /// Ids of each trace's answer, which go with the outputs as output/generated_ids; an empty one has none.
    std::vector<std::vector<int>> answers;
};

/// Writes traces of the items of one run to one safetensors file (PRODUCT.md §4), streaming, complete or not
/// at all.
void writeTraceFile(const std::filesystem::path& path,
                    const std::vector<std::shared_ptr<const AttentionTrace>>& traces,
                    const TraceFileOptions& options, const JobContext& job = {});

}  // namespace fovea
