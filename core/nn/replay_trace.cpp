#include "nn/replay_trace.h"

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "fovea/error.h"
#include "nn/replay_spec.h"
#include "nn/replay_windows.h"

namespace fovea {
namespace {

constexpr const char* kRecordAgain = "Record the trace again: the file is damaged or of another program.";

class SiteReader {
public:
    SiteReader(const ReplaySource& source, const AttentionSite& site, std::vector<std::string>& notices)
        : m_source(source),
          m_site(site),
          m_address(site.address()),
          m_keyStage(site.keyStage.empty() ? site.stage : site.keyStage),
          m_notices(notices) {}

    // The record of the site, or null when the file holds nothing that probabilities can come from.
    std::shared_ptr<const SiteRecord> read(int index) {
        auto record = std::make_shared<SiteRecord>();
        record->call.site = index;
        record->storedProbs = tensor("probs", 3);
        readProjections(*record);
        readWindows(*record);
        if (!record->storedProbs.defined() && !record->call.query.defined()) return {};
        if (const at::Tensor lse = tensor("lse", 2); lse.defined()) record->lse = lse.unsqueeze(0);
        if (const at::Tensor output = tensor("output", 2); output.defined())
            record->attentionOutput = output.unsqueeze(0);
        readTokens(*record);
        return record;
    }

private:
    std::string nameOf(const std::string& quantity) const {
        return m_source.prefix + m_address + "/" + quantity;
    }

    [[noreturn]] void fail(const std::string& quantity, const std::string& expected,
                           const at::Tensor& found) const {
        throw Error(m_source.file->path().string() + ": tensor \"" + nameOf(quantity) + "\": expected " +
                    expected + ", found shape " + shapeText(found.sizes().vec()),
                    kRecordAgain);
    }

    // Floats in fp32; undefined where the file has none.
    at::Tensor tensor(const std::string& quantity, std::int64_t rank) const {
        const std::string name = nameOf(quantity);
        if (!m_source.file->find(name)) return {};
        const at::Tensor value = m_source.tensors->get(name);
        if (value.dim() != rank || value.numel() == 0)
            fail(quantity, std::to_string(rank) + " axes and no empty one", value);
        return value.is_floating_point() ? value.to(at::kFloat) : value;
    }

    void readProjections(SiteRecord& record) {
        const auto found = m_source.attention.find(m_address);
        const RecordedAttention how =
            found == m_source.attention.end() ? RecordedAttention{} : found->second;
        record.storedEdited = how.edited;
        const at::Tensor q = tensor("q", 3), k = tensor("k", 3), v = tensor("v", 3);
        if (!q.defined() || !k.defined()) return;
        if (q.size(2) != k.size(2) || q.size(0) % k.size(0) != 0)
            fail("k", "the head size of q and a divisor of its " + std::to_string(q.size(0)) + " heads", k);
        readBias(record, q, k);
        record.biasMissing = how.biased && !record.call.bias.defined();
        if (!record.storedProbs.defined()) {
            if (record.biasMissing) {
                m_notices.push_back(m_address +
                                    ": its bias was not recorded, so its probabilities cannot be computed "
                                    "again (record probs)");
                return;
            }
            if (how.edited) m_notices.push_back(m_address + ": its edits are not replayed (record probs)");
        }
        record.call.query = q.unsqueeze(0);
        record.call.key = k.unsqueeze(0);
        record.call.scale = how.scale > 0 ? how.scale : 1 / std::sqrt(static_cast<double>(q.size(2)));
        record.call.softcap = how.softcap;
        record.call.causal = how.causal.value_or(m_site.causal);
        record.call.queryOffset = how.queryOffset;
        record.call.windowLeft = how.window;
        record.call.prefix = how.prefix;
        if (!v.defined()) return;
        if (v.size(0) != k.size(0) || v.size(1) != k.size(1)) fail("v", "the heads and tokens of k", v);
        record.call.value = v.unsqueeze(0);
    }

    // Windows come from their index: Q and K then stay within them, stored probabilities get a column a token.
    void readWindows(SiteRecord& record) {
        const at::Tensor index = tensor("index", 2);
        if (!hasKeysOfItsOwn(index)) return;
        if (index.is_floating_point()) fail("index", "whole numbers", index);
        m_windows = true;
        const std::int64_t queries = index.size(0);
        at::Tensor& probs = record.storedProbs;
        if (probs.defined() && (probs.size(1) != queries || probs.size(2) != index.size(1)))
            fail("probs", "the queries and columns of its index", probs);
        const bool square = record.call.query.defined() && record.call.query.size(2) == queries &&
                            record.call.key.size(2) == queries;
        if (square) record.call.segments = segmentsOf(index);
        if (!record.call.segments) record.call.query = record.call.key = at::Tensor();
        if (!probs.defined()) return;
        if (record.call.segments && !record.storedEdited)
            probs = at::Tensor();  // Q and K give them again
        else
            probs = spread(probs, index, tokensOf(m_keyStage));
    }

    void readBias(SiteRecord& record, const at::Tensor& q, const at::Tensor& k) {
        const at::Tensor bias = tensor("bias", 3);
        if (!bias.defined()) return;
        const auto fits = [&](std::int64_t axis, std::int64_t size) {
            return bias.size(axis) == 1 || bias.size(axis) == size;
        };
        if (!fits(0, q.size(0)) || !fits(1, q.size(1)) || bias.size(2) != k.size(1))
            fail("bias", "the heads, queries and keys of q and k, or 1 for all", bias);
        record.call.bias = bias.unsqueeze(0);
    }

