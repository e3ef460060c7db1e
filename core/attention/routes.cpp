#include "attention/routes.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/repeat_interleave.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>

#include "attention/probabilities.h"
#include "attention/route_probe.h"
#include "attention/visibility.h"
#include "fovea/error.h"

namespace fovea {
namespace {

std::string shapeText(const at::Tensor& tensor) {
    std::ostringstream out;
    out << tensor.sizes();
    return out.str();
}

void require(bool fits, const char* what, const AttentionCall& call) {
    if (!fits)
        throw Error(fmt::format("attention call: {} (query {}, key {}, value {})", what,
                                shapeText(call.query), shapeText(call.key), shapeText(call.value)),
                    {}, ErrorCode::Internal);
}

// Rows per chunk so that one chunk of logits stays within 64 MiB.
std::int64_t rowsPerChunk(const AttentionCall& call) {
    const std::int64_t rowBytes = call.query.size(1) * call.key.size(2) * 8;
    return std::max<std::int64_t>(1, (std::int64_t{64} << 20) / std::max<std::int64_t>(rowBytes, 1));
}

// One query a head that shares its keys with others of its group: the group becomes rows of one head, so that keys
// and values need not be repeated.
AttentionCall foldedHeads(AttentionCall call) {
    const std::int64_t kept = call.key.size(1), group = call.query.size(1) / kept;
    if (group == 1 || call.query.size(2) != 1 || call.causal || call.bias.defined()) return call;
    call.query = call.query.reshape({1, kept, group, call.query.size(3)});
    return call;
}

RouteOutput unfolded(RouteOutput output, const AttentionCall& given) {
    const std::int64_t heads = given.query.size(1), queries = given.query.size(2);
    if (output.output.size(1) == heads) return output;
    return {output.output.reshape({1, heads, queries, output.output.size(3)}),
            output.lse.reshape({1, heads, queries})};
}

}  // namespace

void checkCall(const AttentionCall& call) {
    const at::Tensor &q = call.query, &k = call.key, &v = call.value;
    require(q.dim() == 4 && k.dim() == 4 && v.dim() == 4, "expected tensors of rank 4", call);
    require(q.size(0) == 1 && k.size(0) == 1 && v.size(0) == 1, "expected one item", call);
    require(q.size(1) > 0 && k.size(1) > 0 && q.size(1) % k.size(1) == 0 && v.size(1) == k.size(1),
            "heads must be a multiple of key-value heads", call);
    require(q.size(2) > 0 && k.size(2) > 0 && v.size(2) == k.size(2), "sequences must not be empty", call);
    require(q.size(3) > 0 && q.size(3) == k.size(3), "query and key differ in head size", call);
    require(q.scalar_type() == k.scalar_type() && q.scalar_type() == v.scalar_type(), "dtypes differ", call);
    require(q.device() == k.device() && q.device() == v.device(), "devices differ", call);
    if (call.segments)
        require(q.size(2) == k.size(2) && q.size(2) == call.segments->tokens() && !call.bias.defined() &&
                    !call.causal,
                "segments divide the tokens of a self-attention without bias", call);
    if (!call.bias.defined()) return;
    const at::Tensor& bias = call.bias;
    const std::int64_t sizes[] = {1, q.size(1), q.size(2), k.size(2)};
    require(bias.dim() <= 4 && bias.is_floating_point() && bias.device() == q.device(),
            "the bias must be floats of rank 4 at most on the same device", call);
    for (std::int64_t axis = 0; axis < bias.dim(); ++axis) {
        const std::int64_t size = bias.size(bias.dim() - 1 - axis);
        require(size == sizes[3 - axis] || size == 1, "the bias does not fit heads, queries and keys", call);
    }
}

RouteOutput explicitRoute(const AttentionCall& call, const AttentionOperator& dense) {
    const std::int64_t heads = call.query.size(1), queries = call.query.size(2);
    const std::int64_t group = heads / call.key.size(1);
    const std::int64_t step = rowsPerChunk(call);
    at::Tensor values = call.value[0];
    if (group > 1) values = at::repeat_interleave(values, group, 0);
    std::vector<at::Tensor> outputs, lses;
    for (std::int64_t begin = 0; begin < queries; begin += step) {
        const at::Tensor logits = dense.logits(call, {0, heads, begin, std::min(begin + step, queries)});
        lses.push_back(at::logsumexp(logits.detach(), {-1}));
        outputs.push_back(at::matmul(maskedSoftmax(call, logits).to(values.scalar_type()), values));
    }
    return {at::cat(outputs, 1).unsqueeze(0), at::cat(lses, 1).unsqueeze(0)};
}

// A call as fused operators take it: whole, or, where they do not know its mask, cut into blocks of rows with the mask
// as a bias.
struct RouteTable::Pieces {
    const AttentionCall& call;
    std::vector<MaskBlock> blocks;

    AttentionCall first() const { return blocks.empty() ? call : blockCall(call, blocks.front()); }

