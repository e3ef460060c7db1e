#include "nn/adapter_set.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "fovea/error.h"
#include "io/adapter_config.h"
#include "io/adapter_names.h"
#include "io/weight_store.h"

namespace fovea {
namespace {

std::optional<at::Tensor> given(const at::Tensor& tensor) {
    return tensor.defined() ? std::optional<at::Tensor>(tensor) : std::nullopt;
}

std::vector<MatrixName> namesOf(const std::vector<StoredMatrix>& matrices) {
    std::vector<MatrixName> names;
    for (const StoredMatrix& matrix : matrices)
        names.push_back({matrix.path, matrix.outputs(), matrix.inputs()});
    return names;
}

std::string shapeText(const at::Tensor& tensor) {
    return fmt::format("[{}]", fmt::join(tensor.sizes(), ", "));
}

}  // namespace

std::int64_t StoredMatrix::outputs() const {
    std::int64_t rows = 0;
    for (const Use& use : uses) rows = std::max(rows, use.row + use.linear.weight.size(0));
    return rows;
}

/// Reads one adapter into a set.
class AdapterSet::Loader {
public:
    Loader(AdapterSet& set, const AdapterChoice& choice, const std::vector<StoredMatrix>& matrices)
        : m_set(set),
          m_matrices(matrices),
          m_files(findAdapter(choice.folder)),
          m_config(AdapterConfig::read(m_files.config)),
          m_store(WeightStore::open(m_files.weights)),
          m_source(m_files.weights.weightFiles.front().string()),
          m_adapter(set.m_strengths.size()),
          m_table(namesOf(matrices)) {
        set.m_strengths.push_back(choice.strength);
    }

    void load() {
        std::vector<std::string> names, unmatched;
        for (const TensorInfo& tensor : m_store->tensors()) names.push_back(tensor.name);
        for (const AdapterModule& module : adapterModules(names, unmatched)) addModule(module, unmatched);
        if (!unmatched.empty()) refuse(std::move(unmatched));
        if (m_taken.empty()) throw Error(m_source + ": expected tensors of an adapter, found none",
                                         "Give the folder that PEFT's save_pretrained wrote.");
        const char* kind = m_config.decomposed ? "DoRA" : m_config.rankStabilised ? "rsLoRA" : "LoRA";
        m_set.m_notices.push_back(fmt::format(
            "adapter {}: {} on {} of {} matrices, rank {}, strength {}", m_files.weights.displayName, kind,
            m_taken.size(), m_matrices.size(), m_largestRank, m_set.m_strengths[m_adapter]));
    }

private:
    at::Tensor tensor(const AdapterModule& module, AdapterPart part) const {
        const auto found = module.parts.find(part);
        return found == module.parts.end() ? at::Tensor() : m_store->get(found->second);
    }

