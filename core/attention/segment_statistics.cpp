#include "attention/segment_statistics.h"

#include <algorithm>

#include "attention/kernel_output.h"

namespace fovea {
namespace {

constexpr std::int64_t mostGroups = 32;

// Sums of blocks of queries x keys of one head, and the blocks' sizes.
class BlockSums {
public:
    BlockSums(const SiteStatistics& out, std::int64_t tokens)
        : m_block(out.pooledBlock), m_blocks(out.pooled.shape[1]), m_tokens(tokens),
          m_sums(static_cast<std::size_t>(m_blocks * m_blocks)) {}

    double& at(std::int64_t query, std::int64_t keyBlock) {
        return m_sums[static_cast<std::size_t>(query / m_block * m_blocks + keyBlock)];
    }
    void writeMeans(float* out) const {
        for (std::int64_t row = 0; row < m_blocks; ++row)
            for (std::int64_t column = 0; column < m_blocks; ++column)
                out[row * m_blocks + column] =
                    static_cast<float>(m_sums[static_cast<std::size_t>(row * m_blocks + column)] /
                                       static_cast<double>(sizeOf(row) * sizeOf(column)));
    }

private:
    std::int64_t sizeOf(std::int64_t block) const { return std::min(m_block, m_tokens - block * m_block); }

    std::int64_t m_block, m_blocks, m_tokens;
    std::vector<double> m_sums;
};

// Groups of keys for the blocks [first, first + groups), in the order of the problem.
std::vector<std::int32_t> groupsOf(const SegmentOrder& order, std::int64_t block, std::int64_t first,
                                   std::int64_t groups) {
    std::vector<std::int32_t> list(static_cast<std::size_t>(order.tokens()));
    for (std::size_t i = 0; i < list.size(); ++i) {
        const std::int64_t group = order.tokenAt(static_cast<std::int32_t>(i)) / block - first;
        list[i] = group >= 0 && group < groups ? static_cast<std::int32_t>(group) : -1;
    }
    return list;
}

}  // namespace

SegmentOrder::SegmentOrder(const AttentionSegments& segments) {
    const at::Tensor order = segments.order().to(at::kCPU, at::kInt);
    m_order.assign(order.const_data_ptr<std::int32_t>(), order.const_data_ptr<std::int32_t>() + order.numel());
}

bool poolWithinSegments(const SiteRecord& record, const at::Tensor& lse, const StatisticsOptions& options,
                        SiteStatistics& out, std::string& declined) {
    const AttentionCall& call = record.call;
    const SegmentOrder order(*call.segments);
    const at::Device device = call.query.device();
    const std::int64_t tokens = order.tokens(), blocks = out.pooled.shape[2];
    for (std::int64_t head = 0; head < call.query.size(1); ++head) {
        const KernelPart part{{head}, 0, tokens};
        KernelProblem problem(call, part);
        if (lse.defined()) problem.giveLse(lse, part);
        BlockSums sums(out, tokens);
        for (std::int64_t first = 0; first < blocks; first += mostGroups) {
            const std::int64_t groups = std::min(mostGroups, blocks - first);
            const at::Tensor keyGroup = kernelInput(groupsOf(order, options.pooledBlock, first, groups), device);
            std::vector<float> mass(static_cast<std::size_t>(tokens * groups));
            const KernelOutput<float> target(mass.data(), 1, tokens * groups, device);
            fv_stats_request request{};
            request.struct_size = sizeof request;
            request.key_group = keyGroup.const_data_ptr<std::int32_t>();
            request.groups = groups;
            request.group_mass = target.output();
            if (!runKernel(problem.problem(), request, device, declined)) return false;
            target.fetch();
            for (std::int64_t i = 0; i < tokens * groups; ++i)
                sums.at(order.tokenAt(static_cast<std::int32_t>(i / groups)), first + i % groups) +=
                    static_cast<double>(mass[static_cast<std::size_t>(i)]);
        }
        sums.writeMeans(out.pooled.values.data() + head * blocks * blocks);
    }
    return true;
}

}  // namespace fovea
