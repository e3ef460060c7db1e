#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "attention/kv_cache.h"
#include "attention/trace_impl.h"
#include "fovea/intervention.h"

namespace fovea {

/// What the passes of a generation record, one behind the other along the token axis.
class PassRecords {
public:
    /// Begins a pass; of the attention sites rows of tokens before `firstToken` are left out.
    void begin(int firstToken);
    /// Forgets the latest pass.
    void drop();
    /// What the first passes have recorded, to be gone on with.
    PassRecords firstOf(int passes) const;
    /// Takes over what the first pass of an earlier generation has recorded of a stage before `block`.
    void adopt(const PassRecords& earlier, const ModelSpec& model, const std::string& stage, int block);
    bool active() const { return m_pass >= 0; }
    int passes() const { return m_pass + 1; }

    void site(const AttentionCall& call, const at::Tensor& lse, const std::vector<int>& queryTokens);
    /// False when the site has recorded nothing in this pass.
    bool attentionOutput(int site, const at::Tensor& value);
    bool headOutput(int site, const at::Tensor& value);
    void tap(const std::string& name, const at::Tensor& value) { m_taps[name].push_back({m_pass, value}); }
    void hidden(const std::string& stage, int i, const at::Tensor& x) { m_hidden[{stage, i}].push_back({m_pass, x}); }

    /// Puts everything into a trace: Q of the recorded rows, K and V of the cache. What is kept here are views of the
    /// trace's tensors from then on.
    void close(AttentionTrace::Impl& trace, const KvCache& cache, const EditPlan& edits);

private:
    struct Piece {
        int pass = 0;
        at::Tensor value;
    };
    struct SitePiece {
        int pass = 0;
        AttentionCall call;  // without K and V
        std::int64_t firstRow = 0, keys = 0;
        at::Tensor lse, attentionOutput, headOutput;
        std::vector<int> queryTokens;
    };
    SitePiece* latest(int site);
    void dropFrom(int pass);
    static at::Tensor joinedBias(const std::vector<SitePiece>& pieces, std::int64_t keys);
    std::shared_ptr<const SiteRecord> joinedSite(int site, const KvCache& cache, const EditPlan& edits) const;
    void view(std::vector<SitePiece>& pieces, const SiteRecord& whole) const;

    int m_pass = -1;
    int m_firstToken = 0;
    std::vector<int> m_order;
    std::map<int, std::vector<SitePiece>> m_sites;
    std::map<std::pair<std::string, int>, std::vector<Piece>> m_hidden;
    std::map<std::string, std::vector<Piece>> m_taps;
};

}  // namespace fovea
