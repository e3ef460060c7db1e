#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "attention/pass_records.h"
#include "attention/run_state.h"

namespace fovea {

class KvCache;

/// Collects what one run records. Keeps references to tensors, copies nothing but rows that a generation cuts out of
/// larger tensors, changes nothing.
class Recorder {
public:
    Recorder(const ModelSpec& spec, const RunSpec& run, TokenMap tokens, std::string prefix,
             std::shared_ptr<const AttentionOperator> op);

    /// From now on Q, K, V and log-sum-exp of sites go to a temporary file once they take more than `bytes` of
    /// memory; nothing else changes.
    void limitSites(std::uint64_t bytes) { m_siteLimit = bytes; }
    /// Bytes that went to such files.
    std::uint64_t spilledBytes() const { return m_spilled; }

    bool wants(int site) const { return m_wanted[static_cast<std::size_t>(site)]; }
    /// Records Q, K, V and log-sum-exp of a site; `edit` holds positions and may be null.
    void site(const AttentionCall& call, const SiteEdit* edit, const at::Tensor& lse,
              std::vector<int> queryTokens, std::vector<int> keyTokens);
    /// Keeps the attention output whose gradient will be read after the backward pass.
    void watchGradient(int site, const at::Tensor& output);
    void attentionOutput(int site, const at::Tensor& value);
    void headOutput(int site, const at::Tensor& value);
    void tap(std::string_view name, const at::Tensor& value);
    void hidden(const std::string& stage, int i, const at::Tensor& x);
    void checkpoint(const std::string& stage, int block, const at::Tensor& x, const at::Tensor& kept);
    /// Takes over what an earlier run, or the prompt of an earlier generation, recorded before `block` of a stage.
    void adopt(const RunState& state, const std::string& stage, int block);

    /// From here to endPart everything goes into a trace of its own.
    void beginPart(const std::string& prefix, TokenMap tokens);
    void endPart();
    bool inPart() const { return m_part.has_value(); }

    /// A generation's passes: calls that read a cache are joined over them; rows of tokens before `firstToken` are
    /// left out.
    void beginPass(int firstToken);
    /// Forgets what the latest pass has recorded.
    void dropPass() { m_passes.drop(); }
    /// Takes over what the first passes of an earlier generation have recorded.
    void adoptPasses(const RunState& earlier, int passes);

    /// Closes the recording; gradients are read from the watched outputs. With a cache, the keys and values of its
    /// sites are those of the cache; `tokens` then are those of prompt and answer.
    std::shared_ptr<const AttentionTrace> finish(std::map<std::string, at::Tensor> outputs,
                                                 const std::map<std::string, at::Tensor>& inputs);
    std::shared_ptr<const AttentionTrace> finishGeneration(std::map<std::string, at::Tensor> outputs,
                                                           const std::map<std::string, at::Tensor>& inputs,
                                                           const KvCache& cache, TokenMap tokens);
    /// Puts checkpoints and records into the state of a finished run.
    void leave(RunState& state) const;

private:
    /// One trace in the making.
    struct Book {
        std::shared_ptr<AttentionTrace::Impl> impl;
        std::map<int, std::shared_ptr<SiteRecord>> open;
        std::map<int, at::Tensor> watched;

        void close();
    };
    Book& book() { return m_part ? *m_part : m_main; }
    SiteRecord* openRecord(int site);
    Book newBook(std::string prefix, TokenMap tokens) const;
    void adoptRecord(const AttentionTrace::Impl& trace, int site);
    void adoptCheckpoints(const RunState& state, const std::string& stage, int block);
    void spillBeyondLimit(SiteRecord& record);
    std::shared_ptr<const AttentionSegments> besideFile(const std::shared_ptr<const AttentionSegments>& segments);

    const ModelSpec& m_spec;
    const RunSpec& m_run;
    std::vector<bool> m_wanted;
    std::shared_ptr<const AttentionOperator> m_op;
    Book m_main;
    std::optional<Book> m_part;
    std::vector<Book> m_finished;
    PassRecords m_passes;
    std::map<std::string, std::vector<Checkpoint>> m_checkpoints;
    std::uint64_t m_checkpointBytes = 0;
    std::optional<std::uint64_t> m_siteLimit;
    std::uint64_t m_siteBytes = 0, m_spilled = 0;
    /// Segments of spilled sites and their copies on the CPU.
    std::vector<std::pair<std::shared_ptr<const AttentionSegments>, std::shared_ptr<const AttentionSegments>>> m_besideFile;
};

}  // namespace fovea
