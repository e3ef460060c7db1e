#include "attention/probabilities.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/clamp_min.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <numeric>

#include "common/site_choice.h"

namespace fovea {
namespace {

// 1 at the given positions inside [begin, end), else 0; all 1 when `positions` is empty. [end - begin]
at::Tensor mask(const std::vector<int>& positions, std::int64_t begin, std::int64_t end,
                const at::TensorOptions& options) {
    std::vector<float> values(static_cast<std::size_t>(end - begin), positions.empty() ? 1.0F : 0.0F);
    for (const int position : positions)
        if (position >= begin && position < end) values[static_cast<std::size_t>(position - begin)] = 1.0F;
    return at::tensor(values).to(options);
}

// Rows of `selected` multiplied by the factor on the group; the others untouched. All masks broadcast to A.
at::Tensor applyFactor(const at::Tensor& probs, const GroupFactor& factor, const RowBlock& block) {
    const auto options = probs.options();
    const at::Tensor heads = mask(factor.heads, block.headBegin, block.headEnd, options).view({-1, 1, 1});
    const at::Tensor rows = mask(factor.queries, block.queryBegin, block.queryEnd, options).view({1, -1, 1});
    const at::Tensor selected = heads * rows;  // [heads, rows, 1]
    const at::Tensor group = mask(factor.keys, 0, probs.size(-1), options);
    const at::Tensor scaled = probs * (1 + group * (factor.factor - 1));
    at::Tensor edited = scaled;
    if (factor.rowSum == RowSum::Renormalise) {
        const at::Tensor sum = scaled.sum({-1}, true);
        edited = at::where(sum > 0, scaled * (probs.sum({-1}, true) / sum), scaled);
    } else if (factor.rowSum == RowSum::Compensate) {
        at::Tensor rest = factor.compensateKeys.empty()
                              ? 1 - group
                              : mask(factor.compensateKeys, 0, probs.size(-1), options) * (1 - group);
        const at::Tensor groupMass = (probs * group).sum({-1}, true);
        const at::Tensor restMass = (probs * rest).sum({-1}, true);
        // F_R = (m_R + m_g (1 - F)) / m_R; a factor that asks for more mass than there is takes all of it.
        const at::Tensor wanted = restMass + groupMass * (1 - factor.factor);
        const at::Tensor restFactor = at::where(restMass > 0, at::clamp_min(wanted, 0) / restMass, 1.0);
        edited = scaled * (1 + rest * (restFactor - 1));
        const at::Tensor sum = edited.sum({-1}, true);
        const at::Tensor overdrawn = (wanted < 0).logical_and(sum > 0);
        edited = at::where(overdrawn, edited * (probs.sum({-1}, true) / sum), edited);
        // A row that sees none of the compensating keys cannot keep its sum: it stays as it is.
        edited = at::where(restMass > 0, edited, probs);
    }
    return at::where(selected > 0, edited, probs);
}

at::Tensor perHead(const std::vector<double>& values, const RowBlock& block,
                   const at::TensorOptions& options) {
    const std::vector<double> part(values.begin() + block.headBegin, values.begin() + block.headEnd);
    return at::tensor(part, at::kDouble).to(options).view({-1, 1, 1});
}

}  // namespace

SiteEdit resolvePositions(const SiteEdit& edit, const std::vector<int>& queryTokens,
                          const std::vector<int>& keyTokens) {
    SiteEdit resolved = edit;
    resolved.factors.clear();
    for (GroupFactor factor : edit.factors) {
        const bool someQueries = !factor.queries.empty(), someRest = !factor.compensateKeys.empty();
        factor.queries = positionsIn(queryTokens, factor.queries);
        factor.keys = positionsIn(keyTokens, factor.keys);
        factor.compensateKeys = positionsIn(keyTokens, factor.compensateKeys);
        if (factor.keys.empty() || (someQueries && factor.queries.empty())) continue;
        if (someRest && factor.compensateKeys.empty()) factor.rowSum = RowSum::Free;
        resolved.factors.push_back(std::move(factor));
    }
    return resolved;
}

at::Tensor biasOfRankFour(const AttentionCall& call) {
    at::Tensor bias = call.bias;
    while (bias.dim() < 4) bias = bias.unsqueeze(0);
    return bias;
}

at::Tensor maskedSoftmax(const AttentionCall& call, const at::Tensor& logits) {
    const bool maySeeNothing = call.bias.defined() || (call.causal && call.queryOffset < 0);
    if (!maySeeNothing) return at::softmax(logits, -1);
    const at::Tensor empty = at::amax(logits, {-1}, true).isneginf();
    // Replaced before the softmax, too: its gradient would be NaN otherwise.
    return at::where(empty, 0.0, at::softmax(at::where(empty, 0.0, logits), -1));
}

at::Tensor blockProbabilities(const AttentionOperator& op, const AttentionCall& call, const SiteEdit* edit,
                              const RowBlock& block) {
    at::Tensor logits = op.logits(call, block);
    if (edit && !edit->temperature.empty())
        logits = logits / perHead(edit->temperature, block, logits.options());
    at::Tensor probs = maskedSoftmax(call, logits);
    if (!edit) return probs;
    for (const GroupFactor& factor : edit->factors) probs = applyFactor(probs, factor, block);
    if (!edit->headGain.empty()) probs = probs * perHead(edit->headGain, block, probs.options());
    return probs;
}

std::vector<std::int64_t> recomputedHeads(const SiteEdit& edit, std::int64_t heads) {
    std::vector<bool> touched(static_cast<std::size_t>(heads), false);
    for (std::size_t head = 0; head < edit.temperature.size(); ++head)
        if (edit.temperature[head] != 1.0) touched[head] = true;
    for (const GroupFactor& factor : edit.factors) {
        if (factor.heads.empty()) touched.assign(touched.size(), true);
        for (const int head : factor.heads) touched[static_cast<std::size_t>(head)] = true;
    }
    std::vector<std::int64_t> list;
    for (std::size_t head = 0; head < touched.size(); ++head)
        if (touched[head]) list.push_back(static_cast<std::int64_t>(head));
    return list;
}

}  // namespace fovea
