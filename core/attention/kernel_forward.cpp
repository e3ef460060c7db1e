#include "attention/kernel_forward.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/clamp_min.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "attention/kernel_output.h"
#include "fovea/error.h"

namespace fovea {
namespace {

constexpr std::size_t groupLimit = 32;  // of one kernel call

// The classes of keys that all factors of an edit treat alike, and the sets of the edit as lists of classes.
class KeyClasses {
public:
    KeyClasses(const SiteEdit& edit, std::int64_t keys) : m_of(static_cast<std::size_t>(keys), 0) {
        for (const GroupFactor& factor : edit.factors) {
            m_groups.push_back(split(factor.keys));
            m_rests.push_back(factor.compensateKeys.empty() ? -1 : split(factor.compensateKeys));
        }
    }

    // Classes after all splits: a class is a list of memberships.
    std::size_t count() const { return m_members.size(); }
    const std::vector<std::int32_t>& ofKeys() const { return m_of; }
    bool inGroup(std::size_t factor, std::size_t type) const { return has(type, m_groups[factor]); }
    bool inRest(std::size_t factor, std::size_t type) const {
        if (inGroup(factor, type)) return false;
        return m_rests[factor] < 0 || has(type, m_rests[factor]);
    }

private:
    // Splits every class by a set of keys; gives the number of the set.
    int split(const std::vector<int>& keys) {
        const int set = m_sets++;
        std::map<std::int32_t, std::int32_t> inside;  // class -> its part within the set
        std::vector<std::size_t> left(m_members.size(), 0), taken(m_members.size(), 0);
        for (const std::int32_t type : m_of) ++left[static_cast<std::size_t>(type)];
        std::vector<bool> in(m_of.size(), false);
        for (const int key : keys) in[static_cast<std::size_t>(key)] = true;
        for (std::size_t key = 0; key < m_of.size(); ++key)
            if (in[key]) ++taken[static_cast<std::size_t>(m_of[key])];
        for (std::size_t key = 0; key < m_of.size(); ++key) {
            if (!in[key]) continue;
            const std::int32_t type = m_of[key];
            const auto index = static_cast<std::size_t>(type);
            auto found = inside.find(type);
            if (found == inside.end()) {
                std::int32_t part = type;
                if (taken[index] < left[index]) {
                    part = static_cast<std::int32_t>(m_members.size());
                    m_members.push_back(m_members[index]);
                }
                m_members[static_cast<std::size_t>(part)].push_back(set);
                found = inside.emplace(type, part).first;
            }
            m_of[key] = found->second;
        }
        return set;
    }
    bool has(std::size_t type, int set) const {
        return std::find(m_members[type].begin(), m_members[type].end(), set) != m_members[type].end();
    }

