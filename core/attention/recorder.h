#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "attention/run_state.h"

namespace fovea {

/// Collects what one run records. Keeps references to tensors, copies nothing, changes nothing.
class Recorder {
public:
    Recorder(const ModelSpec& spec, const RunSpec& run, TokenMap tokens, std::string prefix,
             std::shared_ptr<const AttentionOperator> op);

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
    /// Takes over what an earlier run recorded before `block` of a stage.
    void adopt(const RunState& state, const std::string& stage, int block);

    /// Closes the recording; gradients are read from the watched outputs.
    std::shared_ptr<const AttentionTrace> finish(std::map<std::string, at::Tensor> outputs,
                                                 const std::map<std::string, at::Tensor>& inputs);
    /// The checkpoints with the finished trace; null when none were asked for.
    std::shared_ptr<const RunState> state(const std::shared_ptr<const AttentionTrace>& trace,
                                          const std::map<std::string, at::Tensor>& inputs) const;

private:
    const ModelSpec& m_spec;
    const RunSpec& m_run;
    std::vector<bool> m_wanted;
    std::shared_ptr<AttentionTrace::Impl> m_impl;
    std::map<int, std::shared_ptr<SiteRecord>> m_open;
    std::map<int, at::Tensor> m_watched;
    std::map<std::string, std::vector<Checkpoint>> m_checkpoints;
    std::uint64_t m_checkpointBytes = 0;
};

}  // namespace fovea
