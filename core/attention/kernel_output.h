#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "attention/kernel_call.h"

namespace fovea {

/// Where an output of a kernel goes: straight into host memory on the CPU, through device memory on CUDA. T is
/// float or std::int32_t.
template <typename T>
class KernelOutput {
public:
    /// `perHead` values of each head, `stride` apart in host memory.
    KernelOutput(T* host, std::int64_t heads, std::int64_t perHead, std::int64_t stride, const at::Device& device)
        : m_host(host), m_heads(heads), m_perHead(perHead), m_stride(stride) {
        if (!device.is_cpu()) m_device = at::empty({heads, perHead}, options().device(device));
    }
    KernelOutput(T* host, std::int64_t heads, std::int64_t perHead, const at::Device& device)
        : KernelOutput(host, heads, perHead, perHead, device) {}

    fv_output output() const {
        if (!m_device.defined()) return {m_host, 0, m_stride};
        return {m_device.mutable_data_ptr(), 0, m_perHead};
    }
    /// Brings the values to the host, after the kernel was queued.
    void fetch() const {
        if (m_device.defined())
            at::from_blob(m_host, {m_heads, m_perHead}, {m_stride, 1}, options()).copy_(m_device);
    }

private:
    static at::TensorOptions options() {
        return at::TensorOptions(std::is_same_v<T, float> ? at::kFloat : at::kInt);
    }

    T* m_host;
    std::int64_t m_heads, m_perHead, m_stride;
    at::Tensor m_device;
};

/// A list as the kernels read it on a device.
template <typename T>
at::Tensor kernelInput(const std::vector<T>& values, const at::Device& device) {
    return at::tensor(values, std::is_same_v<T, float> ? at::kFloat : at::kInt).to(device);
}

/// Runs `body(part)` for chunks of the part's heads so that `bytes(part)` stays under the cap of scratch; all at
/// once where that fits, whole groups where several fit. Stops at the first false.
template <typename Bytes, typename Body>
bool inHeadChunks(const KernelPart& whole, std::int64_t group, Bytes bytes, Body body) {
    const auto taken = [&whole](std::size_t begin, std::size_t count) {
        KernelPart part = whole;
        part.heads.assign(whole.heads.begin() + static_cast<std::ptrdiff_t>(begin),
                          whole.heads.begin() + static_cast<std::ptrdiff_t>(std::min(begin + count, whole.heads.size())));
        return part;
    };
    std::size_t count = whole.heads.size();
    const auto groupSize = static_cast<std::size_t>(group);
    while (count > 1 && bytes(taken(0, count)) > kernelScratchCap) {
        count = (count + 1) / 2;
        if (count > groupSize) count -= count % groupSize;
    }
    for (std::size_t begin = 0; begin < whole.heads.size(); begin += count)
        if (!body(taken(begin, count))) return false;
    return true;
}

}  // namespace fovea
