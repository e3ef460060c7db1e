#include "attention/pass_records.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <limits>

#include "attention/probabilities.h"
#include "attention/visibility.h"

namespace fovea {
namespace {

constexpr double kHidden = -std::numeric_limits<double>::infinity();

// Rows from `first` on; a copy where they are few of many, so that the many are not held.
at::Tensor rowsFrom(const at::Tensor& x, std::int64_t axis, std::int64_t first) {
    if (first == 0) return x;
    return x.narrow(axis, first, x.size(axis) - first).clone();
}

template <typename Pieces, typename Member>
at::Tensor joined(const Pieces& pieces, Member member, std::int64_t axis) {
    std::vector<at::Tensor> parts;
    for (const auto& piece : pieces)
        if (const at::Tensor& value = piece.*member; value.defined()) parts.push_back(value);
    if (parts.size() != pieces.size()) return {};
    return parts.size() == 1 ? parts.front() : at::cat(parts, axis);
}

// The pieces as views of what they were joined to, so that nothing is held twice.
template <typename Pieces, typename Member>
void viewOf(Pieces& pieces, Member member, const at::Tensor& whole, std::int64_t axis) {
    if (!whole.defined() || pieces.size() < 2) return;
    std::int64_t begin = 0;
    for (auto& piece : pieces) {
        const std::int64_t count = (piece.*member).size(axis);
        piece.*member = whole.narrow(axis, begin, count);
        begin += count;
    }
}

}  // namespace

void PassRecords::begin(int firstToken) {
    ++m_pass;
    m_firstToken = firstToken;
}

void PassRecords::drop() { dropFrom(m_pass); }

void PassRecords::dropFrom(int pass) {
    const auto clean = [pass](auto& lists) {
        for (auto& [name, pieces] : lists)
            std::erase_if(pieces, [pass](const auto& piece) { return piece.pass >= pass; });
        std::erase_if(lists, [](const auto& entry) { return entry.second.empty(); });
    };
    clean(m_sites);
    clean(m_hidden);
    clean(m_taps);
    std::erase_if(m_order, [this](int site) { return m_sites.count(site) == 0; });
}

PassRecords PassRecords::firstOf(int passes) const {
    PassRecords first = *this;
    first.dropFrom(passes);
    first.m_pass = std::min(m_pass, passes - 1);
    return first;
}

void PassRecords::adopt(const PassRecords& earlier, const ModelSpec& model, const std::string& stage, int block) {
    const PassRecords prompt = earlier.firstOf(1);
    for (const int site : prompt.m_order) {
        const AttentionSite& where = model.sites[static_cast<std::size_t>(site)];
        if (where.stage != stage || where.block >= block) continue;
        m_order.push_back(site);
        m_sites[site] = prompt.m_sites.at(site);
    }
    for (const auto& [key, pieces] : prompt.m_hidden)
        if (key.first == stage && key.second < block) m_hidden[key] = pieces;
}

void PassRecords::site(const AttentionCall& call, const at::Tensor& lse, const std::vector<int>& queryTokens) {
    SitePiece piece;
    piece.pass = m_pass;
    piece.call = call;
    piece.keys = call.key.size(2);
    piece.call.key = piece.call.value = at::Tensor();
    const auto first = std::lower_bound(queryTokens.begin(), queryTokens.end(), m_firstToken);
    if (first == queryTokens.end()) return;
    piece.firstRow = first - queryTokens.begin();
    piece.call.query = rowsFrom(call.query, 2, piece.firstRow);
    piece.call.queryOffset += piece.firstRow;
    if (call.bias.defined()) {
        const at::Tensor bias = biasOfRankFour(call);
        piece.call.bias = bias.size(2) > 1 ? rowsFrom(bias, 2, piece.firstRow) : bias;
    }
    piece.lse = rowsFrom(lse, 2, piece.firstRow);
    piece.queryTokens.assign(first, queryTokens.end());
    auto& pieces = m_sites[call.site];
    if (pieces.empty()) m_order.push_back(call.site);
    pieces.push_back(std::move(piece));
}

PassRecords::SitePiece* PassRecords::latest(int site) {
    const auto found = m_sites.find(site);
    if (found == m_sites.end() || found->second.empty() || found->second.back().pass != m_pass) return nullptr;
    return &found->second.back();
}

bool PassRecords::attentionOutput(int site, const at::Tensor& value) {
    SitePiece* piece = latest(site);
    if (piece) piece->attentionOutput = rowsFrom(value, 1, piece->firstRow);
    return piece != nullptr;
}

bool PassRecords::headOutput(int site, const at::Tensor& value) {
    SitePiece* piece = latest(site);
    if (piece) piece->headOutput = rowsFrom(value, 2, piece->firstRow);
    return piece != nullptr;
}

// The masks of all pieces as one bias [1, heads or 1, rows, keys]; keys that came later are hidden from the rows of
// earlier passes. Undefined where descriptions say it all.
at::Tensor PassRecords::joinedBias(const std::vector<SitePiece>& pieces, std::int64_t keys) {
    const bool biased = std::any_of(pieces.begin(), pieces.end(),
                                    [](const SitePiece& piece) { return piece.call.bias.defined(); });
    if (!biased) return {};
    std::vector<at::Tensor> biases;
    for (const SitePiece& piece : pieces) {
        const std::int64_t rows = piece.call.query.size(2);
        at::Tensor bias = piece.call.bias.defined()
                              ? piece.call.bias
                              : at::zeros({1, 1, rows, piece.keys}, piece.call.query.options());
        if (piece.call.causal) bias = bias.masked_fill(hiddenKeys(piece.call, {0, rows, 0, piece.keys}), kHidden);
        bias = bias.expand({1, bias.size(1), rows, piece.keys});
        biases.push_back(at::constant_pad_nd(bias, {0, keys - piece.keys}, kHidden));
    }
    return at::cat(biases, 2);
}

std::shared_ptr<const SiteRecord> PassRecords::joinedSite(int site, const KvCache& cache,
                                                          const EditPlan& edits) const {
    const std::vector<SitePiece>& pieces = m_sites.at(site);
    auto record = std::make_shared<SiteRecord>();
    const KvCache::View all = cache.view(site);
    record->call = pieces.front().call;
    record->call.key = all.key;
    record->call.value = all.value;
    record->keyTokens = cache.tokens(site);
    std::vector<at::Tensor> queries;
    for (const SitePiece& piece : pieces) {
        queries.push_back(piece.call.query);
        record->queryTokens.insert(record->queryTokens.end(), piece.queryTokens.begin(), piece.queryTokens.end());
    }
    record->call.query = queries.size() == 1 ? queries.front() : at::cat(queries, 2);
    record->lse = joined(pieces, &SitePiece::lse, 2);
    record->attentionOutput = joined(pieces, &SitePiece::attentionOutput, 1);
    record->headOutput = joined(pieces, &SitePiece::headOutput, 2);
    record->call.bias = joinedBias(pieces, all.key.size(2));
    if (record->call.bias.defined()) {
        record->call.causal = false;
        record->call.queryOffset = record->call.prefix = 0;
        record->call.windowLeft = -1;
    }
    const auto edit =
        std::find_if(edits.sites.begin(), edits.sites.end(), [&](const SiteEdit& e) { return e.site == site; });
    if (edit != edits.sites.end() && !edit->identity())
        record->edit = resolvePositions(*edit, record->queryTokens, record->keyTokens);
    return record;
}

void PassRecords::view(std::vector<SitePiece>& pieces, const SiteRecord& whole) const {
    viewOf(pieces, &SitePiece::lse, whole.lse, 2);
    viewOf(pieces, &SitePiece::attentionOutput, whole.attentionOutput, 1);
    viewOf(pieces, &SitePiece::headOutput, whole.headOutput, 2);
    std::int64_t begin = 0;
    for (SitePiece& piece : pieces) {
        const std::int64_t rows = piece.call.query.size(2);
        piece.call.query = whole.call.query.narrow(2, begin, rows);
        if (piece.call.bias.defined()) piece.call.bias = whole.call.bias.narrow(2, begin, rows).narrow(3, 0, piece.keys);
        begin += rows;
    }
}

void PassRecords::close(AttentionTrace::Impl& trace, const KvCache& cache, const EditPlan& edits) {
    const auto join = [](auto& pieces) {
        const at::Tensor whole = joined(pieces, &Piece::value, 1);
        viewOf(pieces, &Piece::value, whole, 1);
        return whole;
    };
    for (auto& [key, pieces] : m_hidden) trace.hidden[key] = join(pieces);
    for (auto& [name, pieces] : m_taps) trace.taps[name] = join(pieces);
    for (const int site : m_order) {
        const std::shared_ptr<const SiteRecord> whole = joinedSite(site, cache, edits);
        view(m_sites.at(site), *whole);
        trace.records[site] = whole;
        trace.order.push_back(site);
    }
}

}  // namespace fovea
