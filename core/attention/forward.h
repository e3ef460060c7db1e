#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "attention/attention_operator.h"
#include "fovea/job_context.h"
#include "fovea/model.h"
#include "fovea/run.h"

namespace fovea {

class AdapterSet;
struct Linear;
class KvCache;
class Recorder;
class RouteTable;

/// The tensors of an encoded input under their Hugging Face names, each with its batch axis of size 1, per
/// item.
class TensorInput : public ModelInput {
public:
    std::vector<std::map<std::string, at::Tensor>> items;
    std::string mainTensor = "pixel_values";  ///< the one that perturbations and input gradients are about
    /// A run gives a language model's logits of every position, not of the last alone; an answer never needs them.
    bool allLogits = false;
};

/// What a stage gave to later ones, and the outputs of the model that it left on the way.
struct StageResult {
    std::vector<at::Tensor> tensors;
    std::map<std::string, at::Tensor> outputs;
    at::Tensor kept;  ///< indices of the tokens that were left; undefined: all of them
};

/// A residual stream at a block boundary, with the tokens that are still in it.
struct Residual {
    int block = 0;
    at::Tensor x;  // [1, tokens, hidden]
};

/// The context of one run of one item: the only mutable object of a run. Models pass everything observable
/// through it and never compute a softmax over attention logits or a weight product themselves.
class Forward {
public:
    /// All references must outlive the run; `dense` turns Q and K into logits for edits, traces and the
    /// explicit route.
    Forward(const ModelSpec& model, const TensorInput& input, const RunSpec& spec,
            std::shared_ptr<const AttentionOperator> dense, const JobContext& job);
    ~Forward();
    Forward(const Forward&) = delete;
    Forward& operator=(const Forward&) = delete;

    /// Q, K, V and log-sum-exp of recorded sites beyond so many bytes go to a temporary file.
    void limitRecording(std::uint64_t bytes);

    /// softmax(scale * Q K^T + bias) V by the best eligible route, with this run's edits: [1, heads, query,
    /// value_dim].
    at::Tensor attend(const AttentionCall& call);

    /// In a generation: adds the keys and values of a call to the cache and lets it attend to all that is there. Else
    /// does nothing. The mask is set afterwards.
    void useCache(AttentionCall& call);
    /// For keys and values of something else than the sequence (a picture): `make` fills them in; in a generation it is
    /// called once, and later passes find them in the cache.
    void useFixedKeys(AttentionCall& call, const std::function<void(AttentionCall&)>& make);
    /// Tokens of the sequence that earlier passes of a generation have seen; 0 without one.
    std::int64_t past() const;
    /// Places in the sequence of a cached site's keys.
    const std::vector<int>& cachedTokens(int site) const;

    /// Between the two, what is recorded goes into a trace of its own, for sites that run once a tile or an image:
    /// its names in a trace file begin with `prefix` ("tile0/"), its tokens are `tokens`.
    void beginPart(const std::string& prefix, TokenMap tokens);
    void endPart();

    /// Lets a model's adapters take part from here on, with the strengths of the run; null: none. The set must outlive
    /// the run. Throws Error (Usage) when the run names strengths for another number of adapters.
    void useAdapters(const AdapterSet* adapters);

    /// x W^T + b; where adapters, streamed weights and relevance rules enter.
    at::Tensor linear(const Linear& weight, const at::Tensor& x);

    /// Rows of a table of embeddings for ids [1, n], adapters included: [1, n, hidden].
    at::Tensor embedding(const Linear& table, const at::Tensor& ids) const;

    /// Records an intermediate value under a name of ModelSpec::taps where the capture asks for it; returns
    /// it.
    at::Tensor tap(std::string_view name, const at::Tensor& value);

    /// An input tensor of this item (perturbed where the run asks for it), or an undefined tensor.
    at::Tensor input(const std::string& name) const;
    /// The same as it was given, without the perturbation: what a model reads off it beside its values.
    at::Tensor given(const std::string& name) const;

    /// Rows of a text's last stream [1, n, hidden] that its head reads: all where the run wants logits of every position,
    /// those that its objective names, else the last.
    at::Tensor toReadOut(const std::string& stage, const at::Tensor& x);

    /// Where to enter a stage: the residual stream of a checkpoint when one serves, else nothing, and the
    /// model computes its embeddings and begins at block 0. `reads` are the stages that this one gets its input from.
    /// Checkpoints are kept of the stages that were asked for.
    std::optional<Residual> resume(const std::string& stage, const std::vector<std::string>& reads = {});