    std::vector<std::int32_t> m_of;                    // class of each key
    std::vector<std::vector<int>> m_members{{}};       // class -> sets that hold it
    std::vector<int> m_groups, m_rests;                // of each factor
    int m_sets = 0;
};

// Which heads (of the list) and queries a factor is about, [heads, query, 1].
at::Tensor selected(const GroupFactor& factor, const std::vector<std::int64_t>& heads, std::int64_t queries,
                    const at::Device& device) {
    std::vector<float> ofHeads(heads.size(), factor.heads.empty() ? 1.0F : 0.0F);
    for (const int head : factor.heads)
        for (std::size_t i = 0; i < heads.size(); ++i)
            if (heads[i] == head) ofHeads[i] = 1;
    std::vector<float> ofQueries(static_cast<std::size_t>(queries), factor.queries.empty() ? 1.0F : 0.0F);
    for (const int query : factor.queries) ofQueries[static_cast<std::size_t>(query)] = 1;
    return kernelInput(ofHeads, device).view({-1, 1, 1}) * kernelInput(ofQueries, device).view({1, -1, 1}) > 0;
}

// 1 for the classes of a set, [1, 1, classes].
template <typename In>
at::Tensor classMask(std::size_t classes, const at::Device& device, In in) {
    std::vector<float> values(classes);
    for (std::size_t type = 0; type < classes; ++type) values[type] = in(type) ? 1.0F : 0.0F;
    return kernelInput(values, device).view({1, 1, -1});
}

// All factors of an edit act on classes of keys: from the mass of every class before the edit follows the factor
// that each class ends up with, [heads, query, classes], just as probabilities.cpp edits single probabilities.
at::Tensor factorsOf(const SiteEdit& edit, const KeyClasses& classes, const std::vector<std::int64_t>& heads,
                     const at::Tensor& masses) {
    const at::Device device = masses.device();
    at::Tensor total = at::ones_like(masses);
    for (std::size_t i = 0; i < edit.factors.size(); ++i) {
        const GroupFactor& factor = edit.factors[i];
        const at::Tensor group =
            classMask(classes.count(), device, [&](std::size_t type) { return classes.inGroup(i, type); });
        const at::Tensor before = masses * total, sumBefore = before.sum({-1}, true);
        const at::Tensor scaled = 1 + group * (factor.factor - 1);
        at::Tensor change = scaled;
        if (factor.rowSum == RowSum::Renormalise) {
            const at::Tensor sum = (before * scaled).sum({-1}, true);
            change = at::where(sum > 0, scaled * (sumBefore / sum), scaled);
        } else if (factor.rowSum == RowSum::Compensate) {
            const at::Tensor rest =
                classMask(classes.count(), device, [&](std::size_t type) { return classes.inRest(i, type); });
            const at::Tensor restMass = (before * rest).sum({-1}, true);
            const at::Tensor wanted = restMass + (before * group).sum({-1}, true) * (1 - factor.factor);
            const at::Tensor restFactor = at::where(restMass > 0, at::clamp_min(wanted, 0) / restMass, 1.0);
            change = scaled * (1 + rest * (restFactor - 1));
            const at::Tensor sum = (before * change).sum({-1}, true);
            change = at::where((wanted < 0).logical_and(sum > 0), change * (sumBefore / sum), change);
            change = at::where(restMass > 0, change, 1.0);  // as probabilities.cpp has it
        }
        total = at::where(selected(factor, heads, masses.size(1), device), total * change, total);
    }
    return total.contiguous();
}

bool needsMasses(const SiteEdit& edit) {
    return std::any_of(edit.factors.begin(), edit.factors.end(),
                       [](const GroupFactor& factor) { return factor.rowSum != RowSum::Free; });
}

at::Tensor outputFor(const AttentionCall& call, std::int64_t heads) {
    return at::empty({1, heads, call.query.size(2), call.value.size(3)}, call.query.options());
}

void setOutput(fv_forward_request& request, const at::Tensor& out) {
    request.struct_size = sizeof request;
    request.out = {out.mutable_data_ptr(), 0, out.stride(1)};
    request.out_stride_t = out.stride(2);
}

// The call of a temperature: softmax(logits / T).
AttentionCall tempered(const AttentionCall& call, double temperature) {
    AttentionCall out = call;
    out.scale /= temperature;
    if (out.bias.defined()) out.bias = out.bias.to(at::kFloat) / temperature;
    return out;
}

// Heads of one temperature.
at::Tensor editedTogether(const AttentionCall& call, const SiteEdit& edit, const std::vector<std::int64_t>& heads,
                          std::string& declined) {
    const KernelPart part{heads, 0, call.query.size(2)};
    const at::Device device = call.query.device();
    const auto count = static_cast<std::int64_t>(heads.size());
    KernelProblem problem(call, part);
    problem.giveValues(call, part);
    const at::Tensor out = outputFor(call, count);
    fv_forward_request request{};
    setOutput(request, out);
    at::Tensor ofKeys, factors;
    if (!edit.factors.empty()) {
        const KeyClasses classes(edit, call.key.size(2));
        if (classes.count() > groupLimit) {
            declined = fmt::format("{} classes of keys, the kernel takes {}", classes.count(), groupLimit);
            return {};
        }
        const auto groups = static_cast<std::int64_t>(classes.count());
        const at::TensorOptions options = at::TensorOptions(at::kFloat).device(device);
        ofKeys = kernelInput(classes.ofKeys(), device);
        request.key_group = ofKeys.const_data_ptr<std::int32_t>();
        request.groups = groups;
        at::Tensor masses = at::ones({count, part.queryEnd, groups}, options);
        if (needsMasses(edit)) {
            fv_stats_request statistics{};
            statistics.struct_size = sizeof statistics;
            statistics.key_group = request.key_group;
            statistics.groups = groups;
            statistics.group_mass = {masses.mutable_data_ptr(), 0, masses.stride(0)};
            if (!runKernel(problem.problem(), statistics, device, declined)) return {};
        }
        factors = factorsOf(edit, classes, heads, masses);
        request.edit = FV_EDIT_SCALE;
        request.factor = factors.const_data_ptr<float>();
        request.factor_stride_h = factors.stride(0);
        request.factor_stride_q = factors.stride(1);
        request.factor_stride_g = factors.stride(2);
    }
    return runKernel(problem.problem(), request, device, declined) ? out : at::Tensor();
}

std::string kernelDeclines(const AttentionCall& call) {
    if (call.value.scalar_type() != call.query.scalar_type()) return "values differ in type";
    if (call.value.size(3) > 256) return "a value size over 256";
    if (at::GradMode::is_enabled() &&
        (call.query.requires_grad() || call.key.requires_grad() || call.value.requires_grad() ||
         (call.bias.defined() && call.bias.requires_grad())))
        return "has no gradient";
    return kernelsDecline(call);
}

}  // namespace

std::string kernelForwardDeclines(const AttentionCall& call) { return kernelDeclines(call); }

RouteOutput runKernelForward(const AttentionCall& call) {
    const KernelPart part = wholeCall(call);
    KernelProblem problem(call, part);
    problem.giveValues(call, part);
    const at::Tensor out = outputFor(call, call.query.size(1));
    const at::Tensor lse = at::empty({1, call.query.size(1), call.query.size(2)},
                                     at::TensorOptions(at::kFloat).device(call.query.device()));
    fv_forward_request request{};
    setOutput(request, out);
    request.lse = {lse.mutable_data_ptr(), 0, lse.stride(1)};
    std::string declined;
    if (!runKernel(problem.problem(), request, problem.device(), declined))
        throw Error("the forward kernel refused a call: " + declined, {}, ErrorCode::Internal);
    return {out, lse};
}

at::Tensor editedHeads(const AttentionCall& call, const SiteEdit& edit, const std::vector<std::int64_t>& heads,
                       std::string& declined) {
    declined = kernelDeclines(call);
    if (!declined.empty()) return {};
    const bool tempers = std::any_of(edit.temperature.begin(), edit.temperature.end(),
                                     [](double temperature) { return temperature != 1; });
    if (tempers && call.softcap > 0) {
        declined = "a temperature on capped logits";
        return {};
    }
    const at::NoGradGuard noGrad;
    std::map<double, std::vector<std::int64_t>> byTemperature;
    for (const std::int64_t head : heads)
        byTemperature[edit.temperature.empty() ? 1 : edit.temperature[static_cast<std::size_t>(head)]].push_back(
            head);
    std::map<std::int64_t, at::Tensor> outputs;  // of each head
    for (const auto& [temperature, together] : byTemperature) {
        const at::Tensor out =
            editedTogether(temperature == 1 ? call : tempered(call, temperature), edit, together, declined);
        if (!out.defined()) return {};
        if (byTemperature.size() == 1) return out;
        for (std::size_t i = 0; i < together.size(); ++i)
            outputs[together[i]] = out.narrow(1, static_cast<std::int64_t>(i), 1);
    }
    std::vector<at::Tensor> parts;
    for (const std::int64_t head : heads) parts.push_back(outputs.at(head));
    return at::cat(parts, 1);
}

}  // namespace fovea
