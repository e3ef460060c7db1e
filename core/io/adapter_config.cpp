#include "io/adapter_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>

#include "fovea/adapter.h"
#include "fovea/error.h"
#include "io/hf_config.h"
#include "io/json_file.h"
#include "io/mapped_file.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMaxRank = 65536;
constexpr std::size_t kMaxPatterns = 4096;
constexpr std::size_t kMaxPatternLength = 1024;

void refuseOtherKinds(const ConfigView& config) {
    const std::string kind = config.text("peft_type", "LORA");
    if (kind != "LORA")
        throw Error(
            fmt::format("{}: peft_type: expected LORA, found \"{:.60}\"", config.source(), kind),
            "LoRA, rsLoRA and DoRA adapters can be added; merge others into a checkpoint of their own.");
    const auto& json = config.json();
    for (const char* key :
         {"alora_invocation_tokens", "layer_replication", "arrow_config", "use_qalora", "use_bdlora", "kasa_config",
          "monteclora_config", "corda_config", "loftq_config", "lora_ga_config"}) {
        const auto found = json.find(key);
        const bool isUnset = found == json.end() || found->is_null() || *found == false || found->empty();
        if (!isUnset)
            throw Error(
                fmt::format("{}: {}: expected nothing, found {}", config.source(), key, describeJson(*found)),
                "This kind of adapter is not a change of the base weights alone; merge it with peft first.");
    }
    const auto start = json.find("init_lora_weights");
    if (start != json.end() && start->is_string()) {
        const std::string name = start->get<std::string>();
        for (const char* other : {"pissa", "olora", "corda", "loftq", "lora_ga"})
            if (name.starts_with(other))
                throw Error(
                    fmt::format(
                        "{}: init_lora_weights: expected an adapter of the unchanged base model, found "
                        "\"{:.60}\", which changes it",
                        config.source(), name),
                    "Convert it with peft (path_initial_model_for_weight_conversion), or merge it.");
    }
}

template <typename Value, typename Check>
std::vector<std::pair<std::string, Value>> patterns(const ConfigView& config,
                                                    const nlohmann::ordered_json& ordered, const char* key,
                                                    Check check) {
    std::vector<std::pair<std::string, Value>> made;
    const auto found = ordered.find(key);
    if (found == ordered.end() || found->is_null()) return made;
    if (!found->is_object() || found->size() > kMaxPatterns)
        config.fail(key, fmt::format("an object with at most {} patterns", kMaxPatterns),
                    describeJson(nlohmann::json(*found)));
    for (const auto& [pattern, value] : found->items()) {
        if (pattern.empty() || pattern.size() > kMaxPatternLength)
            config.fail(key, fmt::format("patterns of 1 to {} bytes", kMaxPatternLength),
                        fmt::format("{} bytes", pattern.size()));
        if (!check(value))
            config.fail(key, "positive numbers within bounds", describeJson(nlohmann::json(value)));
        made.emplace_back(pattern, value.template get<Value>());
    }
    return made;
}

template <typename Value>
Value chosen(const std::vector<std::pair<std::string, Value>>& patterns, const std::string& module,
             const std::string& source, Value other) {
    for (const auto& [pattern, value] : patterns)
        if (matchesModule(pattern, module, source)) return value;
    return other;
}

/// trainable_token_indices: a list for the table of the input, or one list for each table.
std::map<std::string, std::vector<std::int64_t>> tokensFrom(const ConfigView& config) {
    static constexpr const char* kKey = "trainable_token_indices";
    constexpr IntegerRange range{0, std::numeric_limits<std::int32_t>::max()};
    if (!config.has(kKey)) return {};
    const auto& value = config.json().at(kKey);
    std::map<std::string, std::vector<std::int64_t>> tokens;
    if (!value.is_object()) {
        if (auto ids = config.integers(kKey, {}, range); !ids.empty()) tokens.emplace("", std::move(ids));
        return tokens;
    }
    for (const auto& [name, ids] : value.items()) {
        if (name.empty() || !ids.is_array()) config.fail(kKey, "lists of ids by name", describeJson(ids));
        std::vector<std::int64_t> read;
        for (const auto& id : ids) {
            if (!id.is_number_integer() || id.get<double>() < 0 || id.get<double>() > static_cast<double>(range.max))
                config.fail(kKey, "ids of tokens", describeJson(id));
            read.push_back(id.get<std::int64_t>());
        }
        tokens.emplace(name, std::move(read));
    }
    return tokens;
}

/// The last part of a path or of org/name, in small letters; of a folder of the Hugging Face cache the model's.
std::string lastPart(std::string path) {
    std::replace(path.begin(), path.end(), '\\', '/');
    if (const std::size_t cached = path.rfind("models--"); cached != std::string::npos) {
        path = path.substr(cached, path.find('/', cached) - cached);
        path.erase(0, path.rfind("--") + 2);
    }
    while (!path.empty() && path.back() == '/') path.pop_back();
    path.erase(0, path.rfind('/') + 1);
    std::transform(path.begin(), path.end(), path.begin(), [](unsigned char c) { return std::tolower(c); });
    return path;
}

}  // namespace

