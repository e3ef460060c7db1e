#include "nn/generation_config.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>

namespace fovea {
namespace {

constexpr std::size_t kMostIds = 1 << 20, kMostWords = 1 << 16, kLongestWord = 1024;
constexpr std::int64_t kLargestId = 1 << 26, kMostTokens = 1 << 30;

// Keys that change what transformers answers, unless they have this value.
struct NumberKey {
    const char* name;
    double neutral;
};
constexpr NumberKey kNumbers[] = {{"num_beam_groups", 1},
                                  {"penalty_alpha", 0},
                                  {"guidance_scale", 1},
                                  {"encoder_repetition_penalty", 1},
                                  {"encoder_no_repeat_ngram_size", 0}};
// Keys that change it wherever they are.
constexpr const char* kOthers[] = {"sequence_bias",    "exponential_decay_length_penalty", "watermarking_config", "stop_strings",
                                   "force_words_ids", "constraints",                      "max_time",            "dola_layers"};
constexpr const char* kDrawing[] = {"temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff"};

std::optional<ConfigView> generationFile(const ModelSource& source) {
    const std::filesystem::path file = source.files().folder / "generation_config.json";
    std::error_code error;
    if (source.files().folder.empty() || !std::filesystem::is_regular_file(file, error)) return {};
    return ConfigView::read(file);
}

const nlohmann::json* valueOf(const ConfigView& config, const char* key) {
    return config.has(key) ? &config.json().at(key) : nullptr;
}

int idOf(const ConfigView& config, const char* key, const nlohmann::json& id, IntegerRange range) {
    const bool integer = id.is_number_integer() &&
                         (!id.is_number_unsigned() || id.get<std::uint64_t>() <= static_cast<std::uint64_t>(kLargestId));
    if (!integer || id.get<std::int64_t>() < range.min || id.get<std::int64_t>() > range.max)
        config.fail(key, "token ids from " + std::to_string(range.min) + " to " + std::to_string(range.max),
                    id.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).substr(0, 60));
    return static_cast<int>(id.get<std::int64_t>());
}

std::vector<int> listOf(const ConfigView& config, const char* key, const nlohmann::json& list, IntegerRange range,
                        std::size_t most) {
    if (list.size() > most)
        config.fail(key, "at most " + std::to_string(most) + " ids", std::to_string(list.size()));
    std::vector<int> ids;
    for (const nlohmann::json& id : list) ids.push_back(idOf(config, key, id, range));
    return ids;
}

// One id or several.
std::vector<int> idsOf(const ConfigView& config, const char* key, IntegerRange range) {
    const nlohmann::json* value = valueOf(config, key);
    if (!value) return {};
    return value->is_array() ? listOf(config, key, *value, range, kMostIds)
                             : std::vector<int>{idOf(config, key, *value, range)};
}

// A list; what no token has (-1) says nothing.
std::vector<int> suppressedOf(const ConfigView& config, const char* key) {
    const nlohmann::json* value = valueOf(config, key);
    if (!value) return {};
    if (!value->is_array()) config.fail(key, "a list of token ids", value->type_name());
    std::vector<int> ids = listOf(config, key, *value, {-1, kLargestId}, kMostIds);
    std::erase(ids, -1);
    return ids;
}

std::vector<std::vector<int>> badWordsOf(const ConfigView& config, IntegerRange range) {
    constexpr const char* key = "bad_words_ids";
    const nlohmann::json* value = valueOf(config, key);
    if (!value) return {};
    if (!value->is_array() || value->empty() || value->size() > kMostWords)
        config.fail(key, "a list of 1 to " + std::to_string(kMostWords) + " lists of token ids",
                    value->is_array() ? "a list of " + std::to_string(value->size()) : std::string(value->type_name()));
    std::vector<std::vector<int>> words;
    for (const nlohmann::json& word : *value) {
        if (!word.is_array() || word.empty())
            config.fail(key, "lists of token ids, none of them empty",
                        word.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).substr(0, 60));
        words.push_back(listOf(config, key, word, range, kLongestWord));
    }
    return words;
}

int countOf(const ConfigView& config, const char* key, std::int64_t least) {
    return static_cast<int>(config.integer(key, 0, {least, kMostTokens}));
}

void readDrawing(const ConfigView& config, GenerationRules& rules) {
    rules.draws = config.boolean("do_sample", false);
    config.number("temperature", 1, {0, 1e6});
    config.integer("top_k", 0, {-1, kLargestId});  // -1: all, as some write it
    config.number("top_p", 1, {0, 1});
    std::copy_if(std::begin(kDrawing), std::end(kDrawing), std::back_inserter(rules.drawing),
                 [&](const char* key) { return config.has(key); });
}

void readUnserved(const ConfigView& config, GenerationRules& rules) {
    if (config.integer("num_beams", 1, {1, 1 << 20}) > 1) rules.unserved.emplace_back("num_beams");
    for (const NumberKey& key : kNumbers)
        if (config.number(key.name, key.neutral) != key.neutral) rules.unserved.emplace_back(key.name);
    for (const char* key : kOthers)
        if (config.has(key)) rules.unserved.emplace_back(key);
    if (config.boolean("token_healing", false)) rules.unserved.emplace_back("token_healing");
}

}  // namespace

std::vector<int> readEndTokens(const ConfigView& config) {
    std::vector<int> ids = idsOf(config, "eos_token_id", {-1, kLargestId});
    // Some configurations say -1 for none.
    std::erase(ids, -1);
    return ids;
}

std::vector<int> endTokensOf(const ModelSource& source) {
    if (const auto file = generationFile(source)) return readEndTokens(*file);
    const std::vector<int> ids = readEndTokens(source.config());
    return ids.empty() && source.config().has("text_config") ? readEndTokens(source.config().section("text_config")) : ids;
}

GenerationRules readGenerationRules(const ConfigView& config, std::int64_t vocabulary) {
    const IntegerRange known{0, vocabulary - 1};
    GenerationRules rules;
    rules.repetitionPenalty = config.number("repetition_penalty", 1, {1e-6, 1e6});
    rules.noRepeatNgramSize = countOf(config, "no_repeat_ngram_size", 0);
    rules.badWords = badWordsOf(config, known);
    rules.minLength = countOf(config, "min_length", 0);
    if (config.has("min_new_tokens")) rules.minNewTokens = countOf(config, "min_new_tokens", 0);
    if (const nlohmann::json* id = valueOf(config, "forced_bos_token_id"))
        rules.forcedBegin = idOf(config, "forced_bos_token_id", *id, known);
    rules.forcedEnds = idsOf(config, "forced_eos_token_id", known);
    rules.removeInvalid = config.boolean("remove_invalid_values", false);
    rules.suppressed = suppressedOf(config, "suppress_tokens");
    rules.beginSuppressed = suppressedOf(config, "begin_suppress_tokens");
    rules.maxNewTokens = countOf(config, "max_new_tokens", 1);
    rules.maxLength = countOf(config, "max_length", 1);
    readDrawing(config, rules);
    readUnserved(config, rules);
    return rules;
}

GenerationRules generationRulesOf(const ModelSource& source, std::int64_t vocabulary) {
    const auto file = generationFile(source);
    return file ? readGenerationRules(*file, vocabulary) : GenerationRules();
}

}  // namespace fovea