    RouteOutput run(const Route& route) const {
        if (blocks.empty()) return route.run(call);
        std::vector<at::Tensor> outputs, lses;
        for (const MaskBlock& block : blocks) {
            RouteOutput part = route.run(blockCall(call, block));
            outputs.push_back(part.output);
            lses.push_back(part.lse);
        }
        return {at::cat(outputs, 2), at::cat(lses, 2)};
    }
};

// What a route gave, or why it did not.
std::string RouteTable::tryRoute(const Route& route, const Pieces& pieces, RouteOutput& output) {
    const AttentionCall first = pieces.first();
    std::string reason = route.declines(first);
    if (reason.empty()) reason = probeRoute(route, first);
    if (!reason.empty()) return reason;
    try {
        output = pieces.run(route);
    } catch (const c10::OutOfMemoryError&) {
        throw;
    } catch (const c10::Error& error) {  // checks of its own that ours do not know
        return std::string("failed: ") + error.what_without_backtrace();
    }
    const at::Tensor& q = pieces.call.query;
    const bool fits =
        output.output.sizes() == at::IntArrayRef({1, q.size(1), q.size(2), pieces.call.value.size(3)}) &&
        output.lse.sizes() == at::IntArrayRef({1, q.size(1), q.size(2)});
    return fits ? "" : "gave tensors of unknown shapes";
}

RouteOutput RouteTable::run(const AttentionCall& given, const AttentionOperator& dense) {
    checkCall(given);
    if (given.segments) return runSegments(given, dense);
    const AttentionCall call = foldedHeads(withoutIdleMask(given));
    const bool inBlocks = call.causal && !isPlainCausal(call) && call.queryOffset >= 0 &&
                          m_choice != RouteChoice::Explicit && call.softcap == 0;
    const Pieces pieces{call, inBlocks ? rowBlocks(call) : std::vector<MaskBlock>{}};
    std::vector<std::string> declined;
    for (const Route& route : fusedRoutes()) {
        RouteOutput output;
        const std::string reason = m_choice == RouteChoice::Explicit ? "the explicit route was asked for"
                                                                     : tryRoute(route, pieces, output);
        if (reason.empty()) {
            count(route.name, std::move(declined));
            return unfolded(std::move(output), given);
        }
        declined.push_back(std::string(route.name) + ": " + reason);
    }
    RouteOutput output = explicitRoute(call, dense);
    count("explicit", std::move(declined));
    return unfolded(std::move(output), given);
}

// Segments of one length become further heads of one call: no [tokens, tokens] map, no route of its own.
RouteOutput RouteTable::runSegments(const AttentionCall& call, const AttentionOperator& dense) {
    constexpr std::int64_t mostHeads = 1 << 15;  // a launch takes 65,535 of them
    const std::int64_t heads = call.query.size(1), group = heads / call.key.size(1);
    AttentionCall part = call;
    part.segments = nullptr;
    std::vector<at::Tensor> outputs, lses;
    for (const AttentionSegments::Group& segments : call.segments->groups()) {
        const std::int64_t count = segments.tokens.size(0) / segments.length;
        const std::int64_t step = std::max<std::int64_t>(1, mostHeads / heads);
        for (std::int64_t begin = 0; begin < count; begin += step) {
            const std::int64_t some = std::min(step, count - begin);
            const at::Tensor tokens =
                segments.tokens.narrow(0, begin * segments.length, some * segments.length);
            const auto split = [&](const at::Tensor& x) {
                const at::Tensor all = x.size(1) == heads ? x : at::repeat_interleave(x, group, 1);
                return all.index_select(2, tokens).reshape({1, heads * some, segments.length, x.size(3)});
            };
            part.query = split(call.query);
            part.key = split(call.key);
            part.value = split(call.value);
            const RouteOutput result = run(part, dense);
            outputs.push_back(result.output.reshape({1, heads, tokens.size(0), call.value.size(3)}));
            lses.push_back(result.lse.reshape({1, heads, tokens.size(0)}));
        }
    }
    const at::Tensor& places = call.segments->places();
    return {at::cat(outputs, 2).index_select(2, places), at::cat(lses, 2).index_select(2, places)};
}

std::vector<std::string> RouteTable::notices() const {
    std::vector<std::string> list;
    for (const RouteReport& report : m_reports) {
        const bool edit = report.route == explicitEdit;
        if (m_choice == RouteChoice::Explicit || (report.route != "explicit" && !edit)) continue;
        list.push_back(fmt::format("{} {} by explicit matrix products, which take more time and memory: {}",
                                   report.calls, edit ? "edited attentions ran" : "attentions ran",
                                   fmt::join(report.declined, "; ")));
    }
    return list;
}

void RouteTable::count(const char* name, std::vector<std::string> declined) {
    for (RouteReport& report : m_reports)
        if (report.route == name && report.declined == declined) {
            ++report.calls;
            return;
        }
    m_reports.push_back({name, 1, std::move(declined)});
}

}  // namespace fovea
