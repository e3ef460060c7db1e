#include "fovea/reference_check.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "attention/trace_impl.h"
#include "attention/visibility.h"
#include "fovea/error.h"
#include "fovea/kernels/kernels.h"

namespace fovea {
namespace {

at::Tensor wide(const at::Tensor& tensor) { return tensor.to(at::kCPU, at::kDouble).contiguous(); }

// What the loops make of one head.
struct HeadReference {
    std::vector<double> probs, lse;
};

HeadReference referenceOf(const AttentionCall& call, std::int64_t head) {
    const std::int64_t queries = call.query.size(2), keys = call.key.size(2);
    const std::int64_t group = call.query.size(1) / call.key.size(1);
    const at::Tensor q = wide(call.query[0][head]), k = wide(call.key[0][head / group]);
    at::Tensor bias;
    if (call.bias.defined()) {
        bias = biasOfRankFour(call);
        bias = wide(bias[0][bias.size(1) > 1 ? head : 0].expand({queries, keys}));
    }
    double scale = call.scale;
    if (call.softcap > 0) {
        // The loops cap nothing: capped logits go in as the bias of queries that count for nothing.
        const at::Tensor plain = at::matmul(q, k.t()) * scale;
        const at::Tensor capped = at::tanh(plain / call.softcap) * call.softcap;
        bias = bias.defined() ? (capped + bias).contiguous() : capped;
        scale = 0;
    }
    if (call.causal && (call.windowLeft >= 0 || call.prefix > 0)) {
        // The loops know causal masks only.
        const at::Tensor hidden = hiddenKeys(call, {0, queries, 0, keys}).to(at::kCPU);
        bias = (bias.defined() ? bias : at::zeros({queries, keys}, q.options()))
                   .masked_fill(hidden, -std::numeric_limits<double>::infinity());
    }
    if (call.segments) {
        const at::Tensor& segment = call.segments->segmentOf();
        bias = at::zeros({queries, keys}, at::kDouble)
                   .masked_fill(segment.unsqueeze(1).ne(segment.unsqueeze(0)).to(at::kCPU),
                                -std::numeric_limits<double>::infinity());
    }
    HeadReference out{std::vector<double>(static_cast<std::size_t>(queries * keys)),
                      std::vector<double>(static_cast<std::size_t>(queries))};
    fv_reference_problem problem{};
    problem.query = q.const_data_ptr<double>();
    problem.key = k.const_data_ptr<double>();
    problem.bias = bias.defined() ? bias.const_data_ptr<double>() : nullptr;
    problem.heads = problem.kv_heads = 1;
    problem.tq = queries;
    problem.tk = keys;
    problem.d = q.size(1);
    problem.scale = scale;
    problem.causal = call.causal && call.prefix == 0 ? 1 : 0;
    problem.q_offset = call.queryOffset;
    fv_reference_result result{};
    result.probs = out.probs.data();
    result.lse = out.lse.data();
    if (const fv_status status = fv_reference_attention(&problem, &result); status != FV_OK)
        throw Error(std::string("the float64 reference failed: ") + fv_status_text(status), {},
                    ErrorCode::Internal);
    return out;
}

// Largest absolute difference; values that are infinite alike agree.
double largest(const at::Tensor& values, const std::vector<double>& reference, bool& finite) {
    const at::Tensor plain = wide(values);
    const double* value = plain.const_data_ptr<double>();
    double worst = 0;
    for (std::size_t i = 0; i < reference.size(); ++i) {
        if (value[i] == reference[i]) continue;
        const double apart = std::abs(value[i] - reference[i]);
        finite = finite && std::isfinite(apart);
        worst = std::max(worst, apart);
    }
    return worst;
}

// Worst difference and largest magnitude of P V.
struct OutputCheck {
    double apart = 0, magnitude = 0;

    void add(const HeadReference& reference, const at::Tensor& values, const at::Tensor& output,
             bool& finite) {
        const at::Tensor v = wide(values), o = wide(output);
        const std::int64_t keys = v.size(0), width = v.size(1), queries = o.size(0);
        const double *from = v.const_data_ptr<double>(), *found = o.const_data_ptr<double>();
        std::vector<double> row(static_cast<std::size_t>(width));
        for (std::int64_t query = 0; query < queries; ++query) {
            std::fill(row.begin(), row.end(), 0.0);
            for (std::int64_t key = 0; key < keys; ++key) {
                const double p = reference.probs[static_cast<std::size_t>(query * keys + key)];
                for (std::int64_t d = 0; d < width; ++d)
                    row[static_cast<std::size_t>(d)] += p * from[key * width + d];
            }
            for (std::int64_t d = 0; d < width; ++d) {
                const double difference =
                    std::abs(found[query * width + d] - row[static_cast<std::size_t>(d)]);
                finite = finite && std::isfinite(difference);
                apart = std::max(apart, difference);
                magnitude = std::max(magnitude, std::abs(row[static_cast<std::size_t>(d)]));
            }
        }
    }
};

}  // namespace

ReferenceCheck checkAgainstReference(const AttentionTrace& trace, int site, const JobContext& job) {
    const at::NoGradGuard noGrad;
    const SiteRecord& record = trace.impl()->record(site);
    const AttentionCall& call = record.call;
    const std::string address = trace.spec().sites[static_cast<std::size_t>(site)].address();
    if (!record.hasLogits())
        throw Error(address + ": the float64 reference needs Q, K and their bias", "record them with --keep qkv",
                    ErrorCode::Usage);
    const bool outputs = record.headOutput.defined() && call.value.defined() && !record.edit;
    const std::int64_t heads = call.query.size(1), group = heads / call.key.size(1);
    ReferenceCheck check;
    OutputCheck output;
    for (std::int64_t head = 0; head < heads; ++head) {
        job.progress(static_cast<double>(head) / static_cast<double>(heads), address);
        const HeadReference reference = referenceOf(call, head);
        const RowBlock block{head, head + 1, 0, call.query.size(2)};
        const at::Tensor probs = recordedProbabilities(*trace.impl()->op, record, block, Weights::Base);
        check.probabilities = std::max(check.probabilities, largest(probs[0], reference.probs, check.finite));
        if (record.lse.defined())
            check.logSumExp =
                std::max(check.logSumExp, largest(record.lse[0][head], reference.lse, check.finite));
        if (outputs)
            output.add(reference, call.value[0][head / group], record.headOutput[0][head], check.finite);
    }
    if (outputs) check.output = output.magnitude > 0 ? output.apart / output.magnitude : output.apart;
    return check;
}

}  // namespace fovea
