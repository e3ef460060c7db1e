#include "io/adapter_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "fovea/error.h"

namespace fovea {
namespace {

bool isNumber(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); });
}

using Components = std::vector<std::string>;

constexpr std::size_t kLongestPath = 1000;

/// Spellings of the same part in files and in versions of the reference; longer ones first.
struct Spelling {
    std::vector<std::string_view> written, meant;
};
const std::array<Spelling, 20>& spellings() {
    static const std::array<Spelling, 20> all{{{{"attention", "output", "dense"}, {"attention", "o_proj"}},
                                               {{"attention", "attention"}, {"attention"}},
                                               {{"attention", "self"}, {"attention"}},
                                               {{"attention", "query"}, {"attention", "q_proj"}},
                                               {{"attention", "key"}, {"attention", "k_proj"}},
                                               {{"attention", "value"}, {"attention", "v_proj"}},
                                               {{"attention", "out_proj"}, {"attention", "o_proj"}},
                                               {{"attention", "proj"}, {"attention", "o_proj"}},
                                               {{"attention", "dense"}, {"attention", "o_proj"}},
                                               {{"intermediate", "dense"}, {"mlp", "fc1"}},
                                               {{"output", "dense"}, {"mlp", "fc2"}},
                                               {{"self_attn"}, {"attention"}},
                                               {{"self_attention"}, {"attention"}},
                                               {{"attn"}, {"attention"}},
                                               {{"encoder", "layers"}, {"layers"}},
                                               {{"encoder", "layer"}, {"layers"}},
                                               {{"layer"}, {"layers"}},
                                               {{"blocks"}, {"layers"}},
                                               {{"block"}, {"layers"}},
                                               {{"h"}, {"layers"}}}};
    return all;
}

/// The parts of a path in one spelling of our own.
Components canonical(std::string_view path) {
    Components parts;
    while (!path.empty()) {
        const std::size_t dot = std::min(path.find('.'), path.size());
        parts.emplace_back(path.substr(0, dot));
        path.remove_prefix(std::min(dot + 1, path.size()));
    }
    for (std::size_t at = 0; at < parts.size();) {
        const auto fits = [&](const Spelling& spelling) {
            return at + spelling.written.size() <= parts.size() &&
                   std::equal(spelling.written.begin(), spelling.written.end(),
                              parts.begin() + static_cast<std::ptrdiff_t>(at));
        };
        const auto found = std::find_if(spellings().begin(), spellings().end(), fits);
        if (found == spellings().end()) {
            ++at;
            continue;
        }
        const auto begin = parts.begin() + static_cast<std::ptrdiff_t>(at);
        const auto place = parts.erase(begin, begin + static_cast<std::ptrdiff_t>(found->written.size()));
        parts.insert(place, found->meant.begin(), found->meant.end());
        at = at > 0 ? at - 1 : 0;  // what is there now may end a longer spelling
    }
    return parts;
}

/// How well two paths agree: equal components at the end, and equal ones among the rest in order.
struct Agreement {
    std::size_t tail = 0, rest = 0;
    auto key() const { return std::tuple(tail, rest); }
};

std::optional<Agreement> agreement(const Components& a, const Components& b) {
    Agreement found;
    while (found.tail < a.size() && found.tail < b.size() &&
           a[a.size() - 1 - found.tail] == b[b.size() - 1 - found.tail])
        ++found.tail;
    if (found.tail == 0) return std::nullopt;
    // Numbers name layers: none of either path may be left over.
    const auto numbered = [&](const Components& parts) {
        return std::any_of(parts.begin(), parts.end() - static_cast<std::ptrdiff_t>(found.tail), isNumber);
    };
    if (numbered(a) || numbered(b)) return std::nullopt;
    std::size_t next = 0;
    for (std::size_t i = 0; i + found.tail < a.size(); ++i)
        for (std::size_t j = next; j + found.tail < b.size(); ++j)
            if (a[i] == b[j] && a[i] != "model") {  // which is anywhere
                ++found.rest;
                next = j + 1;
                break;
            }
    return found;
}

/// Whether a path lies in the part of a model that sees pictures.
bool ofTower(const Components& parts) {
    static constexpr std::array<std::string_view, 5> kTowers{"visual", "vision_tower", "vision_model", "vision_encoder", "vision"};
    return std::any_of(parts.begin(), parts.end(), [](const std::string& part) {
        return std::find(kTowers.begin(), kTowers.end(), part) != kTowers.end();
    });
}

