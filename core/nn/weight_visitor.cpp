#include "nn/weight_visitor.h"

#include <algorithm>

namespace fovea {

void WeightVisitor::linear(Linear& slot, const std::string& path, std::int64_t out, std::int64_t in,
                           Bias bias) {
    slot.name = path;
    tensor(slot.weight, path + ".weight", {out, in});
    if (bias == Bias::Required) tensor(slot.bias, path + ".bias", {out});
    matrix({path, {{slot, 0}}});
}

void WeightVisitor::transposedLinear(Linear& slot, const std::string& path, std::int64_t out, std::int64_t in,
                                     Bias bias) {
    slot.name = path;
    at::Tensor stored;
    tensor(stored, path + ".weight", {in, out});
    if (stored.defined()) slot.weight = stored.t();
    if (bias == Bias::Required) tensor(slot.bias, path + ".bias", {out});
    matrix({path, {{slot, 0}}, StoredMatrix::Layout::Columns});
}

void WeightVisitor::kernel(Linear& slot, const std::string& path, const std::vector<std::int64_t>& shape, Bias bias) {
    slot.name = path;
    at::Tensor stored;
    tensor(stored, path + ".weight", shape);
    if (bias == Bias::Required) tensor(slot.bias, path + ".bias", {shape.front()});
    if (stored.defined()) slot.weight = stored.reshape({shape.front(), -1});
    matrix({path, {{slot, 0}}, StoredMatrix::Layout::Rows, shape});
}

void WeightVisitor::matrix(const StoredMatrix&) {}

void WeightVisitor::norm(LayerNorm& slot, const std::string& path, std::int64_t size) {
    tensor(slot.weight, path + ".weight", {size});
    tensor(slot.bias, path + ".bias", {size});
}

namespace {

void splitRows(const std::vector<Linear*>& parts, const std::string& path, const at::Tensor& weight,
               const at::Tensor& bias, std::int64_t out) {
    const char* const suffixes[] = {".q", ".k", ".v"};
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::int64_t row = static_cast<std::int64_t>(i) * out;
        parts[i]->name = path + suffixes[i];
        if (weight.defined()) parts[i]->weight = weight.narrow(0, row, out);
        if (bias.defined()) parts[i]->bias = bias.narrow(0, row, out);
    }
}

}  // namespace

void WeightVisitor::fusedQkv(Linear& query, Linear& key, Linear& value, const FusedNames& names,
                             std::int64_t out, std::int64_t in, Bias bias) {
    at::Tensor weight;
    at::Tensor biases;
    tensor(weight, names.weight, {3 * out, in});
    if (bias == Bias::Required) tensor(biases, names.bias, {3 * out});
    splitRows({&query, &key, &value}, names.path, weight, biases, out);
    matrix({names.path, {{query, 0}, {key, out}, {value, 2 * out}}});
}

void WeightVisitor::transposedQkv(Linear& query, Linear& key, Linear& value, const FusedNames& names,
                                  std::int64_t out, std::int64_t in) {
    at::Tensor stored;
    at::Tensor biases;
    tensor(stored, names.weight, {in, 3 * out});
    tensor(biases, names.bias, {3 * out});
    splitRows({&query, &key, &value}, names.path, stored.defined() ? stored.t() : stored, biases, out);
    matrix({names.path, {{query, 0}, {key, out}, {value, 2 * out}}, StoredMatrix::Layout::Columns});
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

void WeightFiller::matrix(const StoredMatrix& stored) {
    // An optional weight that is not there takes no adapter either.
    for (const StoredMatrix::Use& use : stored.uses)
        if (!use.linear.weight.defined()) return;
    m_matrices.push_back(stored);
}

}  // namespace fovea
