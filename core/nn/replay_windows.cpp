#include "nn/replay_windows.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <map>

#include "fovea/error.h"

namespace fovea {
namespace {

constexpr std::int64_t mostCells = std::int64_t{1} << 29;  // 2 GiB in fp32

at::Tensor plainIndex(const at::Tensor& index) { return index.to(at::kLong).contiguous(); }

}  // namespace

bool hasKeysOfItsOwn(const at::Tensor& index) {
    return index.defined() && (index.ne(index.narrow(0, 0, 1)).any().item<bool>() ||
                               index.lt(0).any().item<bool>());
}

std::shared_ptr<const AttentionSegments> segmentsOf(const at::Tensor& index) {
    const at::Tensor plain = plainIndex(index);
    const std::int64_t count = plain.size(0), width = plain.size(1);
    const std::int64_t* values = plain.const_data_ptr<std::int64_t>();
    std::map<std::vector<std::int64_t>, std::vector<std::int64_t>> windows;  // keys -> queries
    for (std::int64_t i = 0; i < count; ++i) {
        std::vector<std::int64_t> keys;
        for (std::int64_t j = 0; j < width; ++j)
            if (values[i * width + j] >= 0) keys.push_back(values[i * width + j]);
        windows[std::move(keys)].push_back(i);
    }
    std::vector<std::int64_t> order, bounds = {0};
    for (const auto& [keys, queries] : windows) {
        if (keys != queries) return nullptr;
        order.insert(order.end(), queries.begin(), queries.end());
        bounds.push_back(static_cast<std::int64_t>(order.size()));
    }
    return std::make_shared<const AttentionSegments>(order, bounds, at::kCPU);
}

at::Tensor spread(const at::Tensor& probs, const at::Tensor& index, std::int64_t tokens) {
    const at::Tensor plain = plainIndex(index);
    if (plain.max().item<std::int64_t>() >= tokens)
        throw Error("index: expected tokens below " + std::to_string(tokens) + ", found " +
                    std::to_string(plain.max().item<std::int64_t>()),
                    "Record the trace again: the file is damaged or of another program.");
    if (probs.size(0) > mostCells / probs.size(1) / tokens)
        throw Error("the windows of the trace do not fit into memory as one map",
                    "record qkv instead of probs: then windows are computed where they are looked at",
                    ErrorCode::Memory);
    const at::Tensor present = plain.ge(0).unsqueeze(0);
    // Padding columns go to a spare column that is cut off again.
    const at::Tensor target = at::where(present, plain.unsqueeze(0), tokens).expand(probs.sizes());
    at::Tensor out = at::zeros({probs.size(0), probs.size(1), tokens + 1}, probs.options());
    return out.scatter(2, target, probs).narrow(2, 0, tokens);
}

}  // namespace fovea