    std::int64_t tokensOf(const std::string& stage) const {
        for (const StageTokens& tokens : m_source.map.stages)
            if (tokens.stage == stage) return tokens.size();
        throw Error(m_source.file->path().string() + ": " + m_address + ": expected tokens of stage \"" + stage +
                        "\" in the metadata fovea.token_map, found none",
                    kRecordAgain);
    }

    // Indices that the file gives, tokens of `stage` below `count`; 0..n-1 where it gives none.
    std::vector<int> indices(const at::Tensor& given, std::int64_t n, std::int64_t count, const std::string& stage,
                             const char* quantity) const {
        std::vector<int> tokens(static_cast<std::size_t>(n));
        std::iota(tokens.begin(), tokens.end(), 0);
        if (given.defined()) {
            const at::Tensor plain = given.to(at::kLong).contiguous();
            if (plain.numel() != n) fail(quantity, std::to_string(n) + " entries", given);
            std::copy(plain.const_data_ptr<std::int64_t>(), plain.const_data_ptr<std::int64_t>() + n,
                      tokens.begin());
        }
        for (const int token : tokens)
            if (token < 0 || token >= count)
                throw Error(m_source.file->path().string() + ": " + m_address + ": expected " + quantity +
                            " below the " + std::to_string(count) + " tokens of stage " + stage +
                            ", found " + std::to_string(token),
                            kRecordAgain);
        return tokens;
    }

    void readTokens(SiteRecord& record) {
        const bool stored = record.storedProbs.defined();
        const std::int64_t queries = stored ? record.storedProbs.size(1) : record.call.query.size(2);
        const std::int64_t keys = stored ? record.storedProbs.size(2) : record.call.key.size(2);
        if (stored && record.call.query.defined() &&
            (record.call.query.size(1) != record.storedProbs.size(0) ||
             record.call.query.size(2) != queries || record.call.key.size(2) != keys))
            fail("probs", "the heads, queries and keys of q and k", record.storedProbs);
        const std::int64_t heads = stored ? record.storedProbs.size(0) : record.call.query.size(1);
        if (heads != m_site.heads)
            fail("probs", std::to_string(m_site.heads) + " heads",
                 stored ? record.storedProbs : record.call.query);
        const std::int64_t tokens = tokensOf(m_site.stage);
        at::Tensor index = tensor("index", 2);
        index = index.defined() && !m_windows ? index[0] : at::Tensor();
        record.keyTokens = indices(index, keys, tokensOf(m_keyStage), m_keyStage, "index");
        // The queries of cross attention to the stage itself (a pooling head's probe) are no tokens of it.
        const bool asTokens = m_site.kind == SiteKind::Self || !m_site.keyStage.empty();
        const std::int64_t limit = asTokens ? tokens : std::max(tokens, queries);
        record.queryTokens = indices(tensor("query_index", 1), queries, limit, m_site.stage, "query_index");
    }

    const ReplaySource& m_source;
    const AttentionSite& m_site;
    std::string m_address;
    std::string m_keyStage;  ///< whose tokens the keys are
    std::vector<std::string>& m_notices;
    bool m_windows = false;
};

// "hidden/vision/3" -> ("vision", 3); nothing for other names.
bool parseHidden(const std::string& path, std::string& stage, int& boundary) {
    const std::size_t last = path.rfind('/');
    if (!path.starts_with("hidden/") || last <= 7) return false;
    stage = path.substr(7, last - 7);
    const std::string number = path.substr(last + 1);
    if (number.empty() || number.size() > 6 || number.find_first_not_of("0123456789") != std::string::npos)
        return false;
    boundary = std::stoi(number);
    return true;
}

}  // namespace

std::shared_ptr<const AttentionTrace> replayTrace(const ReplaySource& source,
                                                  std::vector<std::string>& notices) {
    auto impl = std::make_shared<AttentionTrace::Impl>();
    impl->spec = source.spec;
    impl->tokens = source.map;
    impl->prefix = source.prefix;
    impl->op = makeDenseOperator();
    for (std::size_t i = 0; i < source.spec.sites.size(); ++i) {
        const int index = static_cast<int>(i);
        const auto record = SiteReader(source, source.spec.sites[i], notices).read(index);
        if (!record) continue;
        impl->records[index] = record;
        impl->order.push_back(index);
    }
    for (const TensorInfo* info : source.named) {
        const std::string path = info->name.substr(source.prefix.size());
        std::string stage;
        int boundary = 0;
        if (parseHidden(path, stage, boundary)) {
            const at::Tensor hidden = source.tensors->get(info->name).to(at::kFloat);
            if (hidden.dim() != 2)
                throw Error(source.file->path().string() + ": tensor \"" + info->name +
                            "\": expected 2 axes, found shape " + shapeText(info->shape),
                            kRecordAgain);
            impl->hidden[{stage, boundary}] = hidden.unsqueeze(0);
        } else if (path.starts_with("output/")) {
            impl->outputs[path.substr(7)] = source.tensors->get(info->name).unsqueeze(0);
        } else if (path.starts_with("input/")) {
            impl->inputs[path.substr(6)] = source.tensors->get(info->name).unsqueeze(0);
        }
    }
    return std::make_shared<const AttentionTrace>(std::move(impl));
}

}  // namespace fovea
