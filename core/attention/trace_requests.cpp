// What a trace answers about probabilities: arguments are checked here, then the kernels serve, or plain LibTorch
// where they cannot.
#include "fovea/trace_requests.h"

#include <fmt/format.h>

#include <numeric>
#include <set>

#include "attention/explicit_requests.h"
#include "attention/kernel_requests.h"
#include "attention/kernel_statistics.h"
#include "fovea/error.h"

namespace fovea {
namespace {

std::int64_t resolvedEnd(int begin, int end, std::int64_t size, const char* axis) {
    const std::int64_t last = end < 0 ? size : end;
    if (begin < 0 || begin > last || last > size)
        throw Error(
            fmt::format("slice of the {} axis: {}..{} does not fit into 0..{}", axis, begin, end, size), {},
            ErrorCode::Usage);
    return last;
}

std::vector<std::int64_t> range(std::int64_t begin, std::int64_t end) {
    std::vector<std::int64_t> list(static_cast<std::size_t>(end - begin));
    std::iota(list.begin(), list.end(), begin);
    return list;
}

void requireWithin(const std::vector<int>& chosen, std::int64_t size, const char* what) {
    for (const int one : chosen)
        if (one < 0 || one >= size)
            throw Error(fmt::format("{} {} of a site with {}", what, one, size), {}, ErrorCode::Usage);
}

// One site of a trace with everything that a request needs.
class Request {
public:
    Request(const AttentionTrace& trace, int site, Weights weights)
        : m_record(trace.impl()->record(site)), m_op(*trace.impl()->op), m_weights(weights),
          m_heads(trace.spec().sites[static_cast<std::size_t>(site)].heads),
          m_queries(static_cast<std::int64_t>(m_record.queryTokens.size())),
          m_keys(static_cast<std::int64_t>(m_record.keyTokens.size())) {}

    SiteBlock block(const Slice& slice, const std::vector<int>& heads = {}) const {
        SiteBlock out;
        const std::int64_t headEnd = resolvedEnd(slice.headBegin, slice.headEnd, m_heads, "head");
        requireWithin(heads, m_heads, "head");
        out.heads = heads.empty() ? range(slice.headBegin, headEnd)
                                  : std::vector<std::int64_t>(heads.begin(), heads.end());
        out.queryBegin = slice.queryBegin;
        out.queryEnd = resolvedEnd(slice.queryBegin, slice.queryEnd, m_queries, "query");
        out.keyBegin = slice.keyBegin;
        out.keyEnd = resolvedEnd(slice.keyBegin, slice.keyEnd, m_keys, "key");
        return out;
    }

    // The kernels' answer, or else the explicit one.
    template <typename Kernel, typename Explicit>
    auto serve(Kernel kernel, Explicit explicitly) const {
        std::string declined = m_record.kernelsDecline(m_op, m_weights);
        if (declined.empty())
            if (auto answer = kernel(m_record, declined)) return std::move(*answer);
        return explicitly(ExplicitSource{m_op, m_record, m_weights});
    }

    // Single probabilities on a CPU: LibTorch's exponential is the more exact one, and a block costs little.
    template <typename Kernel, typename Explicit>
    auto serveBlock(std::int64_t values, Kernel kernel, Explicit explicitly) const {
        constexpr std::int64_t most = std::int64_t{1} << 22;
        const at::Tensor& query = m_record.call.query;
        const bool plain = m_record.hasLogits() && query.defined() && query.is_cpu() && values <= most;
        if (plain) return explicitly(ExplicitSource{m_op, m_record, m_weights});
        return serve(kernel, explicitly);
    }

    const SiteRecord& record() const { return m_record; }
    std::int64_t heads() const { return m_heads; }
    std::int64_t queries() const { return m_queries; }
    std::int64_t keys() const { return m_keys; }

