// Matching a family's weight-name table with what the files hold.
#include <algorithm>
#include <set>

#include "fovea/error.h"
#include "io/weight_store.h"

namespace fovea {
namespace {

using Shape = std::vector<std::int64_t>;

/// Buffers that checkpoints of several eras carry and no model reads.
const std::vector<std::string>& alwaysIgnored() {
    static const std::vector<std::string> patterns{
        "position_ids",         "*.position_ids", "*rotary_emb.inv_freq", "*rope_embeddings.inv_freq",
        "*num_batches_tracked", "*.masked_bias",  "mask_token",           "*.mask_token"};
    return patterns;
}

bool matches(std::string_view pattern, std::string_view text) {
    std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.size() && pattern[p] == text[t]) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

const PrefixRule* ruleFor(const KeyLayout& layout, std::string_view name) {
    for (const PrefixRule& rule : layout)
        if (name.starts_with(rule.from)) return &rule;
    return nullptr;
}

std::string rewrite(const KeyLayout& layout, const std::string& name) {
    const PrefixRule* rule = ruleFor(layout, name);
    return rule == nullptr ? name : rule->to + name.substr(rule->from.size());
}

/// The tensors of a store under the names one layout gives them.
std::unordered_map<std::string, std::size_t> renamed(const std::vector<TensorInfo>& tensors,
                                                     const KeyLayout& layout) {
    std::unordered_map<std::string, std::size_t> byName;
    byName.reserve(tensors.size());
    for (std::size_t i = 0; i < tensors.size(); ++i) byName.emplace(rewrite(layout, tensors[i].name), i);
    return byName;
}

std::vector<WeightSource> sourcesOf(const WeightSpec& spec) {
    std::vector<WeightSource> sources{{spec.name, 0, 1, {}}};
    sources.insert(sources.end(), spec.alternatives.begin(), spec.alternatives.end());
    return sources;
}

/// The shape a source must have in the file.
Shape storedShape(const WeightSpec& spec, const WeightSource& source) {
    if (!source.shape.empty()) return source.shape;
    Shape shape = spec.shape;
    if (source.parts > 1 && !shape.empty() && shape[0] > 0) shape[0] *= source.parts;
    return shape;
}

bool fits(const Shape& expected, const Shape& found, std::int64_t parts) {
    if (expected.size() != found.size()) return false;
    for (std::size_t i = 0; i < found.size(); ++i)
        if (expected[i] != -1 && expected[i] != found[i]) return false;
    return parts == 1 || (!found.empty() && found[0] % parts == 0);
}

/// The spec's shape with its open sizes filled in from the stored one; empty where the element counts
/// disagree.
std::optional<Shape> deliveredShape(const WeightSpec& spec, const WeightSource& source, const Shape& found) {
    Shape shape = spec.shape;
    if (source.shape.empty()) {
        for (std::size_t i = 0; i < shape.size(); ++i)
            if (shape[i] == -1) shape[i] = i == 0 ? found[0] / source.parts : found[i];
        return shape;
    }
    std::int64_t have = 1;
    for (std::int64_t size : found) have *= size;
    if (have % source.parts != 0) return std::nullopt;
    have /= source.parts;
    std::int64_t known = 1;
    std::int64_t* open = nullptr;
    for (std::int64_t& size : shape) {
        if (size != -1) {
            known *= size;
        } else if (open == nullptr) {
            open = &size;
        } else {
            throw Error("weight \"" + spec.name + "\": at most one size may be open", {},
                        ErrorCode::Internal);
        }
    }
    if (open != nullptr && known > 0 && have % known == 0) {
        *open = have / known;
        return shape;
    }
    return open == nullptr && known == have ? std::optional(shape) : std::nullopt;
}

/// Complex numbers would lose their imaginary part, integers mean something else than a weight.
bool isWeightType(Dtype dtype) {
    return isFloating(dtype) && dtype != Dtype::C64;
}

std::size_t commonPrefix(std::string_view a, std::string_view b) {
    const auto end = std::mismatch(
        a.begin(), a.begin() + static_cast<std::ptrdiff_t>(std::min(a.size(), b.size())), b.begin());
    const auto dot = a.substr(0, static_cast<std::size_t>(end.first - a.begin())).rfind('.');
    return dot == std::string_view::npos ? 0 : dot + 1;
}

/// How a missing weight would be spelled in these files: as its nearest neighbour that was found, by rule and
/// source.
std::string fileSpelling(const WeightSpec& missing,
                         const std::map<std::string, std::pair<std::size_t, std::string>>& found,
                         const KeyLayout& layout) {
    std::size_t best = 0;
    const std::pair<std::size_t, std::string>* neighbour = nullptr;
    const auto consider = [&](auto it) {
        const std::size_t common = commonPrefix(missing.name, it->first);
        if (common > best) {
            best = common;
            neighbour = &it->second;
        }
    };
    // In a sorted table the longest common prefix is with one of the two neighbours.
    auto next = found.lower_bound(missing.name);
    if (next != found.end()) consider(next);
    if (next != found.begin()) consider(std::prev(next));
    if (neighbour == nullptr) return missing.name;
    const auto sources = sourcesOf(missing);
    const std::string& name = sources[std::min(neighbour->first, sources.size() - 1)].name;
    const PrefixRule* rule = ruleFor(layout, neighbour->second);
    return rule != nullptr && name.starts_with(rule->to) ? rule->from + name.substr(rule->to.size()) : name;
}

}  // namespace

BoundWeights WeightStore::bind(const WeightPlan& plan) const {
    std::vector<KeyLayout> layouts = plan.layouts;
    if (layouts.empty()) layouts.emplace_back();
    const KeyLayout* chosen = nullptr;
    std::unordered_map<std::string, std::size_t> byName;
    std::size_t fewest = 0;
    for (const KeyLayout& layout : layouts) {
        auto candidate = renamed(m_tensors, layout);
        std::size_t unresolved = 0;
        for (const WeightSpec& spec : plan.specs) {
            const auto sources = sourcesOf(spec);
            const bool there = std::any_of(sources.begin(), sources.end(), [&](const WeightSource& s) {
                return candidate.count(s.name) != 0;
            });
            unresolved += spec.optional || there ? 0 : 1;
        }
        if (chosen != nullptr && unresolved >= fewest) continue;
        chosen = &layout;
        byName = std::move(candidate);
        fewest = unresolved;
        if (unresolved == 0) break;
    }

    BoundWeights weights;
    weights.m_store = shared_from_this();
    WeightReport& report = weights.m_report;
    report.notices = m_notices;
    std::set<std::size_t> used;
    std::map<std::string, std::pair<std::size_t, std::string>>
        foundAs;  // spec -> which source, the file's name
    std::vector<const WeightSpec*> missing;
    for (const WeightSpec& spec : plan.specs) {
        std::optional<MisshapedWeight> misfit;
        std::size_t misfitTensor = 0;
        std::optional<std::size_t> mistyped;
        bool bound = false;
        const auto sources = sourcesOf(spec);
        for (std::size_t i = 0; i < sources.size() && !bound; ++i) {
            const auto at = byName.find(sources[i].name);
            if (at == byName.end()) continue;
            const TensorInfo& tensor = m_tensors[at->second];
            if (!isWeightType(tensor.dtype)) {
                if (!mistyped) mistyped = at->second;
                continue;
            }
            const Shape expected = storedShape(spec, sources[i]);
            const auto delivered = fits(expected, tensor.shape, sources[i].parts)
                                       ? deliveredShape(spec, sources[i], tensor.shape)
                                       : std::nullopt;
            if (!delivered) {
                if (!misfit)
                    misfit = MisshapedWeight{tensor.name, expected, tensor.shape}, misfitTensor = at->second;
                continue;
            }
            weights.m_bound[spec.name] = {at->second, sources[i].part, sources[i].parts, *delivered};
            foundAs[spec.name] = {i, tensor.name};
            used.insert(at->second);
            bound = true;
        }
        if (bound) continue;
        weights.m_absent[spec.name] = spec.optional;
        if (mistyped) {
            if (used.insert(*mistyped).second)
                report.mistyped.push_back({m_tensors[*mistyped].name, file(*mistyped).filename().string(),
                                           std::string(safetensorsName(m_tensors[*mistyped].dtype))});
        } else if (misfit) {
            if (used.insert(misfitTensor).second) report.misshaped.push_back(*misfit);
        } else if (!spec.optional) {
            missing.push_back(&spec);
        }
    }
    std::set<std::string> named;
    for (const WeightSpec* spec : missing) {
        std::string name = fileSpelling(*spec, foundAs, *chosen);
        if (named.insert(name).second) report.missing.push_back(std::move(name));
    }
    std::set<std::size_t> unfit;
    for (const MisshapedWeight& weight : report.misshaped) unfit.insert(m_byName.at(weight.name));
    for (const MistypedWeight& weight : report.mistyped) unfit.insert(m_byName.at(weight.name));
    for (std::size_t i = 0; i < m_tensors.size(); ++i) {
        if (used.count(i) != 0) {
            if (unfit.count(i) != 0) continue;
            ++report.loaded;
            report.parameters += m_tensors[i].numel();
            continue;
        }
        const std::string name = rewrite(*chosen, m_tensors[i].name);
        const auto ignores = [&](const std::string& pattern) {
            return matches(pattern, name) || matches(pattern, m_tensors[i].name);
        };
        if (std::none_of(alwaysIgnored().begin(), alwaysIgnored().end(), ignores) &&
            std::none_of(plan.ignored.begin(), plan.ignored.end(), ignores))
            report.unexpected.push_back(m_tensors[i].name);
    }
    std::sort(report.unexpected.begin(), report.unexpected.end());
    return weights;
}

Dtype BoundWeights::dtype(const std::string& name) const {
    const auto bound = m_bound.find(name);
    if (bound == m_bound.end()) throw Error("weight \"" + name + "\" is not loaded", {}, ErrorCode::Internal);
    return m_store->tensors()[bound->second.tensor].dtype;
}

at::Tensor BoundWeights::get(const std::string& name) const {
    const auto found = m_bound.find(name);
    if (found == m_bound.end()) {
        const auto absent = m_absent.find(name);
        if (absent == m_absent.end())
            throw Error("weight \"" + name + "\" is not in the family's table", {}, ErrorCode::Internal);
        if (absent->second) return {};
        throw Error("weight \"" + name + "\" cannot be used: " + m_report.problem(),
                    "The checkpoint does not fit its configuration; fetch both again.");
    }
    const Bound& bound = found->second;
    at::Tensor tensor = m_store->get(bound.tensor);
    if (bound.parts > 1) {
        const std::int64_t rows = tensor.size(0) / bound.parts;
        tensor = tensor.narrow(0, bound.part * rows, rows);
    }
    return tensor.sizes() == at::IntArrayRef(bound.shape) ? tensor : tensor.reshape(bound.shape);
}

at::Tensor BoundWeights::get(const std::string& name, at::ScalarType dtype) const {
    at::Tensor tensor = get(name);
    if (!tensor.defined() || tensor.scalar_type() == dtype) return tensor;
    at::Tensor converted = tensor.to(dtype);
    const Bound& bound = m_bound.at(name);
    const TensorInfo& info = m_store->tensors()[bound.tensor];
    if (bound.parts == 1) m_store->m_files[m_store->m_fileOf[bound.tensor]]->dropPages(info.begin, info.end);
    return converted;
}

Dtype BoundWeights::storedDtype() const {
    std::map<Dtype, std::int64_t> bytes;
    for (const auto& [name, bound] : m_bound) {
        const TensorInfo& info = m_store->tensors()[bound.tensor];
        if (isFloating(info.dtype)) bytes[info.dtype] += info.numel();
    }
    const auto most = std::max_element(bytes.begin(), bytes.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == bytes.end() ? Dtype::F32 : most->first;
}

}  // namespace fovea
