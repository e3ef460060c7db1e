#include "attention/visibility.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <limits>

namespace fovea {
namespace {

constexpr std::int64_t rowsAtOnce = 256;  // the mask of a block stays in the cache

// Whether every query of a block sees every key of it.
bool seesAll(const AttentionCall& call, const MaskBlock& block) {
    const std::int64_t first = block.queryBegin + call.queryOffset;
    const std::int64_t last = block.queryEnd - 1 + call.queryOffset;
    const bool noneAfter = block.keyEnd - 1 <= first || block.keyEnd <= call.prefix;
    return noneAfter && (call.windowLeft < 0 || last - call.windowLeft <= block.keyBegin);
}

MaskBlock blockOf(const AttentionCall& call, std::int64_t begin, std::int64_t end) {
    MaskBlock block{begin, end, 0, call.key.size(2)};
    block.keyEnd = std::min(block.keyEnd, std::max(end + call.queryOffset, call.prefix));
    if (call.windowLeft >= 0)
        block.keyBegin = std::clamp<std::int64_t>(begin + call.queryOffset - call.windowLeft, 0, block.keyEnd);
    return block;
}

}  // namespace

at::Tensor hiddenKeys(const AttentionCall& call, const MaskBlock& block) {
    const auto options = call.query.options().dtype(at::kLong);
    const at::Tensor rows = (at::arange(block.queryBegin, block.queryEnd, options) + call.queryOffset).unsqueeze(1);
    const at::Tensor keys = at::arange(block.keyBegin, block.keyEnd, options).unsqueeze(0);
    at::Tensor hidden = keys.gt(rows);
    if (call.prefix > 0) hidden = hidden.logical_and(keys.ge(call.prefix));
    if (call.windowLeft >= 0) hidden = hidden.logical_or(keys.lt(rows - call.windowLeft));
    return hidden;
}

AttentionCall withoutIdleMask(const AttentionCall& call) {
    AttentionCall out = call;
    if (call.causal && seesAll(call, {0, call.query.size(2), 0, call.key.size(2)})) {
        out.causal = false;
        out.windowLeft = -1;
        out.prefix = out.queryOffset = 0;
    }
    return out;
}

bool isPlainCausal(const AttentionCall& call) {
    const bool bounded = call.windowLeft >= 0 && call.windowLeft < call.query.size(2) - 1;
    return call.query.size(2) == call.key.size(2) && call.queryOffset == 0 && call.prefix <= 1 && !bounded;
}

std::vector<MaskBlock> rowBlocks(const AttentionCall& call) {
    const std::int64_t queries = call.query.size(2);
    // Queries before the end of the prefix see all of it: without a window they need no mask.
    const std::int64_t open = call.windowLeft < 0 ? std::clamp<std::int64_t>(call.prefix - call.queryOffset, 0, queries) : 0;
    std::vector<MaskBlock> blocks;
    if (open > 0) blocks.push_back(blockOf(call, 0, open));
    for (std::int64_t begin = open; begin < queries; begin += rowsAtOnce)
        blocks.push_back(blockOf(call, begin, std::min(begin + rowsAtOnce, queries)));
    return blocks;
}

AttentionCall blockCall(const AttentionCall& call, const MaskBlock& block) {
    AttentionCall part = call;
    const std::int64_t keys = block.keyEnd - block.keyBegin, rows = block.queryEnd - block.queryBegin;
    part.query = call.query.narrow(2, block.queryBegin, rows);
    part.key = call.key.narrow(2, block.keyBegin, keys);
    part.value = call.value.narrow(2, block.keyBegin, keys);
    if (call.bias.defined()) {
        part.bias = biasOfRankFour(call);
        if (part.bias.size(2) > 1) part.bias = part.bias.narrow(2, block.queryBegin, rows);
        if (part.bias.size(3) > 1) part.bias = part.bias.narrow(3, block.keyBegin, keys);
    }
    if (!seesAll(call, block)) {
        const at::Tensor open = part.bias.defined() ? part.bias : at::zeros({1, 1, rows, keys}, call.query.options());
        part.bias = open.masked_fill(hiddenKeys(call, block), -std::numeric_limits<double>::infinity());
    }
    part.causal = false;
    part.windowLeft = -1;
    part.prefix = part.queryOffset = 0;
    return part;
}

}  // namespace fovea