AdapterConfig AdapterConfig::read(const fs::path& file) {
    const ConfigView view = ConfigView::read(file);
    refuseOtherKinds(view);
    // Of several patterns the first of the file counts; the view has its keys in another order.
    const auto mapped = MappedFile::open(file);
    const auto bytes = mapped->bytes();
    const auto* text = reinterpret_cast<const char*>(bytes.data());
    const auto ordered = nlohmann::ordered_json::parse(text, text + bytes.size());
    AdapterConfig config;
    config.source = view.source();
    config.rank = view.integer("r", 8, {1, kMaxRank});
    config.alpha = view.number("lora_alpha", 8, {1e-6, 1e6});
    config.rankStabilised = view.boolean("use_rslora", false);
    config.decomposed = view.boolean("use_dora", false);
    config.alphas = patterns<double>(view, ordered, "alpha_pattern", [](const nlohmann::ordered_json& value) {
        return value.is_number() && value.get<double>() >= 1e-6 && value.get<double>() <= 1e6;
    });
    config.ranks =
        patterns<std::int64_t>(view, ordered, "rank_pattern", [](const nlohmann::ordered_json& value) {
            return value.is_number_integer() && value.get<double>() >= 1 && value.get<double>() <= kMaxRank;
        });
    config.upBias = view.boolean("lora_bias", false);
    config.targets = AdapterTargets(view);
    config.saved = view.texts("modules_to_save", {});
    config.base = view.text("base_model_name_or_path", "");
    config.tokens = tokensFrom(view);
    return config;
}

const std::vector<std::int64_t>& AdapterConfig::tokensOf(const std::string& module) const {
    const auto list = tokens.find("");
    if (list != tokens.end()) return list->second;
    for (const auto& [name, ids] : tokens)
        if (module == name || module.ends_with("." + name)) return ids;
    throw Error(fmt::format("{}: trainable_token_indices: expected the tokens of {:.200}, found none", source, module),
                "Correct trainable_token_indices, or save the adapter again.");
}

bool AdapterConfig::isOfAnother(const std::vector<std::string>& names) const {
    const std::string wanted = lastPart(base);
    return !wanted.empty() && !names.empty() &&
           std::none_of(names.begin(), names.end(), [&](const auto& name) { return lastPart(name) == wanted; });
}

std::int64_t AdapterConfig::rankOf(const std::string& module) const {
    return chosen(ranks, module, source, rank);
}

double AdapterConfig::scaling(const std::string& module, std::int64_t itsRank) const {
    const double itsAlpha = chosen(alphas, module, source, alpha);
    return itsAlpha /
           (rankStabilised ? std::sqrt(static_cast<double>(itsRank)) : static_cast<double>(itsRank));
}

namespace {

/// peft saves adapters that have a name into folders of that name.
std::string adapterHint(const fs::path& folder) {
    constexpr int kMostLooked = 1000;
    std::error_code failed;
    int looked = 0;
    for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end && looked < kMostLooked;
         entry.increment(failed), ++looked)
        if (fs::is_regular_file(entry->path() / "adapter_config.json", failed))
            return fmt::format("Give the folder of one adapter: {}.", entry->path().string());
    return "Give the folder that peft saved the adapter to.";
}

}  // namespace

AdapterFiles findAdapter(const fs::path& folder) {
    std::error_code failed;
    AdapterFiles files;
    files.config = folder / "adapter_config.json";
    if (!fs::is_regular_file(files.config, failed))
        throw Error(
            fmt::format("{}: expected a folder with adapter_config.json, found none", folder.string()),
            adapterHint(folder));
    files.weights.reference = files.weights.displayName = folder.string();
    files.weights.folder = folder;
    files.weights.format = ModelFormat::LoneWeights;
    for (const auto& [name, format] : {std::pair{"adapter_model.safetensors", WeightFormat::Safetensors},
                                       std::pair{"adapter_model.bin", WeightFormat::Pickle}}) {
        if (!fs::is_regular_file(folder / name, failed)) continue;
        files.weights.weightFiles = {folder / name};
        files.weights.weightFormat = format;
        return files;
    }
    throw Error(fmt::format("{}: expected adapter_model.safetensors or adapter_model.bin, found neither",
                            folder.string()),
                "The weights are missing: fetch the adapter again.");
}

AdapterChoice parseAdapter(const std::string& text) {
    AdapterChoice choice{text, 1};
    const std::size_t colon = text.rfind(':');
    if (colon != std::string::npos) {
        const char* begin = text.data() + colon + 1;
        const char* end = text.data() + text.size();
        double strength = 0;
        const auto [stop, error] = std::from_chars(begin, end, strength);
        if (begin != end && stop == end && error == std::errc()) {
            if (!(std::abs(strength) <= kMaxAdapterStrength))
                throw Error(fmt::format("--adapter {}: expected a strength from -{} to {}, found {}", text,
                                        kMaxAdapterStrength, kMaxAdapterStrength, strength),
                            "0 is the base model, 1 the adapter as trained.", ErrorCode::Usage);
            choice = {text.substr(0, colon), strength};
        }
    }
    if (choice.folder.empty())
        throw Error("--adapter: expected DIR or DIR:STRENGTH, found no folder",
                    "Give the folder that peft saved the adapter to.", ErrorCode::Usage);
    return choice;
}

std::string adapterText(const AdapterChoice& adapter) {
    // A name that ends in what looks like a strength needs one of its own.
    const bool isPlain = adapter.strength == 1 && parseAdapter(adapter.folder).folder == adapter.folder;
    return isPlain ? adapter.folder : fmt::format("{}:{}", adapter.folder, adapter.strength);
}

}  // namespace fovea