    [[noreturn]] void refuse(std::vector<std::string> names) const {
        std::sort(names.begin(), names.end());
        constexpr std::size_t kShown = 20;
        const std::size_t shown = std::min(names.size(), kShown);
        std::string list = fmt::format(
            "{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
        if (names.size() > shown) list += fmt::format(" and {} more", names.size() - shown);
        throw Error(
            fmt::format(
                "{}: expected tensors of this model's matrices, found {} that belong to none: {:.4000}",
                m_source, names.size(), list),
            "The adapter was trained on another model, or changes parts that adapters cannot change here.");
    }

    [[noreturn]] void failShape(const AdapterModule& module, const char* what, const std::string& expected,
                                const at::Tensor& found) const {
        throw Error(fmt::format("{}: {} of {:.200}: expected {}, found {}", m_source, what, module.path,
                                expected, shapeText(found)),
                    "The adapter was trained on another model, or the file is damaged.");
    }

    void addModule(const AdapterModule& module, std::vector<std::string>& unmatched) {
        if (module.parts.count(AdapterPart::EmbeddingDown) || module.parts.count(AdapterPart::EmbeddingUp))
            return addEmbedding(module, unmatched);
        const at::Tensor down = tensor(module, AdapterPart::Down), up = tensor(module, AdapterPart::Up);
        const at::Tensor weight = tensor(module, AdapterPart::Weight);
        if (down.defined() != up.defined())
            throw Error(fmt::format("{}: {:.200}: expected lora_A and lora_B, found one of them", m_source,
                                    module.path),
                        "The file is damaged: fetch the adapter again.");
        if (down.defined() && (down.dim() != 2 || up.dim() != 2 || down.size(0) != up.size(1))) {
            if (down.dim() == 2 && up.dim() == 2)
                failShape(module, "lora_B", fmt::format("[out, {}]", down.size(0)), up);
            refuseConvolution(module, down);
        }
        if (weight.defined() && weight.dim() > 2) refuseConvolution(module, weight);
        if (weight.defined() && weight.dim() != 2) return markUnmatched(module, unmatched);
        const std::int64_t outputs = up.defined() ? up.size(0) : weight.defined() ? weight.size(0) : -1;
        const std::int64_t inputs = down.defined() ? down.size(1) : weight.defined() ? weight.size(1) : -1;
        const int found = m_table.find(module.path, outputs, inputs, m_source);
        if (found < 0) {
            // The same name in another size says more than a name without a home.
            const int other = m_table.find(module.path, -1, -1, m_source);
            if (other >= 0 && outputs >= 0)
                throw Error(
                    fmt::format("{}: {:.200}: expected a matrix of {} x {}, found one of {} x {}", m_source,
                                module.path, m_table.names()[static_cast<std::size_t>(other)].outputs,
                                m_table.names()[static_cast<std::size_t>(other)].inputs, outputs, inputs),
                    "The adapter was trained on a model of another size.");
            return markUnmatched(module, unmatched);
        }
        const StoredMatrix& matrix = m_matrices[static_cast<std::size_t>(found)];
        if (!m_taken.insert(found).second)
            throw Error(fmt::format("{}: {:.200}: expected one module for the matrix {}, found two", m_source,
                                    module.path, matrix.path),
                        "Save the adapter again: two of its modules change one matrix.");
        addChanges(module, matrix);
    }

    void addEmbedding(const AdapterModule& module, std::vector<std::string>& unmatched) {
        const at::Tensor down = tensor(module, AdapterPart::EmbeddingDown), up = tensor(module, AdapterPart::EmbeddingUp);
        const bool pair = down.defined() && up.defined() && down.dim() == 2 && up.dim() == 2 && down.size(0) == up.size(1);
        const int found = pair ? m_table.find(module.path, down.size(1), up.size(0), m_source) : -1;
        if (found < 0) return markUnmatched(module, unmatched);
        if (m_config.decomposed)
            throw Error(fmt::format("{}: {:.200}: expected no embedding in a DoRA adapter, found lora_embedding_A", m_source,
                                    module.path),
                        "DoRA of embeddings cannot be added here: train it on linear layers alone (target_modules).");
        if (down.size(0) != m_config.rankOf(module.path))
            failShape(module, "lora_embedding_A", fmt::format("[{}, vocabulary]", m_config.rankOf(module.path)), down);
        const StoredMatrix& matrix = m_matrices[static_cast<std::size_t>(found)];
        if (!m_taken.insert(found).second)
            throw Error(fmt::format("{}: {:.200}: expected one module for {}, found two", m_source, module.path, matrix.path));
        m_largestRank = std::max(m_largestRank, down.size(0));
        const at::Tensor& base = matrix.uses.front().linear.weight;
        Change change;
        change.adapter = m_adapter;
        change.scaling = m_config.scaling(module.path, down.size(0));
        change.down = placed(down.t(), base);
        change.up = placed(up, base);
        if (const at::Tensor weight = tensor(module, AdapterPart::Weight); weight.defined()) {
            if (weight.sizes() != base.sizes()) failShape(module, "weight", fmt::format("{}", shapeText(base)), weight);
            change.weight = placed(weight, base);
        }
        m_set.m_bytes += static_cast<std::uint64_t>(change.down.nbytes()) + static_cast<std::uint64_t>(change.up.nbytes());
        m_set.m_embeddings[matrix.uses.front().linear.name].push_back(std::move(change));
    }

    [[noreturn]] void refuseConvolution(const AdapterModule& module, const at::Tensor& kernel) const {
        throw Error(fmt::format("{}: {:.200}: expected an adapter of a matrix, found one of a convolution, {}", m_source,
                                module.path, shapeText(kernel)),
                    "Adapters of convolutions cannot be added here: train one on linear layers alone (target_modules).");
    }

    void markUnmatched(const AdapterModule& module, std::vector<std::string>& unmatched) const {
        for (const auto& [part, index] : module.parts) unmatched.push_back(m_store->tensors()[index].name);
    }

    void addChanges(const AdapterModule& module, const StoredMatrix& matrix) {
        const at::Tensor down = tensor(module, AdapterPart::Down),
                         magnitude = tensor(module, AdapterPart::Magnitude);
        double scaling = 1;
        if (down.defined()) {
            const std::int64_t rank = down.size(0), expected = m_config.rankOf(module.path);
            if (rank != expected) failShape(module, "lora_A", fmt::format("[{}, in]", expected), down);
            m_largestRank = std::max(m_largestRank, rank);
            scaling = m_config.scaling(module.path, rank);
            if (m_config.decomposed != magnitude.defined())
                throw Error(fmt::format(
                    "{}: {:.200}: expected {}lora_magnitude_vector as use_dora says, found {}", m_source,
                    module.path, m_config.decomposed ? "" : "no ", magnitude.defined() ? "one" : "none"),
                            "Correct use_dora in adapter_config.json, or save the adapter again.");
        }
        for (const auto& [part, what] : {std::pair{AdapterPart::Magnitude, "lora_magnitude_vector"},
                                         std::pair{AdapterPart::Bias, "bias"}}) {
            const at::Tensor vector = tensor(module, part);
            if (vector.defined() && vector.numel() != matrix.outputs())
                failShape(module, what, fmt::format("[{}]", matrix.outputs()), vector);
        }
        for (const StoredMatrix::Use& use : matrix.uses) addChange(module, use, scaling);
    }

    void addChange(const AdapterModule& module, const StoredMatrix::Use& use, double scaling) {
        const at::NoGradGuard noGradients;
        const at::Tensor& base = use.linear.weight;
        const auto rows = [&](AdapterPart part, bool isVector) {
            const at::Tensor stored = tensor(module, part);
            if (!stored.defined()) return stored;
            const at::Tensor flat = isVector ? stored.reshape({-1}) : stored;
            return placed(flat.narrow(0, use.row, base.size(0)), base);
        };
        Change change;
        change.adapter = m_adapter;
        change.scaling = scaling;
        if (const at::Tensor down = tensor(module, AdapterPart::Down); down.defined())
            change.down = placed(down, base);
        change.up = rows(AdapterPart::Up, false);
        change.weight = rows(AdapterPart::Weight, false);
        change.bias = rows(AdapterPart::Bias, true);
        if (change.bias.defined() && !use.linear.bias.defined() && !change.weight.defined())
            throw Error(fmt::format("{}: {:.200}: expected no bias, as the model has none, found one",
                                    m_source, module.path),
                        "Open the adapter with the model that it was trained on.");
        if (const at::Tensor magnitude = rows(AdapterPart::Magnitude, true); magnitude.defined()) {
            const at::ScalarType exact = base.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
            const at::Tensor adapted =
                (change.weight.defined() ? change.weight : base).to(exact) + at::matmul(change.up.to(exact), change.down.to(exact)) * scaling;
            const at::Tensor norm = at::linalg_vector_norm(adapted, 2, at::IntArrayRef{1});
            change.gain = (magnitude.to(exact) / norm - 1).to(base.scalar_type());
        }
        for (const at::Tensor* part : {&change.down, &change.up, &change.gain, &change.weight, &change.bias})
            if (part->defined()) m_set.m_bytes += static_cast<std::uint64_t>(part->nbytes());
        m_set.m_changes[use.linear.name].push_back(std::move(change));
    }

    static at::Tensor placed(const at::Tensor& stored, const at::Tensor& base) {
        return stored.to(base.options()).contiguous();
    }

    AdapterSet& m_set;
    const std::vector<StoredMatrix>& m_matrices;
    AdapterFiles m_files;
    AdapterConfig m_config;
    std::shared_ptr<const WeightStore> m_store;
    std::string m_source;
    std::size_t m_adapter;
    MatrixTable m_table;
    std::set<int> m_taken;
    std::int64_t m_largestRank = 0;
};

std::shared_ptr<const AdapterSet> AdapterSet::load(const std::vector<AdapterChoice>& choices,
                                                   const std::vector<StoredMatrix>& matrices) {
    auto set = std::make_shared<AdapterSet>();
    for (const AdapterChoice& choice : choices) Loader(*set, choice, matrices).load();
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
            if (change.weight.defined()) {
                const at::Tensor whole = at::embedding(change.weight, ids);
                y = strength == 1 && y.is_same(plain) ? whole : y + (whole - plain) * strength;
            }
            if (list == &m_embeddings)
                y = y + at::linear(at::embedding(change.down, ids), change.up) * (change.scaling * strength);
        }
    }
    return y;
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
    at::Tensor low = at::linear(at::linear(x, change.down), change.up) * change.scaling;
    if (change.gain.defined()) {
        // A saved weight came with its own bias, or with none.
        const at::Tensor& bias = change.weight.defined() && change.bias.defined() ? change.bias : weight.bias;
        low = low + change.gain * ((bias.defined() ? base - bias : base) + low);
    }
    return sum.defined() ? sum + low : low;
}

}  // namespace fovea
