#include "io/adapter_config.h"

#include <fmt/format.h>
#include <oniguruma.h>

#include <array>
#include <charconv>
#include <cmath>
#include <memory>

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
         {"alora_invocation_tokens", "layer_replication", "trainable_token_indices", "arrow_config",
          "use_qalora", "use_bdlora", "corda_config", "loftq_config", "lora_ga_config"}) {
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

struct Freed {
    void operator()(regex_t* regex) const { onig_free(regex); }
};

template <typename Value>
Value chosen(const std::vector<std::pair<std::string, Value>>& patterns, const std::string& module,
             const std::string& source, Value other) {
    for (const auto& [pattern, value] : patterns)
        if (matchesModule(pattern, module, source)) return value;
    return other;
}

}  // namespace

bool matchesModule(const std::string& pattern, const std::string& module, const std::string& source) {
    const std::string whole = "(?:.*\\.)?(?:" + pattern + ")$";
    const auto* begin = reinterpret_cast<const OnigUChar*>(whole.data());
    regex_t* made = nullptr;
    OnigErrorInfo info{};
    const int failed = onig_new(&made, begin, begin + whole.size(), ONIG_OPTION_NONE, ONIG_ENCODING_UTF8,
                                ONIG_SYNTAX_PERL_NG, &info);
    if (failed != ONIG_NORMAL)
        throw Error(fmt::format("{}: expected a regular expression, found \"{:.80}\"", source, pattern),
                    "Correct the pattern in the adapter's configuration.");
    const std::unique_ptr<regex_t, Freed> regex(made);
    const std::unique_ptr<OnigMatchParam, void (*)(OnigMatchParam*)> bounds(onig_new_match_param(),
                                                                            onig_free_match_param);
    onig_initialize_match_param(bounds.get());
    onig_set_retry_limit_in_match_of_match_param(bounds.get(), 100'000);
    onig_set_match_stack_limit_size_of_match_param(bounds.get(), 100'000);
    const auto* text = reinterpret_cast<const OnigUChar*>(module.data());
    const auto* end = text + module.size();
    const auto result =
        onig_match_with_param(regex.get(), text, end, text, nullptr, ONIG_OPTION_NONE, bounds.get());
    if (result < ONIG_MISMATCH)
        throw Error(fmt::format("{}: the pattern \"{:.80}\" takes too long to match", source, pattern),
                    "Write the pattern without nested repetition.");
    return result >= 0;
}

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
    return config;
}

std::int64_t AdapterConfig::rankOf(const std::string& module) const {
    return chosen(ranks, module, source, rank);
}

double AdapterConfig::scaling(const std::string& module, std::int64_t itsRank) const {
    const double itsAlpha = chosen(alphas, module, source, alpha);
    return itsAlpha /
           (rankStabilised ? std::sqrt(static_cast<double>(itsRank)) : static_cast<double>(itsRank));
}

AdapterFiles findAdapter(const fs::path& folder) {
    std::error_code failed;
    AdapterFiles files;
    files.config = folder / "adapter_config.json";
    if (!fs::is_regular_file(files.config, failed))
        throw Error(
            fmt::format("{}: expected a folder with adapter_config.json, found none", folder.string()),
            "Give the folder that peft saved the adapter to.");
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
