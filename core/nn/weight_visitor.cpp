#include "nn/weight_visitor.h"

#include <algorithm>

namespace fovea {

void WeightVisitor::linear(Linear& slot, const std::string& path, std::int64_t out, std::int64_t in,
                           Bias bias) {
    slot.name = path;
    tensor(slot.weight, path + ".weight", {out, in});
    if (bias == Bias::Required) tensor(slot.bias, path + ".bias", {out});
}

void WeightVisitor::norm(LayerNorm& slot, const std::string& path, std::int64_t size) {
    tensor(slot.weight, path + ".weight", {size});
    tensor(slot.bias, path + ".bias", {size});
}

void WeightVisitor::fusedQkv(Linear& query, Linear& key, Linear& value, const FusedNames& names,
                             std::int64_t out, std::int64_t in, Bias bias) {
    at::Tensor weight;
    at::Tensor biases;
    tensor(weight, names.weight, {3 * out, in});
    if (bias == Bias::Required) tensor(biases, names.bias, {3 * out});
    std::int64_t row = 0;
    for (const auto& [part, suffix] :
         {std::pair{&query, ".q"}, std::pair{&key, ".k"}, std::pair{&value, ".v"}}) {
        part->name = names.path + suffix;
        if (weight.defined()) part->weight = weight.narrow(0, row, out);
        if (biases.defined()) part->bias = biases.narrow(0, row, out);
        row += out;
    }
}

void WeightCollector::tensor(at::Tensor&, const std::string& name, std::vector<std::int64_t> shape,
                             Need need) {
    plan.specs.push_back({name, std::move(shape), need == Need::Optional});
}

void WeightFiller::tensor(at::Tensor& slot, const std::string& name, std::vector<std::int64_t>, Need) {
    m_job.progress(static_cast<double>(m_done++) / static_cast<double>(std::max<std::size_t>(m_tensors, 1)),
                   name);
    slot = m_weights.get(name, m_dtype);
    if (!slot.defined()) return;
    if (slot.device() != m_device) slot = slot.to(m_device);
    m_bytes += static_cast<std::uint64_t>(slot.nbytes());
}

}  // namespace fovea
