#include "attention/kernel_requests.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <limits>
#include <numeric>

#include "attention/kernel_output.h"

namespace fovea {
namespace {

constexpr std::int64_t lineLimit = 4096, pixelLimit = 4096;  // of one kernel call

fv_head_reduce reduction(std::optional<HeadFusion> fusion) {
    if (!fusion) return FV_HEADS_NONE;
    return *fusion == HeadFusion::Mean ? FV_HEADS_MEAN : *fusion == HeadFusion::Max ? FV_HEADS_MAX : FV_HEADS_MIN;
}

std::int64_t groupOf(const AttentionCall& call) { return call.query.size(1) / call.key.size(1); }

// Few rows get their log-sum-exp from their own keys in passing; many share one pass over all rows, which is
// kept.
SiteRecord::Lookup lookupFor(const AttentionCall& call, std::int64_t rows) {
    return call.query.is_cuda() || 2 * rows >= call.query.size(2) ? SiteRecord::Lookup::Compute
                                                                  : SiteRecord::Lookup::None;
}

// A part of a record with its log-sum-exp; empty when computing that showed that the logits are not finite.
std::optional<KernelProblem> problemOf(const SiteRecord& record, const KernelPart& part,
                                       SiteRecord::Lookup lookup, std::string& declined) {
    KernelProblem problem(record.call, part);
    const at::Tensor lse = record.kernelLse(lookup);
    if (lse.defined()) {
        problem.giveLse(lse, part);
    } else if (lookup == SiteRecord::Lookup::Compute) {
        declined = "logits that are not finite";
        return std::nullopt;
    }
    return problem;
}

bool runLines(const KernelProblem& problem, const std::vector<std::int32_t>& rows, fv_head_reduce heads,
              const KernelOutput<float>& out, std::string& declined) {
    const at::Tensor list = kernelInput(rows, problem.device());
    fv_lines_request request{};
    request.struct_size = sizeof request;
    request.rows = list.const_data_ptr<std::int32_t>();
    request.count = static_cast<std::int64_t>(rows.size());
    request.heads = heads;
    request.out = out.output();
    if (!runKernel(problem.problem(), request, problem.device(), declined)) return false;
    out.fetch();
    return true;
}

// Whole rows of successive queries.
bool wholeRows(const SiteRecord& record, const SiteBlock& block, std::optional<HeadFusion> fusion, Array& out,
               std::string& declined) {
    const AttentionCall& call = record.call;
    const std::int64_t keys = call.key.size(2), rows = block.queryEnd - block.queryBegin;
    const auto lookup = lookupFor(call, rows);
    const auto pass = [&](const KernelPart& part, std::size_t firstHead, std::int64_t begin) {
        const auto problem = problemOf(record, part, lookup, declined);
        if (!problem) return false;
        std::vector<std::int32_t> list(static_cast<std::size_t>(part.queryEnd - part.queryBegin));
        std::iota(list.begin(), list.end(), 0);
        const auto count = static_cast<std::int64_t>(list.size());
        const std::int64_t planes = fusion ? 1 : static_cast<std::int64_t>(part.heads.size());
        float* to = out.values.data() + (static_cast<std::int64_t>(firstHead) * rows + begin) * keys;
        const KernelOutput<float> target(to, planes, count * keys, rows * keys, problem->device());
        return runLines(*problem, list, reduction(fusion), target, declined);
    };
    for (std::int64_t begin = 0; begin < rows; begin += lineLimit) {
        const std::int64_t end = std::min(rows, begin + lineLimit);
        const KernelPart all{block.heads, block.queryBegin + begin, block.queryBegin + end};
        if (fusion) {
            if (!pass(all, 0, begin)) return false;
            continue;
        }
        std::size_t first = 0;
        const auto bytes = [&](const KernelPart& part) {  // on the device the rows themselves take memory
            return call.query.is_cuda() ? static_cast<std::uint64_t>((end - begin) * keys * 4) * part.heads.size()
                                        : 0;
        };
        if (!inHeadChunks(all, groupOf(call), bytes, [&](const KernelPart& part) {
                const bool done = pass(part, first, begin);
                first += part.heads.size();
                return done;
            }))
            return false;
    }
    return true;
}

bool drawTile(const SiteRecord& record, const SiteBlock& block, const fv_tile_request& wanted,
              SiteRecord::Lookup lookup, float* to, std::string& declined) {
    const KernelPart rows{block.heads, block.queryBegin, block.queryEnd};
    const auto problem = problemOf(record, rows, lookup, declined);
    if (!problem) return false;
    const std::int64_t planes =
        wanted.heads == FV_HEADS_NONE ? static_cast<std::int64_t>(block.heads.size()) : 1;
    const KernelOutput<float> target(to, planes, wanted.height * wanted.width, problem->device());
    fv_tile_request request = wanted;
    request.struct_size = sizeof request;
    request.row_begin = 0;
    request.row_end = block.queryEnd - block.queryBegin;
    request.column_begin = block.keyBegin;
    request.column_end = block.keyEnd;
    request.out = target.output();
    if (!runKernel(problem->problem(), request, problem->device(), declined)) return false;
    target.fetch();
    return true;
}

// A rectangle that leaves keys out, as a picture of one pixel a cell, in pieces that a call can draw.
bool wholeCells(const SiteRecord& record, const SiteBlock& block, std::optional<HeadFusion> fusion, Array& out,
                std::string& declined) {
    const std::int64_t rows = block.queryEnd - block.queryBegin, keys = block.keyEnd - block.keyBegin;
    const std::int64_t planes = fusion ? 1 : static_cast<std::int64_t>(block.heads.size());
    const auto lookup = lookupFor(record.call, rows);
    for (std::int64_t q = 0; q < rows; q += pixelLimit)
        for (std::int64_t k = 0; k < keys; k += pixelLimit) {
            SiteBlock piece = block;
            piece.queryBegin = block.queryBegin + q;
            piece.queryEnd = std::min(piece.queryBegin + pixelLimit, block.queryEnd);
            piece.keyBegin = block.keyBegin + k;
            piece.keyEnd = std::min(piece.keyBegin + pixelLimit, block.keyEnd);
            fv_tile_request request{};
            request.height = piece.queryEnd - piece.queryBegin;
            request.width = piece.keyEnd - piece.keyBegin;
            request.reduce = FV_TILE_SUM;
            request.heads = reduction(fusion);
            if (request.height == rows && request.width == keys)
                return drawTile(record, piece, request, lookup, out.values.data(), declined);
            Array part({planes, request.height, request.width});
            if (!drawTile(record, piece, request, lookup, part.values.data(), declined)) return false;
            for (std::int64_t plane = 0; plane < planes; ++plane)
                for (std::int64_t row = 0; row < request.height; ++row) {
                    const float* from = part.values.data() + (plane * request.height + row) * request.width;
                    std::copy(from, from + request.width, out.values.data() + (plane * rows + q + row) * keys + k);
                }
        }
    return true;
}

// The call with chosen queries only; for masks that do not count positions.
AttentionCall gathered(const AttentionCall& call, const std::vector<int>& rows) {
    const at::Tensor list = kernelInput(rows, call.query.device()).to(at::kLong);
    AttentionCall part = call;
    part.query = call.query.index_select(2, list);
    if (!call.bias.defined()) return part;
    part.bias = biasOfRankFour(call);
    if (part.bias.size(2) > 1) part.bias = part.bias.index_select(2, list);
    return part;
}

std::vector<std::pair<int, int>> runsOf(const std::vector<int>& rows) {
    std::vector<std::pair<int, int>> runs;
    for (const int row : rows)
        if (!runs.empty() && runs.back().second == row)
            ++runs.back().second;
        else
            runs.emplace_back(row, row + 1);
    return runs;
}

// Lists of any length through calls of up to 4096 lines on the whole problem, [heads, lines, length].
bool wholeLines(const SiteRecord& record, const std::vector<int>& lines, bool columns, Array& out,
                std::string& declined) {
    const AttentionCall& call = record.call;
    const std::int64_t length = columns ? call.query.size(2) : call.key.size(2),
                       total = static_cast<std::int64_t>(lines.size());
    for (std::int64_t begin = 0; begin < total; begin += lineLimit) {
        const std::int64_t count = std::min(total - begin, lineLimit);
        const at::Tensor list = kernelInput(
            std::vector<std::int32_t>(lines.begin() + begin, lines.begin() + begin + count), call.query.device());
        fv_lines_request request{};
        request.struct_size = sizeof request;
        (columns ? request.columns : request.rows) = list.const_data_ptr<std::int32_t>();
        request.count = count;
        std::int64_t head = 0;
        const auto bytes = [&](const KernelPart& part) {
            return call.query.is_cuda() ? static_cast<std::uint64_t>(count * length * 4) * part.heads.size() : 0;
        };
        if (!inHeadChunks(wholeCall(call), groupOf(call), bytes, [&](const KernelPart& part) {
                const auto problem = problemOf(record, part, SiteRecord::Lookup::Compute, declined);
                if (!problem) return false;
                const auto heads = static_cast<std::int64_t>(part.heads.size());
                const KernelOutput<float> target(out.values.data() + (head * total + begin) * length, heads,
                                                 count * length, total * length, problem->device());
                request.out = target.output();
                if (!runKernel(problem->problem(), request, problem->device(), declined)) return false;
                target.fetch();
                head += heads;
                return true;
            }))
            return false;
    }
    return true;
}

// Which group each key belongs to, -1 for none.
std::vector<std::int32_t> groupOfKeys(const std::vector<std::vector<int>>& groups, std::int64_t keys) {
    std::vector<std::int32_t> of(static_cast<std::size_t>(keys), -1);
    for (std::size_t group = 0; group < groups.size(); ++group)
        for (const int key : groups[group]) of[static_cast<std::size_t>(key)] = static_cast<std::int32_t>(group);
    return of;
}

}  // namespace

std::optional<Array> kernelBlock(const SiteRecord& record, const SiteBlock& block,
                                 std::optional<HeadFusion> fusion, std::string& declined) {
    const std::int64_t rows = block.queryEnd - block.queryBegin, keys = block.keyEnd - block.keyBegin;
    Array out = fusion ? Array({rows, keys}) : Array({static_cast<std::int64_t>(block.heads.size()), rows, keys});
    if (out.values.empty()) return out;
    const bool whole = keys == record.call.key.size(2);
    const bool done = whole ? wholeRows(record, block, fusion, out, declined)
                            : wholeCells(record, block, fusion, out, declined);
    if (!done) return std::nullopt;
    return out;
}

std::optional<Array> kernelRows(const SiteRecord& record, const std::vector<int>& rows, std::string& declined) {
    const AttentionCall& call = record.call;
    const std::int64_t heads = call.query.size(1), keys = call.key.size(2),
                       count = static_cast<std::int64_t>(rows.size());
    Array out({heads, count, keys});
    const std::vector<std::pair<int, int>> runs = runsOf(rows);
    const bool kept = record.kernelLse(lookupFor(call, count)).defined();
    if (kept || (countsPositions(call) && runs.size() > 8)) {
        if (!wholeLines(record, rows, false, out, declined)) return std::nullopt;
        return out;
    }
    if (!countsPositions(call)) {
        const AttentionCall part = gathered(call, rows);
        const KernelProblem problem(part, wholeCall(part));
        std::vector<std::int32_t> list(rows.size());
        std::iota(list.begin(), list.end(), 0);
        for (std::int64_t begin = 0; begin < count; begin += lineLimit) {
            const std::int64_t end = std::min(count, begin + lineLimit);
            const KernelOutput<float> target(out.values.data() + begin * keys, heads, (end - begin) * keys,
                                             count * keys, problem.device());
            if (!runLines(problem, {list.begin() + begin, list.begin() + end}, FV_HEADS_NONE, target, declined))
                return std::nullopt;
        }
        return out;
    }
    std::int64_t at = 0;
    for (const auto& [begin, end] : runs) {
        const auto part = kernelBlock(record, {wholeCall(call).heads, begin, end, 0, keys}, std::nullopt, declined);
        if (!part) return std::nullopt;
        const std::int64_t size = (end - begin) * keys;
        for (std::int64_t head = 0; head < heads; ++head)
            std::copy_n(part->values.data() + head * size, size, out.values.data() + (head * count + at) * keys);
        at += end - begin;
    }
    return out;
}

std::optional<Array> kernelColumns(const SiteRecord& record, const std::vector<int>& columns,
                                   std::string& declined) {
    const std::int64_t heads = record.call.query.size(1), queries = record.call.query.size(2),
                       count = static_cast<std::int64_t>(columns.size());
    Array out({heads, queries, count});
    if (count == 0) return out;
    Array lines({heads, count, queries});
    if (!wholeLines(record, columns, true, lines, declined)) return std::nullopt;
    for (std::int64_t head = 0; head < heads; ++head)
        for (std::int64_t c = 0; c < count; ++c) {
            const float* from = lines.values.data() + (head * count + c) * queries;
            float* to = out.values.data() + head * queries * count + c;
            for (std::int64_t q = 0; q < queries; ++q) to[q * count] = from[q];
        }
    return out;
}

std::optional<Array> kernelTile(const SiteRecord& record, const SiteBlock& block, const TileRequest& request,
                                std::string& declined) {
    const auto heads = static_cast<std::int64_t>(block.heads.size());
    Array out = request.fusion ? Array({request.height, request.width})
                               : Array({heads, request.height, request.width});
    fv_tile_request wanted{};
    wanted.height = request.height;
    wanted.width = request.width;
    wanted.heads = reduction(request.fusion);
    wanted.reduce = request.pooling == TilePooling::Mean  ? FV_TILE_MEAN
                    : request.pooling == TilePooling::Max ? FV_TILE_MAX
                                                          : FV_TILE_SUM;
    if (!drawTile(record, block, wanted, SiteRecord::Lookup::Compute, out.values.data(), declined))
        return std::nullopt;
    return out;
}

std::optional<Array> kernelGroupMass(const SiteRecord& record, const std::vector<std::vector<int>>& groups,
                                     std::string& declined) {
    const AttentionCall& call = record.call;
    const std::int64_t queries = call.query.size(2), count = static_cast<std::int64_t>(groups.size());
    const at::Device device = call.query.device();
    const at::Tensor ofKey = kernelInput(groupOfKeys(groups, call.key.size(2)), device);
    Array out({call.query.size(1), queries, count});
    fv_stats_request request{};
    request.struct_size = sizeof request;
    request.key_group = ofKey.const_data_ptr<std::int32_t>();
    request.groups = count;
    std::int64_t head = 0;
    const auto bytes = [&](const KernelPart& part) {
        fv_stats_request sized = request;
        sized.group_mass = {out.values.data(), 0, queries * count};
        return kernelScratch(KernelProblem(call, part).problem(), sized, device);
    };
    if (!inHeadChunks(wholeCall(call), groupOf(call), bytes, [&](const KernelPart& part) {
            const auto problem = problemOf(record, part, lookupFor(call, 0), declined);
            if (!problem) return false;
            const auto heads = static_cast<std::int64_t>(part.heads.size());
            const KernelOutput<float> target(out.values.data() + head * queries * count, heads, queries * count,
                                             device);
            request.group_mass = target.output();
            if (!runKernel(problem->problem(), request, device, declined)) return false;
            target.fetch();
            head += heads;
            return true;
        }))
        return std::nullopt;
    return out;
}

std::optional<Array> kernelCollect(const SiteRecord& record, const std::vector<std::int64_t>& heads,
                                   const Array& weights, std::string& declined) {
    const AttentionCall& call = record.call;
    const auto problem = problemOf(record, {heads, 0, call.query.size(2)}, SiteRecord::Lookup::Compute, declined);
    if (!problem) return std::nullopt;
    const at::Tensor x = kernelInput(weights.values, problem->device());
    Array out({call.key.size(2), weights.size(1)});
    const KernelOutput<float> target(out.values.data(), 1, out.size(0) * out.size(1), problem->device());
    fv_product_request request{};
    request.struct_size = sizeof request;
    request.transposed = request.mean_heads = 1;
    request.columns = weights.size(1);
    request.x = x.const_data_ptr<float>();
    request.out = target.output();
    if (!runKernel(problem->problem(), request, problem->device(), declined)) return std::nullopt;
    target.fetch();
    return out;
}

std::optional<Array> kernelRelevance(const SiteRecord& record, const std::vector<std::int64_t>& heads,
                                     RelevancePart part, const Array& weights, std::string& declined) {
    const AttentionCall& call = record.call;
    const KernelPart chosen{heads, 0, call.query.size(2)};
    auto problem = problemOf(record, chosen, SiteRecord::Lookup::Compute, declined);
    if (!problem) return std::nullopt;
    if (call.value.size(3) > 256) {
        declined = "a value size over 256";
        return std::nullopt;
    }
    problem->giveValues(call, chosen, record.outputGradient);
    const at::Tensor x = kernelInput(weights.values, problem->device());
    Array out({call.key.size(2), weights.size(1)});
    const KernelOutput<float> target(out.values.data(), 1, out.size(0) * out.size(1), problem->device());
    fv_relevance_request request{};
    request.struct_size = sizeof request;
    request.part = part == RelevancePart::Positive ? FV_POSITIVE
                   : part == RelevancePart::Signed ? FV_SIGNED
                                                   : FV_ABSOLUTE;
    request.columns = weights.size(1);
    request.x = x.const_data_ptr<float>();
    request.out = target.output();
    if (!runKernel(problem->problem(), request, problem->device(), declined)) return std::nullopt;
    target.fetch();
    return out;
}

std::optional<std::vector<double>> kernelRowSums(const SiteRecord& record,
                                                 const std::vector<std::int64_t>& heads,
                                                 std::string& declined) {
    const at::Tensor lse = record.kernelLse(SiteRecord::Lookup::Compute);
    if (!lse.defined()) {
        declined = "logits that are not finite";
        return std::nullopt;
    }
    const Array values = toArray(lse);
    std::vector<double> sums(static_cast<std::size_t>(values.size(1)), 0.0);
    for (const std::int64_t head : heads)
        for (std::size_t query = 0; query < sums.size(); ++query)
            if (values.at(head, static_cast<std::int64_t>(query)) > -std::numeric_limits<float>::infinity())
                sums[query] += 1;
    for (double& sum : sums) sum /= static_cast<double>(heads.size());
    return sums;
}

std::optional<ColumnTop> kernelColumnTop(const SiteRecord& record, int k, std::string& declined) {
    const AttentionCall& call = record.call;
    const std::int64_t heads = call.query.size(1), keys = call.key.size(2);
    const auto problem = problemOf(record, wholeCall(call), SiteRecord::Lookup::Compute, declined);
    if (!problem) return std::nullopt;
    ColumnTop out{Array({heads, keys, k}), Array({heads, keys, k})};
    std::vector<std::int32_t> indices(out.index.values.size());
    const KernelOutput<float> values(out.value.values.data(), heads, keys * k, problem->device());
    const KernelOutput<std::int32_t> places(indices.data(), heads, keys * k, problem->device());
    fv_stats_request request{};
    request.struct_size = sizeof request;
    request.col_topk = k;
    request.col_topk_value = values.output();
    request.col_topk_index = places.output();
    if (!runKernel(problem->problem(), request, problem->device(), declined)) return std::nullopt;
    values.fetch();
    places.fetch();
    std::copy(indices.begin(), indices.end(), out.index.values.begin());
    return out;
}

// Of SiteRecord: what is kept of the kernels' answers.

std::string SiteRecord::kernelsDecline(const AttentionOperator& op, Weights weights) const {
    const std::string declined = statisticsDecline(op, weights);
    return declined.empty() && call.segments ? "attention within segments" : declined;
}

std::string SiteRecord::statisticsDecline(const AttentionOperator& op, Weights weights) const {
    if (usesStored(weights)) return "recorded probabilities";
    if (weights == Weights::Effective && edit.has_value()) return "edited probabilities";
    if (!op.followsCall()) return "another operator";
    const std::lock_guard lock(m_mutex);
    if (!m_declined) m_declined = fovea::statisticsDecline(call);
    return *m_declined;
}

at::Tensor SiteRecord::kernelLse(Lookup wanted) const {
    const std::lock_guard lock(m_mutex);
    // What an earlier request has left behind must not change this one's bits.
    if (wanted == Lookup::None) return {};
    if (m_kernelLse.defined()) return m_kernelLse;
    return m_kernelLse = computeKernelLse();
}

// Under the lock: a second thread waits instead of computing the same.
at::Tensor SiteRecord::computeKernelLse() const {
    const at::NoGradGuard noGrad;
    const at::Device device = call.query.device();
    const std::int64_t heads = call.query.size(1), queries = call.query.size(2);
    const at::Tensor sums = at::empty({heads, queries}, at::TensorOptions(at::kFloat).device(device));
    const at::Tensor flags = at::empty({1}, at::TensorOptions(at::kInt).device(device));
    const auto requestAt = [&](std::int64_t head) {
        fv_stats_request request{};
        request.struct_size = sizeof request;
        request.lse = {sums.mutable_data_ptr<float>() + head * queries, 0, queries};
        request.flags = device.is_cpu() ? nullptr : flags.mutable_data_ptr<std::int32_t>();
        return request;
    };
    std::int64_t head = 0;
    std::string refused;
    const bool done = inHeadChunks(
        wholeCall(call), groupOf(call),
        [&](const KernelPart& part) {
            return kernelScratch(KernelProblem(call, part).problem(), requestAt(0), device);
        },
        [&](const KernelPart& part) {
            const KernelProblem problem(call, part);
            const bool finite = runKernel(problem.problem(), requestAt(head), device, refused) &&
                                (device.is_cpu() || flags.item<std::int32_t>() == 0);
            head += static_cast<std::int64_t>(part.heads.size());
            return finite;
        });
    if (done) return sums;
    m_declined = refused.empty() ? "logits that are not finite" : refused;
    return {};
}

}  // namespace fovea