/// The module path and meaning of a tensor's name.
std::optional<std::pair<std::string, AdapterPart>> split(std::string name) {
    for (const char* prefix : {"base_model.model.", "base_model."})
        if (name.starts_with(prefix)) {
            name.erase(0, std::string_view(prefix).size());
            break;
        }
    static constexpr std::array<std::pair<std::string_view, AdapterPart>, 14> kEndings{
        {{".lora_A.weight", AdapterPart::Down},
         {".lora_A.default.weight", AdapterPart::Down},
         {".lora_B.weight", AdapterPart::Up},
         {".lora_B.default.weight", AdapterPart::Up},
         {".lora_B.bias", AdapterPart::UpBias},
         {".lora_B.default.bias", AdapterPart::UpBias},
         {".lora_embedding_A", AdapterPart::EmbeddingDown},
         {".lora_embedding_B", AdapterPart::EmbeddingUp},
         {".lora_magnitude_vector", AdapterPart::Magnitude},
         {".lora_magnitude_vector.weight", AdapterPart::Magnitude},
         {".lora_magnitude_vector.default.weight", AdapterPart::Magnitude},
         {".token_adapter.trainable_tokens_delta", AdapterPart::TokenRows},
         {".weight", AdapterPart::Weight},
         {".bias", AdapterPart::Bias}}};
    for (const auto& [ending, part] : kEndings) {
        if (!name.ends_with(ending) || name.size() == ending.size()) continue;
        std::string path = name.substr(0, name.size() - ending.size());
        if (path.find(".lora_") != std::string::npos) return std::nullopt;
        for (std::string_view wrapper : {".modules_to_save.default", ".modules_to_save", ".base_layer"})
            if (path.ends_with(wrapper)) {
                path.resize(path.size() - wrapper.size());
                break;
            }
        return std::pair{std::move(path), part};
    }
    return std::nullopt;
}

}  // namespace

std::vector<AdapterModule> adapterModules(const std::vector<std::string>& names,
                                          std::vector<std::string>& unknown) {
    std::map<std::string, AdapterModule> byPath;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto found = split(names[i]);
        if (!found || byPath[found->first].parts.count(found->second) != 0) {
            unknown.push_back(names[i]);
            continue;
        }
        byPath[found->first].path = found->first;
        byPath[found->first].parts[found->second] = i;
    }
    std::vector<AdapterModule> modules;
    for (auto& [path, module] : byPath)
        if (!module.parts.empty()) modules.push_back(std::move(module));
    return modules;
}

MatrixTable::MatrixTable(std::vector<MatrixName> matrices) : m_matrices(std::move(matrices)) {
    for (const MatrixName& matrix : m_matrices) m_spellings.push_back(canonical(matrix.path));
}

int MatrixTable::find(const std::string& module, std::int64_t outputs, std::int64_t inputs,
                      const std::string& source) const {
    if (module.size() > kLongestPath) return -1;
    const Components wanted = canonical(module);
    std::vector<std::size_t> best;
    Agreement closest;
    for (std::size_t i = 0; i < m_matrices.size(); ++i) {
        const MatrixName& matrix = m_matrices[i];
        if ((outputs >= 0 && matrix.outputs != outputs) || (inputs >= 0 && matrix.inputs != inputs)) continue;
        const auto found = agreement(wanted, m_spellings[i]);
        if (!found || found->key() < closest.key()) continue;
        if (found->key() > closest.key()) best.clear();
        closest = *found;
        best.push_back(i);
    }
    if (best.empty()) return -1;
    // Blocks of a tower and of a decoder may agree in all but the part that they belong to.
    if (best.size() > 1)
        std::erase_if(best, [&, kept = best](std::size_t i) {
            const auto fits = [&](std::size_t j) { return ofTower(m_spellings[j]) == ofTower(wanted); };
            return !fits(i) && std::any_of(kept.begin(), kept.end(), fits);
        });
    if (best.size() > 1)
        throw Error(
            fmt::format("{}: the module {:.200} could be {} or {}", source, module, m_matrices[best[0]].path,
                        m_matrices[best[1]].path),
            "The adapter belongs to another version of the model; save it again with the names of its base.");
    return static_cast<int>(best.front());
}

}  // namespace fovea