    /// What a stage gives to later ones: `make`'s tensors, or, where neither it nor the stages that it `reads` differ
    /// from the run before, those of that run, with what was recorded on the way.
    std::vector<at::Tensor> kept(const std::string& stage, const std::vector<std::string>& reads,
                                 const std::function<std::vector<at::Tensor>()>& make);
    /// Whether kept() has found tensors of the run before.
    bool tookResults() const { return m_tookResults; }

    /// Called at the input of every block: records the residual stream, keeps checkpoints, drops pruned
    /// tokens. The returned stream is what the block works on.
    at::Tensor enterBlock(const std::string& stage, int block, const at::Tensor& x);

    /// Called with the output of the last block, before the final norm.
    void leaveStage(const std::string& stage, int blocks, const at::Tensor& x);

    /// Indices (int64) of the tokens still in the stage, or an undefined tensor when none was pruned;
    /// position-dependent parts of a model (rotary tables, relative biases) select by it.
    at::Tensor keptTokens(const std::string& stage) const;

    /// Records the output of an attention after its output projection, [1, query, hidden]; returns it.
    at::Tensor attentionOutput(int site, const at::Tensor& value);

    /// Records an output of the model under its Hugging Face name, with its batch axis.
    void output(const std::string& name, const at::Tensor& value);

    const JobContext& job() const { return m_job; }

    /// Begins a pass of a generation over `blocks` blocks: `cache` holds what earlier passes have seen; rows of tokens
    /// before `firstToken` are not recorded. endPass takes over what the pass has computed, dropPass forgets a pass
    /// that did not come to its end.
    void beginPass(KvCache& cache, int firstToken, int blocks, const JobContext& job);
    void endPass(std::int64_t tokens);
    void dropPass();
    /// The edits that resume() and kept() compare with those of the run before; of a generation: as its prompt sees
    /// them. Those of the run unless this was called.
    void compareBy(EditPlan edits) { m_compared = std::move(edits); }
    /// Begins a generation behind the first passes of the one that the run names to resume from; `cache` holds what
    /// they have seen.
    void continueFrom(int passes, KvCache& cache);
    /// Puts what later runs need into the state of a run that recorded `trace`.
    void leave(RunState& state, const AttentionTrace& trace) const;
    /// An output recorded so far; undefined when there is none of the name.
    at::Tensor recordedOutput(const std::string& name) const;
    /// Closes a generation; `tokens` are those of prompt and answer.
    RunResult finishGeneration(TokenMap tokens);

    /// Closes the run: objective, backward pass, results.
    RunResult finish();

private:
    at::Tensor applyEdit(const AttentionCall& call, const SiteEdit& edit, const at::Tensor& plain);
    at::Tensor explicitHeads(const AttentionCall& call, const SiteEdit& edit,
                             const std::vector<std::int64_t>& heads) const;
    at::Tensor pruned(const std::string& stage, int block, const at::Tensor& x);
    bool sameAsBefore(const std::vector<std::string>& stages) const;
    void takeOver(const std::string& stage, int block);
    at::Tensor resolveObjective(RunResult& result);
    std::int64_t rowOf(const std::string& stage, int token, std::int64_t rows) const;
    std::vector<int> tokensOf(const std::string& stage, std::int64_t count) const;
    std::vector<int> keyTokensOf(const AttentionSite& site, std::int64_t count) const;
    void addCounts(RunResult& result) const;
    void watchFinite(int site, const at::Tensor& output);
    std::string notFinite() const;
    double done() const;

    const ModelSpec& m_model;
    const TensorInput& m_input;
    const RunSpec& m_spec;
    JobContext m_job;
    std::shared_ptr<const AttentionOperator> m_dense;
    std::unique_ptr<RouteTable> m_routes;
    std::unique_ptr<Recorder> m_recorder;
    std::map<std::string, at::Tensor> m_inputs;
    std::map<std::string, at::Tensor> m_kept;  // stage -> token indices after pruning
    std::map<std::string, at::Tensor> m_outputs;
    std::vector<int> m_attended;      // sites in order, beside
    std::vector<at::Tensor> m_sums;  // the sums of their outputs, read only at the end: each is a wait for the device
    int m_blocksRun = 0;
    int m_blocksResumed = 0;
    int m_blocksTotal = 0;
    int m_blocksBefore = 0;  ///< run by earlier passes
    KvCache* m_cache = nullptr;
    EditPlan m_compared;
    std::set<std::string> m_resumable;  // stages
    bool m_tookResults = false;
    std::map<std::string, StageResult> m_results;
    std::vector<std::string> m_partStages;
    std::vector<std::int64_t> m_read;  // row of the logits of each token of the objective
    const AdapterSet* m_adapters = nullptr;
    std::vector<double> m_adapterStrengths;
};

}  // namespace fovea
