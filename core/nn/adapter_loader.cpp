#include "nn/adapter_loader.h"

#include <ATen/ops/isfinite.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "fovea/error.h"

namespace fovea {
namespace {

std::vector<MatrixName> matrixNames(const std::vector<StoredMatrix>& matrices) {
    std::vector<MatrixName> names;
    for (const StoredMatrix& matrix : matrices)
        names.push_back({matrix.path, matrix.outputs(), matrix.inputs()});
    return names;
}

bool isEmbedding(const AdapterModule& module) {
    return module.parts.count(AdapterPart::EmbeddingDown) || module.parts.count(AdapterPart::EmbeddingUp);
}

bool adapts(const AdapterModule& module) { return module.parts.count(AdapterPart::Down) || isEmbedding(module); }

/// Whether a path has a part, or parts side by side, of this name.
bool hasPart(const std::string& path, const std::string& name) {
    return ("." + path + ".").find("." + name + ".") != std::string::npos;
}

}  // namespace

AdapterSet::Loader::Loader(AdapterSet& set, const AdapterChoice& choice, const std::vector<StoredMatrix>& matrices)
    : m_set(set),
      m_matrices(matrices),
      m_files(findAdapter(choice.folder)),
      m_config(AdapterConfig::read(m_files.config)),
      m_store(WeightStore::open(m_files.weights)),
      m_source(m_files.weights.weightFiles.front().string()),
      m_adapter(set.m_strengths.size()),
      m_table(matrixNames(matrices)) {
    set.m_strengths.push_back(choice.strength);
}

void AdapterSet::Loader::load(const std::vector<std::string>& baseNames) {
    std::vector<std::string> names, unmatched;
    for (const TensorInfo& tensor : m_store->tensors()) names.push_back(tensor.name);
    const auto modules = adapterModules(names, unmatched);
    for (const AdapterModule& module : modules) addModule(module, unmatched);
    if (!unmatched.empty()) refuse(std::move(unmatched));
    if (m_taken.empty())
        throw Error(m_source + ": expected tensors of an adapter, found none",
                    "Give the folder that PEFT's save_pretrained wrote.");
    const std::string& name = m_files.weights.displayName;
    if (m_config.isOfAnother(baseNames))
        m_set.m_notices.push_back(fmt::format("adapter {}: trained on {:.200}, added to {:.200}: make sure that they are the same",
                                              name, m_config.base, baseNames.front()));
    if (!m_unchecked.empty())
        m_set.m_notices.push_back(fmt::format("adapter {}: not compared with target_modules: {:.300}", name, m_unchecked));
    noticeUnsaved(modules);
    const char* kind = m_config.decomposed ? "DoRA" : m_config.rankStabilised ? "rsLoRA" : "LoRA";
    m_set.m_notices.push_back(fmt::format("adapter {}: {} on {} of {} matrices, rank {}, strength {}", name, kind,
                                          m_taken.size(), m_matrices.size(), m_largestRank,
                                          m_set.m_strengths[m_adapter]));
}

/// modules_to_save whose weights are not in the files: the reference goes on with the base's.
void AdapterSet::Loader::noticeUnsaved(const std::vector<AdapterModule>& modules) {
    for (const std::string& name : m_config.saved) {
        const auto stored = [&](const AdapterModule& module) { return !adapts(module) && hasPart(module.path, name); };
        const auto known = [&](const StoredMatrix& matrix) { return hasPart(matrix.path, name); };
        if (std::none_of(modules.begin(), modules.end(), stored) &&
            std::any_of(m_matrices.begin(), m_matrices.end(), known))
            m_set.m_notices.push_back(fmt::format("adapter {}: modules_to_save names {:.80}, which its files do not have: "
                                                  "the base's is used", m_files.weights.displayName, name));
    }
}

at::Tensor AdapterSet::Loader::Parts::get(AdapterPart part) const {
    const auto found = tensors.find(part);
    return found == tensors.end() ? at::Tensor() : found->second;
}

AdapterSet::Loader::Parts AdapterSet::Loader::read(const AdapterModule& module) const {
    Parts parts{module, {}};
    for (const auto& [part, index] : module.parts) {
        const std::string& name = m_store->tensors()[index].name;
        at::Tensor tensor = m_store->get(index);
        if (!tensor.is_floating_point())
            throw Error(fmt::format("{}: {:.200}: expected floating-point numbers, found {}", m_source, name,
                                    c10::toString(tensor.scalar_type())),
                        "Save the adapter in float32, float16 or bfloat16.");
        if (!at::isfinite(tensor).all().item<bool>())
            throw Error(fmt::format("{}: {:.200}: expected numbers, found NaN or infinity", m_source, name),
                        "The training diverged or the file is damaged: take another checkpoint.");
        parts.tensors.emplace(part, std::move(tensor));
    }
    return parts;
}

void AdapterSet::Loader::refuse(std::vector<std::string> names) const {
    std::sort(names.begin(), names.end());
    constexpr std::size_t kShown = 20;
    const std::size_t shown = std::min(names.size(), kShown);
    std::string list = fmt::format(
        "{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
    if (names.size() > shown) list += fmt::format(" and {} more", names.size() - shown);
    throw Error(
        fmt::format("{}: expected tensors of this model's matrices, found {} that belong to none: {:.4000}",
                    m_source, names.size(), list),
        "The adapter was trained on another model, or changes norms or other parts that adapters cannot change here: then "
        "merge it into a checkpoint with peft (merge_and_unload).");
}

void AdapterSet::Loader::fail(const Parts& parts, const std::string& what, const std::string& hint) const {
    throw Error(fmt::format("{}: {:.200}: {}", m_source, parts.path(), what), hint);
}

void AdapterSet::Loader::checkTargeted(const AdapterModule& module) {
    std::string key;
    try {
        key = m_config.targets.leftOutBy(module.path);
    } catch (const Error& e) {
        m_unchecked = e.what();
        return;
    }
    if (!key.empty())
        throw Error(fmt::format("{}: {}: expected to include {:.200}, whose tensors the files have, found it left out",
                                m_config.source, key, module.path),
                    fmt::format("Correct {} in adapter_config.json, or save the adapter again.", key));
}

const StoredMatrix* AdapterSet::Loader::find(const Parts& parts, std::int64_t outputs, std::int64_t inputs) {
    const int found = m_table.find(parts.path(), outputs, inputs, m_source);
    if (found < 0) {
        // The same name in another size says more than a name without a home.
        const int other = m_table.find(parts.path(), -1, -1, m_source);
        if (other < 0 || outputs < 0) return nullptr;
        const MatrixName& wanted = m_table.names()[static_cast<std::size_t>(other)];
        fail(parts, fmt::format("expected a matrix of {} x {}, found one of {} x {}", wanted.outputs, wanted.inputs,
                                outputs, inputs),
             "The adapter was trained on a model of another size.");
    }
    const StoredMatrix& matrix = m_matrices[static_cast<std::size_t>(found)];
    if (!m_taken.insert(found).second)
        fail(parts, fmt::format("expected one module for the matrix {}, found two", matrix.path),
             "Save the adapter again: two of its modules change one matrix.");
    return &matrix;
}

const StoredMatrix* AdapterSet::Loader::matrixOf(const Parts& parts) {
    const at::Tensor down = parts.get(AdapterPart::Down), up = parts.get(AdapterPart::Up);
    if (down.defined() != up.defined())
        fail(parts, "expected lora_A and lora_B, found one of them", "The file is damaged: fetch the adapter again.");
    if (down.defined()) {
        if (down.dim() < 2) failShape(parts, "lora_A", "[rank, in]", down);
        if (up.dim() != down.dim() || up.numel() != up.size(0) * down.size(0) || up.size(1) != down.size(0))
            failShape(parts, "lora_B", fmt::format("[out, {}]", down.size(0)), up);
        return find(parts, up.size(0), down.numel() / std::max<std::int64_t>(down.size(0), 1));
    }
    const at::Tensor weight = parts.get(AdapterPart::Weight);
    if (!weight.defined()) return find(parts, -1, -1);
    if (weight.dim() < 2) return nullptr;
    const std::int64_t rows = weight.size(0), columns = weight.numel() / std::max<std::int64_t>(rows, 1);
    // Its sizes may not say whether it is stored in columns; its name does.
    const auto inColumns = [](const StoredMatrix& matrix) { return matrix.layout == StoredMatrix::Layout::Columns; };
    bool turned = false;
    if (weight.dim() == 2 && std::any_of(m_matrices.begin(), m_matrices.end(), inColumns)) {
        const int named = m_table.find(parts.path(), -1, -1, m_source);
        turned = named >= 0 && inColumns(m_matrices[static_cast<std::size_t>(named)]);
    }
    return turned ? find(parts, columns, rows) : find(parts, rows, columns);
}

const StoredMatrix* AdapterSet::Loader::tableOf(const Parts& parts) {
    const at::Tensor down = parts.get(AdapterPart::EmbeddingDown), up = parts.get(AdapterPart::EmbeddingUp);
    if (m_table.find(parts.path(), -1, -1, m_source) < 0) return nullptr;
    if (!down.defined() || !up.defined())
        fail(parts, "expected lora_embedding_A and lora_embedding_B, found one of them",
             "The file is damaged: fetch the adapter again.");
    if (down.dim() != 2) failShape(parts, "lora_embedding_A", "[rank, vocabulary]", down);
    if (up.dim() != 2 || up.size(1) != down.size(0))
        failShape(parts, "lora_embedding_B", fmt::format("[hidden, {}]", down.size(0)), up);
    return find(parts, down.size(1), up.size(0));
}

void AdapterSet::Loader::addModule(const AdapterModule& module, std::vector<std::string>& unmatched) {
    const Parts parts = read(module);
    const bool embeds = isEmbedding(module), chooses = module.parts.count(AdapterPart::TokenRows) > 0;
    if (chooses && module.parts.size() > 1)
        fail(parts, "expected trained tokens alone, found other changes of the same table",
             "Merge one of the two with peft first.");
    const StoredMatrix* matrix = embeds ? tableOf(parts) : chooses ? find(parts, -1, -1) : matrixOf(parts);
    if (!matrix) {
        for (const auto& [part, index] : module.parts) unmatched.push_back(m_store->tensors()[index].name);
        return;
    }
    if (adapts(module)) checkTargeted(module);
    if (chooses) return addTokens(parts, *matrix);
    checkParts(parts, *matrix);
    if (embeds) return addEmbedding(parts, *matrix);
    for (const StoredMatrix::Use& use : matrix->uses) addChange(parts, *matrix, use);
}

}  // namespace fovea
