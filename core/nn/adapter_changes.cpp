// What the tensors of an adapter's modules do to the matrices of a model.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "fovea/error.h"
#include "nn/adapter_loader.h"

namespace fovea {
namespace {

std::string sizesText(at::IntArrayRef sizes) { return fmt::format("[{}]", fmt::join(sizes, ", ")); }

at::Tensor placed(const at::Tensor& stored, const at::Tensor& base) {
    return stored.to(base.options()).contiguous();
}

/// DoRA: the trained magnitudes over the norms of the adapted rows (axis 1) or columns (axis 0), less 1.
at::Tensor gainOf(const at::Tensor& magnitude, const at::Tensor& adapted, std::int64_t axis) {
    const at::Tensor norm = at::linalg_vector_norm(adapted, 2, at::IntArrayRef{axis});
    return magnitude.to(norm.scalar_type()) / norm - 1;
}

at::ScalarType exactTypeOf(const at::Tensor& base) {
    return base.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

}  // namespace

void AdapterSet::Loader::failShape(const Parts& parts, const char* what, const std::string& expected,
                                   const at::Tensor& found) const {
    throw Error(fmt::format("{}: {} of {:.200}: expected {}, found {}", m_source, what, parts.path(), expected,
                            sizesText(found.sizes())),
                "The adapter was trained on another model, or the file is damaged.");
}

void AdapterSet::Loader::checkRank(const Parts& parts, const at::Tensor& down, const char* name) {
    const std::int64_t rank = m_config.rankOf(parts.path());
    if (down.size(0) != rank) failShape(parts, name, fmt::format("[{}, in]", rank), down);
    m_largestRank = std::max(m_largestRank, rank);
}

void AdapterSet::Loader::checkParts(const Parts& parts, const StoredMatrix& matrix) {
    const at::Tensor table = parts.get(AdapterPart::EmbeddingDown);
    const at::Tensor down = table.defined() ? table : parts.get(AdapterPart::Down);
    const at::Tensor magnitude = parts.get(AdapterPart::Magnitude), upBias = parts.get(AdapterPart::UpBias);
    const auto agree = [&](bool said, const at::Tensor& found, const char* name, const char* key) {
        if (said != found.defined())
            fail(parts, fmt::format("expected {}{} as {} says, found {}", said ? "" : "no ", name, key,
                                    found.defined() ? "one" : "none"),
                 fmt::format("Correct {} in adapter_config.json, or save the adapter again.", key));
    };
    if (down.defined()) {
        checkRank(parts, down, table.defined() ? "lora_embedding_A" : "lora_A");
        agree(m_config.decomposed, magnitude, "lora_magnitude_vector", "use_dora");
        if (!table.defined()) agree(m_config.upBias, upBias, "lora_B.bias", "lora_bias");
        if (m_config.decomposed && upBias.defined())
            fail(parts, "expected no lora_B.bias beside use_dora, found one", "Save the adapter again: peft adds one or the other.");
        std::vector<std::int64_t> kernel = matrix.kernel.empty() ? std::vector{matrix.outputs(), matrix.inputs()} : matrix.kernel;
        kernel.front() = down.size(0);
        if (!table.defined() && down.sizes() != kernel) failShape(parts, "lora_A", sizesText(kernel), down);
    } else if (magnitude.defined() || upBias.defined()) {
        fail(parts, "expected lora_A and lora_B, found neither", "The file is damaged: fetch the adapter again.");
    }
    const std::int64_t scaled = table.defined() ? matrix.inputs() : matrix.outputs();
    for (const auto& [part, what, count] : {std::tuple{AdapterPart::Magnitude, "lora_magnitude_vector", scaled},
                                            std::tuple{AdapterPart::UpBias, "lora_B.bias", matrix.outputs()},
                                            std::tuple{AdapterPart::Bias, "bias", matrix.outputs()}}) {
        const at::Tensor vector = parts.get(part);
        if (vector.defined() && vector.numel() != count) failShape(parts, what, fmt::format("[{}]", count), vector);
    }
}

at::Tensor AdapterSet::Loader::weightOf(const Parts& parts, const StoredMatrix& matrix) const {
    const at::Tensor weight = parts.get(AdapterPart::Weight);
    if (!weight.defined()) return weight;
    const bool turned = matrix.layout == StoredMatrix::Layout::Columns;
    std::vector<std::int64_t> shape = matrix.kernel;
    if (shape.empty()) shape = {matrix.outputs(), matrix.inputs()};
    if (turned) std::reverse(shape.begin(), shape.end());
    if (weight.sizes() != shape) failShape(parts, "weight", sizesText(shape), weight);
    return turned ? weight.t() : weight.reshape({matrix.outputs(), -1});
}

void AdapterSet::Loader::addChange(const Parts& parts, const StoredMatrix& matrix, const StoredMatrix::Use& use) {
    const at::NoGradGuard noGradients;
    const at::Tensor& base = use.linear.weight;
    const auto rows = [&](const at::Tensor& stored) {
        return stored.defined() ? placed(stored.narrow(0, use.row, base.size(0)), base) : stored;
    };
    const auto vector = [&](AdapterPart part) {
        const at::Tensor stored = parts.get(part);
        return rows(stored.defined() ? stored.reshape({-1}) : stored);
    };
    Change change;
    change.weight = rows(weightOf(parts, matrix));
    change.bias = vector(AdapterPart::Bias);
    if (change.bias.defined() && !use.linear.bias.defined() && !change.weight.defined())
        fail(parts, "expected no bias, as the model has none, found one",
             "Open the adapter with the model that it was trained on.");
    if (const at::Tensor down = parts.get(AdapterPart::Down); down.defined()) {
        change.scaling = m_config.scaling(parts.path(), down.size(0));
        change.down = placed(down.reshape({down.size(0), -1}), base);
        change.up = rows(parts.get(AdapterPart::Up).reshape({-1, down.size(0)}));
        change.upBias = vector(AdapterPart::UpBias);
    }
    if (const at::Tensor magnitude = vector(AdapterPart::Magnitude); magnitude.defined()) {
        const at::ScalarType exact = exactTypeOf(base);
        const at::Tensor adapted = (change.weight.defined() ? change.weight : base).to(exact) +
                                   at::matmul(change.up.to(exact), change.down.to(exact)) * change.scaling;
        change.gain = gainOf(magnitude, adapted, 1).to(base.scalar_type());
    }
    keep(m_set.m_changes, use.linear.name, std::move(change));
}

void AdapterSet::Loader::addEmbedding(const Parts& parts, const StoredMatrix& matrix) {
    const at::NoGradGuard noGradients;
    const at::Tensor down = parts.get(AdapterPart::EmbeddingDown), magnitude = parts.get(AdapterPart::Magnitude);
    const at::Tensor& base = matrix.uses.front().linear.weight;
    Change change;
    change.scaling = m_config.scaling(parts.path(), down.size(0));
    change.down = placed(down.t(), base);
    change.up = placed(parts.get(AdapterPart::EmbeddingUp), base);
    if (const at::Tensor weight = weightOf(parts, matrix); weight.defined()) change.weight = placed(weight, base);
    if (magnitude.defined()) {
        const at::ScalarType exact = exactTypeOf(base);
        const at::Tensor adapted = (change.weight.defined() ? change.weight : base).to(exact) +
                                   at::matmul(change.down.to(exact), change.up.to(exact).t()) * change.scaling;
        change.gain = placed(gainOf(magnitude.reshape({-1}).to(base.device()), adapted, 0), base);
    }
    keep(m_set.m_embeddings, matrix.uses.front().linear.name, std::move(change));
}

void AdapterSet::Loader::addTokens(const Parts& parts, const StoredMatrix& matrix) {
    if (matrix.uses.size() > 1)
        fail(parts, "expected a table of tokens, found a matrix that several projections are stored in",
             "Name the model's table of embeddings in trainable_token_indices.");
    std::vector<std::int64_t> tokens = m_config.tokensOf(parts.path());
    const at::Tensor rows = parts.get(AdapterPart::TokenRows);
    const auto count = static_cast<std::int64_t>(tokens.size());
    if (count == 0 || rows.sizes() != at::IntArrayRef{count, matrix.inputs()})
        failShape(parts, "trainable_tokens_delta", fmt::format("[{}, {}]", count, matrix.inputs()), rows);
    std::vector<std::int64_t> order(tokens.size());
    std::iota(order.begin(), order.end(), 0);
    const auto token = [&](std::int64_t place) { return tokens[static_cast<std::size_t>(place)]; };
    std::sort(order.begin(), order.end(), [&](auto a, auto b) { return token(a) < token(b); });
    std::sort(tokens.begin(), tokens.end());
    if (tokens.back() >= matrix.outputs() || std::adjacent_find(tokens.begin(), tokens.end()) != tokens.end())
        fail(parts, fmt::format("expected different tokens below {} in trainable_token_indices, found others", matrix.outputs()),
             "Open the model with the vocabulary that the adapter was trained with.");
    const at::Tensor& base = matrix.uses.front().linear.weight;
    Change change;
    change.tokens = at::tensor(tokens, at::kLong).to(base.device());
    change.rows = placed(rows.index_select(0, at::tensor(order, at::kLong)), base);
    // Of matrices that are one, which the decoder's table comes first of, the others follow unless they have rows of
    // their own.
    const auto isSame = [&](const StoredMatrix& other) { return other.uses.front().linear.weight.is_same(base); };
    const auto first = std::find_if(m_matrices.begin(), m_matrices.end(), isSame);
    for (const StoredMatrix& other : m_matrices) {
        const std::string& name = other.uses.front().linear.name;
        const auto known = m_set.m_changes.find(name);
        const bool hasOwn = known != m_set.m_changes.end() && known->second.back().adapter == m_adapter &&
                            known->second.back().tokens.defined();
        const bool follows = &*first == &matrix && isSame(other) && !hasOwn;
        if (&other == &matrix || follows) keep(m_set.m_changes, name, change);
    }
}

void AdapterSet::Loader::keep(std::unordered_map<std::string, std::vector<Change>>& changes, const std::string& name,
                              Change change) {
    change.adapter = m_adapter;
    for (const at::Tensor* part : {&change.down, &change.up, &change.upBias, &change.gain, &change.weight, &change.bias,
                                   &change.tokens, &change.rows})
        if (part->defined()) m_set.m_bytes += static_cast<std::uint64_t>(part->nbytes());
    changes[name].push_back(std::move(change));
}

}  // namespace fovea
