#include "attention/kernel_statistics.h"

#include <algorithm>

#include "attention/kernel_output.h"
#include "attention/segment_statistics.h"

namespace fovea {
namespace {

// Rows that see fewer than k keys go on with the first keys that they do not see, at probability 0, as a sort
// would.
void fillIndices(const std::vector<std::int32_t>& found, std::int64_t k, Array& out) {
    for (std::size_t row = 0; row * static_cast<std::size_t>(k) < found.size(); ++row) {
        const std::int32_t* begin = found.data() + row * static_cast<std::size_t>(k);
        float* to = out.values.data() + row * static_cast<std::size_t>(k);
        std::int32_t next = 0;
        for (std::int64_t i = 0; i < k; ++i) {
            if (begin[i] < 0)
                while (std::find(begin, begin + i, next) != begin + i) ++next;
            to[i] = static_cast<float>(begin[i] < 0 ? next++ : begin[i]);
        }
    }
}

// Statistics in the order of a problem become those of the call.
void putInOrder(const AttentionSegments& segments, SiteStatistics& out, std::vector<std::int32_t>& topk) {
    if (segments.inOrder()) return;
    const SegmentOrder order(segments);
    const std::int64_t heads = out.colsum.size(0);
    for (Array* array : {&out.colsum, &out.colmax, &out.entropy, &out.rowmax, &out.topkValue})
        order.place(array->values, heads);
    for (std::int32_t& token : topk) token = order.tokenAt(token);
    order.place(topk, heads);
}

// The outputs of some successive heads.
struct Outputs {
    Outputs(SiteStatistics& out, std::vector<std::int32_t>& topk, std::int64_t head, std::int64_t heads,
            const at::Device& device)
        : colsum(of(out.colsum, head, heads, device)), colmax(of(out.colmax, head, heads, device)),
          entropy(of(out.entropy, head, heads, device)), rowmax(of(out.rowmax, head, heads, device)),
          topkValue(of(out.topkValue, head, heads, device)), pooled(of(out.pooled, head, heads, device)),
          topkIndex(topk.data() + head * size(out.topkIndex), heads, size(out.topkIndex), device) {}

    void ask(fv_stats_request& request) const {
        request.col_sum = colsum.output();
        request.col_max = colmax.output();
        request.row_entropy = entropy.output();
        request.row_max = rowmax.output();
        request.topk_value = topkValue.output();
        request.topk_index = topkIndex.output();
        request.pooled_mean = pooled.output();
    }
    void fetch() const {
        for (const KernelOutput<float>* one : {&colsum, &colmax, &entropy, &rowmax, &topkValue, &pooled})
            one->fetch();
        topkIndex.fetch();
    }

private:
    static std::int64_t size(const Array& array) {
        return static_cast<std::int64_t>(array.values.size()) / array.shape[0];
    }
    static KernelOutput<float> of(Array& array, std::int64_t head, std::int64_t heads, const at::Device& device) {
        return {array.values.data() + head * size(array), heads, size(array), device};
    }

    KernelOutput<float> colsum, colmax, entropy, rowmax, topkValue, pooled;
    KernelOutput<std::int32_t> topkIndex;
};

// What a request of the part's shape takes; its outputs are never touched.
std::uint64_t scratchOf(const AttentionCall& call, const KernelPart& part, const SiteStatistics& out,
                        const StatisticsOptions& options) {
    static float nothing[2];
    const fv_output some{nothing, 0, 1};
    fv_stats_request request{};
    request.struct_size = sizeof request;
    request.col_sum = request.col_max = request.row_entropy = request.row_max = request.pooled_mean = some;
    request.topk_value = request.topk_index = some;
    request.topk = out.topkIndex.shape[2];
    request.block = options.pooledBlock;
    return kernelScratch(KernelProblem(call, part).problem(), request, call.query.device());
}

}  // namespace

std::optional<SiteStatistics> kernelStatistics(const SiteRecord& record, const StatisticsOptions& options,
                                               std::string& declined) {
    const AttentionCall& call = record.call;
    if (options.pooledBlock < 8 || options.pooledBlock > 512) {
        declined = "a pooled block outside 8 to 512";
        return std::nullopt;
    }
    const at::Device device = call.query.device();
    SiteStatistics out = emptyStatistics(record, call.query.size(1), options);
    const std::int64_t k = out.topkIndex.shape[2];
    std::vector<std::int32_t> topk(out.topkIndex.values.size());
    // On CUDA the log-sum-exp also tells whether the logits are finite.
    const at::Tensor lse =
        record.kernelLse(device.is_cpu() ? SiteRecord::Lookup::None : SiteRecord::Lookup::Compute);
    if (!lse.defined() && !device.is_cpu()) {
        declined = "logits that are not finite";
        return std::nullopt;
    }
    std::int64_t head = 0;
    const bool done = inHeadChunks(
        wholeCall(call), call.query.size(1) / call.key.size(1),
        [&](const KernelPart& part) { return scratchOf(call, part, out, options); },
        [&](const KernelPart& part) {
            KernelProblem problem(call, part);
            if (lse.defined()) problem.giveLse(lse, part);
            const auto heads = static_cast<std::int64_t>(part.heads.size());
            const Outputs outputs(out, topk, head, heads, device);
            fv_stats_request request{};
            request.struct_size = sizeof request;
            request.topk = k;
            request.block = options.pooledBlock;
            outputs.ask(request);
            if (!runKernel(problem.problem(), request, device, declined)) return false;
            outputs.fetch();
            head += heads;
            return true;
        });
    if (!done) return std::nullopt;
    if (call.segments) {
        putInOrder(*call.segments, out, topk);
        if (!call.segments->inOrder() && !poolWithinSegments(record, lse, options, out, declined)) return std::nullopt;
    }
    fillIndices(topk, k, out.topkIndex);
    out.route = kernelRoute(device);
    return out;
}

std::string kernelRoute(const at::Device& device) {
    return device.is_cpu() ? "kernel" : "kernel on " + device.str();
}

}  // namespace fovea