    // The columns of a product with y.
    void requireColumns(const Array& y) const {
        if (y.shape.size() != 2 || y.size(0) != m_queries || y.size(1) < 1 || y.size(1) > 8)
            throw Error(fmt::format("a product needs one row for each of {} queries and 1 to 8 columns", m_queries),
                        {}, ErrorCode::Usage);
    }

private:
    const SiteRecord& m_record;
    const AttentionOperator& m_op;
    Weights m_weights;
    std::int64_t m_heads, m_queries, m_keys;
};

void requireGradient(const AttentionTrace& trace, int site) {
    if (!trace.hasGradient(site) || !trace.impl()->record(site).call.value.defined())
        throw Error(fmt::format("the gradient of site {} was not recorded",
                                trace.spec().sites[static_cast<std::size_t>(site)].address()),
                    "record it with --keep, or ask for gradients", ErrorCode::Usage);
}

}  // namespace

Array AttentionTrace::probabilities(int site, const Slice& slice, Weights weights) const {
    const Request request(*this, site, weights);
    const SiteBlock block = request.block(slice);
    if (block.heads.empty() || block.queryBegin == block.queryEnd)
        return Array({static_cast<std::int64_t>(block.heads.size()), block.queryEnd - block.queryBegin,
                      block.keyEnd - block.keyBegin});
    const std::int64_t values = static_cast<std::int64_t>(block.heads.size()) *
                                (block.queryEnd - block.queryBegin) * (block.keyEnd - block.keyBegin);
    return request.serveBlock(
        values,
        [&](const SiteRecord& record, std::string& declined) {
            return kernelBlock(record, block, std::nullopt, declined);
        },
        [&](const ExplicitSource& source) { return explicitBlock(source, block, std::nullopt); });
}

Array AttentionTrace::fused(int site, HeadFusion fusion, const std::vector<int>& heads, const Slice& slice,
                            Weights weights) const {
    const Request request(*this, site, weights);
    const SiteBlock block = request.block(slice, heads);
    if (block.heads.empty() || block.queryBegin == block.queryEnd)
        return Array({block.queryEnd - block.queryBegin, block.keyEnd - block.keyBegin});
    return request.serve(
        [&](const SiteRecord& record, std::string& declined) {
            return kernelBlock(record, block, fusion, declined);
        },
        [&](const ExplicitSource& source) { return explicitBlock(source, block, fusion); });
}

Array AttentionTrace::rows(int site, const std::vector<int>& chosen, Weights weights) const {
    const Request request(*this, site, weights);
    requireWithin(chosen, request.queries(), "query row");
    if (chosen.empty()) return Array({request.heads(), 0, request.keys()});
    const auto values = static_cast<std::int64_t>(chosen.size()) * request.heads() * request.keys();
    return request.serveBlock(
        values,
        [&](const SiteRecord& record, std::string& declined) { return kernelRows(record, chosen, declined); },
        [&](const ExplicitSource& source) { return explicitRows(source, chosen); });
}

Array AttentionTrace::columns(int site, const std::vector<int>& chosen, Weights weights) const {
    const Request request(*this, site, weights);
    requireWithin(chosen, request.keys(), "key column");
    if (chosen.empty() || request.queries() == 0)
        return Array({request.heads(), request.queries(), static_cast<std::int64_t>(chosen.size())});
    return request.serve(
        [&](const SiteRecord& record, std::string& declined) {
            return kernelColumns(record, chosen, declined);
        },
        [&](const ExplicitSource& source) { return explicitColumns(source, request.block({}), chosen); });
}

SiteStatistics AttentionTrace::statistics(int site, const StatisticsOptions& options) const {
    return computeStatistics(*m_impl->op, m_impl->record(site), options);
}

Array traceTile(const AttentionTrace& trace, int site, const TileRequest& wanted) {
    constexpr int most = 4096;
    const Request request(trace, site, wanted.weights);
    const SiteBlock block = request.block(wanted.slice, wanted.heads);
    if (wanted.height < 1 || wanted.height > most || wanted.width < 1 || wanted.width > most)
        throw Error(fmt::format("a tile of {} x {} pixels: 1 to {} a side", wanted.height, wanted.width, most), {},
                    ErrorCode::Usage);
    if (block.heads.empty() || block.queryBegin == block.queryEnd || block.keyBegin == block.keyEnd)
        throw Error("a tile of an empty rectangle", {}, ErrorCode::Usage);
    return request.serve(
        [&](const SiteRecord& record, std::string& declined) {
            return kernelTile(record, block, wanted, declined);
        },
        [&](const ExplicitSource& source) { return explicitTile(source, block, wanted); });
}

Array groupMass(const AttentionTrace& trace, int site, const std::vector<std::vector<int>>& groups,
                Weights weights) {
    constexpr std::size_t most = 32;
    const Request request(trace, site, weights);
    std::set<int> seen;
    for (const std::vector<int>& group : groups) {
        requireWithin(group, request.keys(), "key");
        for (const int key : group)
            if (!seen.insert(key).second)
                throw Error(fmt::format("key {} is in two groups", key), {}, ErrorCode::Usage);
    }
    if (groups.empty() || groups.size() > most)
        throw Error(fmt::format("{} groups of keys: 1 to {} are possible", groups.size(), most), {},
                    ErrorCode::Usage);
    return request.serve(
        [&](const SiteRecord& record, std::string& declined) {
            return kernelGroupMass(record, groups, declined);
        },
        [&](const ExplicitSource& source) { return explicitGroupMass(source, request.block({}), groups); });
}

ColumnTop columnTop(const AttentionTrace& trace, int site, int k, Weights weights) {
    const Request request(trace, site, weights);
    if (k < 1 || k > 64) throw Error(fmt::format("top {} of a column: 1 to 64", k), {}, ErrorCode::Usage);
    return request.serve(
        [&](const SiteRecord& record, std::string& declined) { return kernelColumnTop(record, k, declined); },
        [&](const ExplicitSource& source) { return explicitColumnTop(source, request.block({}), k); });
}

Array collect(const AttentionTrace& trace, int site, const Array& y, const std::vector<int>& heads,
              Weights weights) {
    const Request request(trace, site, weights);
    request.requireColumns(y);
    const SiteBlock block = request.block({}, heads);
    return request.serve(
        [&](const SiteRecord& record, std::string& declined) {
            return kernelCollect(record, block.heads, y, declined);
        },
        [&](const ExplicitSource& source) { return explicitCollect(source, block, y); });
}

Array collectRelevance(const AttentionTrace& trace, int site, RelevancePart part, const Array& y,
                       const std::vector<int>& heads) {
    requireGradient(trace, site);
    const Request request(trace, site, Weights::Effective);
    request.requireColumns(y);
    const SiteBlock block = request.block({}, heads);
    return request.serve(
        [&](const SiteRecord& record, std::string& declined) {
            return kernelRelevance(record, block.heads, part, y, declined);
        },
        [&](const ExplicitSource& source) { return explicitRelevance(source, block, part, y); });
}

std::vector<double> rowSums(const AttentionTrace& trace, int site, const std::vector<int>& heads, Weights weights) {
    const Request request(trace, site, weights);
    const SiteBlock block = request.block({}, heads);
    return request.serve(
        [&](const SiteRecord& record, std::string& declined) {
            return kernelRowSums(record, block.heads, declined);
        },
        [&](const ExplicitSource& source) { return explicitRowSums(source, block); });
}

std::string traceRoute(const AttentionTrace& trace, int site, Weights weights) {
    const SiteRecord& record = trace.impl()->record(site);
    const std::string declined = record.kernelsDecline(*trace.impl()->op, weights);
    return declined.empty() ? kernelRoute(record.call.query.device()) : "explicit: " + declined;
}

bool AttentionTrace::hasGradient(int site) const {
    return has(site) && m_impl->record(site).outputGradient.defined();
}

Array AttentionTrace::probabilityGradient(int site, const Slice& slice) const {
    requireGradient(*this, site);
    const Request request(*this, site, Weights::Effective);
    return toArray(fovea::probabilityGradient(request.record(), request.block(slice)));
}

}  // namespace fovea
