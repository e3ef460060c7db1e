#include "nn/adapter_set.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/searchsorted.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <optional>

#include "nn/adapter_loader.h"

namespace fovea {
namespace {

std::optional<at::Tensor> given(const at::Tensor& tensor) {
    return tensor.defined() ? std::optional<at::Tensor>(tensor) : std::nullopt;
}

}  // namespace

std::int64_t StoredMatrix::outputs() const {
    std::int64_t rows = 0;
    for (const Use& use : uses) rows = std::max(rows, use.row + use.linear.weight.size(0));
    return rows;
}

std::shared_ptr<const AdapterSet> AdapterSet::load(const std::vector<AdapterChoice>& choices,
                                                   const std::vector<StoredMatrix>& matrices,
                                                   const std::vector<std::string>& baseNames) {
    auto set = std::make_shared<AdapterSet>();
    for (const AdapterChoice& choice : choices) Loader(*set, choice, matrices).load(baseNames);
    return set;
}

at::Tensor AdapterSet::linear(const Linear& weight, const at::Tensor& x,
                              const std::vector<double>& strengths) const {
    const at::Tensor plain = at::linear(x, weight.weight, given(weight.bias));
    const auto found = m_changes.find(weight.name);
    if (found == m_changes.end()) return plain;
    at::Tensor y = plain;
    for (const Change& change : found->second) {
        const double strength = strengths[change.adapter];
        if (strength == 0) continue;
        if (change.tokens.defined()) {
            const at::Tensor theirs = plain.index_select(-1, change.tokens);
            const at::Tensor bias = weight.bias.defined() ? weight.bias.index_select(0, change.tokens) : weight.bias;
            const at::Tensor ours = at::linear(x, change.rows, given(bias));
            y = y.index_add(-1, change.tokens, (ours - theirs) * strength);
            continue;
        }
        // A matrix that was trained as a whole takes the place of the base's without rounding twice.
        const bool replaces = change.weight.defined() && !change.down.defined() && strength == 1 && y.is_same(plain);
        y = replaces ? trained(change, weight, x) : y + difference(change, weight, x, plain) * strength;
    }
    return y;
}

at::Tensor AdapterSet::embedding(const Linear& table, const at::Tensor& ids, const std::vector<double>& strengths) const {
    const at::Tensor plain = at::embedding(table.weight, ids);
    at::Tensor y = plain;
    for (const auto* list : {&m_changes, &m_embeddings}) {
        const auto found = list->find(table.name);
        if (found == list->end()) continue;
        for (const Change& change : found->second) {
            const double strength = strengths[change.adapter];
            if (strength == 0) continue;
            if (change.tokens.defined()) {
                const at::Tensor place = at::searchsorted(change.tokens, ids).clamp_max(change.tokens.size(0) - 1);
                const at::Tensor trained = change.tokens.index_select(0, place.flatten()).view_as(ids).eq(ids);
                const at::Tensor rows = at::embedding(change.rows, place);
                const at::Tensor moved = strength == 1 && y.is_same(plain) ? rows : y + (rows - plain) * strength;
                y = at::where(trained.unsqueeze(-1), moved, y);
                continue;
            }
            at::Tensor base = plain;
            if (change.weight.defined()) {
                base = at::embedding(change.weight, ids);
                y = strength == 1 && y.is_same(plain) ? base : y + (base - plain) * strength;
            }
            if (list != &m_embeddings) continue;
            at::Tensor added = low(change, at::embedding(change.down, ids));
            if (change.gain.defined()) added = added + change.gain * (base + added);
            y = y + added * strength;
        }
    }
    return y;
}

/// B of what A gave, scaled.
at::Tensor AdapterSet::low(const Change& change, const at::Tensor& inner) {
    return at::linear(inner, change.up, given(change.upBias)) * change.scaling;
}

at::Tensor AdapterSet::trained(const Change& change, const Linear& weight, const at::Tensor& x) {
    return at::linear(x, change.weight, given(change.bias.defined() ? change.bias : weight.bias));
}

/// What an adapter of strength 1 adds to the base output.
at::Tensor AdapterSet::difference(const Change& change, const Linear& weight, const at::Tensor& x,
                                  const at::Tensor& plain) const {
    at::Tensor sum, base = plain;
    if (change.weight.defined()) {
        base = trained(change, weight, x);
        sum = base - plain;
    } else if (change.bias.defined()) {
        sum = (change.bias - weight.bias).expand_as(plain);
    }
    if (!change.down.defined()) return sum;
    at::Tensor added = low(change, at::linear(x, change.down));
    if (change.gain.defined()) {
        // A saved weight came with its own bias, or with none.
        const at::Tensor& bias = change.weight.defined() && change.bias.defined() ? change.bias : weight.bias;
        added = added + change.gain * ((bias.defined() ? base - bias : base) + added);
    }
    return sum.defined() ? sum + added : added;
}

}  // namespace fovea
