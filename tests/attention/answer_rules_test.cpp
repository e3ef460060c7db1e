// What a model's generation_config.json asks of its answers, rule by rule.
#include "attention/answer_rules.h"

#include <doctest/doctest.h>

#include <ATen/ops/tensor.h>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "fovea/error.h"
#include "nn/generation_config.h"

using namespace fovea;

namespace {

constexpr int kWords = 10;

GenerationRules rulesOf(const nlohmann::json& json) {
    return readGenerationRules(ConfigView(json, "generation_config.json"), kWords);
}

AnswerPlace placeOf(const std::vector<int>& ids, int answered, int longest = 20) {
    return {ids, static_cast<int>(ids.size()) - answered, answered, longest};
}

std::vector<int> banned(const nlohmann::json& json, const std::vector<int>& ids, int answered = 0,
                        const std::vector<int>& ends = {}) {
    return bannedIds(rulesOf(json), ends, placeOf(ids, answered));
}

/// Scores of logits 4.5, 3.5, ... -4.5 as numbers.
std::vector<float> scores(const nlohmann::json& json, const std::vector<int>& ids, int answered = 0,
                          const std::vector<int>& ends = {}, int longest = 20) {
    std::vector<float> logits(kWords);
    for (int i = 0; i < kWords; ++i) logits[static_cast<std::size_t>(i)] = 4.5F - static_cast<float>(i);
    const at::Tensor ruled = ruledScores(at::tensor(logits), rulesOf(json), ends, placeOf(ids, answered, longest)).contiguous();
    return {ruled.const_data_ptr<float>(), ruled.const_data_ptr<float>() + ruled.numel()};
}

std::vector<int> finite(const std::vector<float>& values) {
    std::vector<int> out;
    for (std::size_t i = 0; i < values.size(); ++i)
        if (std::isfinite(values[i])) out.push_back(static_cast<int>(i));
    return out;
}

std::optional<Error> refusal(const nlohmann::json& json) {
    try {
        rulesOf(json);
        readEndTokens(ConfigView(json, "generation_config.json"));
    } catch (const Error& error) {
        return error;
    }
    return {};
}

}  // namespace

TEST_CASE("a repetition penalty reaches tokens of prompt and answer, once each") {
    const std::vector<float> plain = scores({}, {1, 9, 1}), ruled = scores({{"repetition_penalty", 2.0}}, {1, 9, 1});
    for (std::size_t i = 0; i < plain.size(); ++i)
        CHECK(ruled[i] == (i == 1 ? plain[i] / 2 : i == 9 ? plain[i] * 2 : plain[i]));
    // Mllama's image token has no logit.
    CHECK(scores({{"repetition_penalty", 2.0}}, {kWords, -1}) == plain);
}

TEST_CASE("no n-gram comes twice") {
    const nlohmann::json two = {{"no_repeat_ngram_size", 2}}, one = {{"no_repeat_ngram_size", 1}};
    CHECK(banned(two, {3, 4, 3, 5, 3}) == std::vector<int>{4, 5});
    CHECK(banned(two, {3, 3}) == std::vector<int>{3});
    CHECK(banned(two, {3}).empty());
    CHECK(banned(two, {}).empty());
    CHECK(banned(one, {7, 2, 7}) == std::vector<int>{7, 2, 7});
    CHECK(banned({{"no_repeat_ngram_size", 3}}, {1, 2, 6, 1, 2}) == std::vector<int>{6});
    CHECK(banned({{"no_repeat_ngram_size", 3}}, {1, 2}).empty());
    CHECK(banned({{"no_repeat_ngram_size", 0}}, {1, 1, 1}).empty());
}

TEST_CASE("bad words are banned where only their last token is missing, ends are none") {
    const nlohmann::json words = {{"bad_words_ids", {{4}, {2}, {5, 6}, {1, 2, 3}}}};
    CHECK(banned(words, {0, 5}, 0, {2}) == std::vector<int>{4, 6});
    CHECK(banned(words, {0, 1, 2}) == std::vector<int>{4, 2, 3});
    // As in transformers, a text must be as long as the word for its last token to be banned.
    CHECK(banned(words, {1, 2}, 0, {2}) == std::vector<int>{4});
}

TEST_CASE("ends are banned before the least length of the answer, or of prompt and answer") {
    const std::vector<int> ends = {3, 8}, none;
    CHECK(banned({{"min_new_tokens", 2}}, {1, 1, 1}, 1, ends) == ends);
    CHECK(banned({{"min_new_tokens", 2}}, {1, 1, 1}, 2, ends) == none);
    CHECK(banned({{"min_length", 4}}, {1, 1, 1}, 1, ends) == ends);
    CHECK(banned({{"min_length", 3}}, {1, 1, 1}, 1, ends) == none);
    // The number of new tokens counts where both are given, also when it is 0.
    CHECK(banned({{"min_length", 9}, {"min_new_tokens", 0}}, {1, 1, 1}, 0, ends) == none);
    CHECK(banned({{"min_new_tokens", 5}}, {1}, 0, {}) == none);
}

TEST_CASE("forced tokens and suppressed ones come in the reference's order") {
    const nlohmann::json begin = {{"forced_bos_token_id", 6}}, end = {{"forced_eos_token_id", {7, 2}}};
    CHECK(finite(scores(begin, {1})) == std::vector<int>{6});
    CHECK(finite(scores(begin, {1, 1})).size() == std::size_t{kWords});
    CHECK(finite(scores(end, {1, 1}, 1, {}, 2)) == std::vector<int>{2, 7});
    CHECK(finite(scores(end, {1, 1}, 1, {}, 3)).size() == std::size_t{kWords});
    // A single id, behind a ban of the same.
    CHECK(finite(scores({{"forced_eos_token_id", 2}, {"min_new_tokens", 9}}, {1}, 0, {2}, 1)) == std::vector<int>{2});
    CHECK(finite(scores({{"forced_bos_token_id", 6}, {"suppress_tokens", {6}}}, {1})).empty());
    CHECK(finite(scores({{"suppress_tokens", {0, 1, 2, 3, 4, 5, 6, -1, 50000}}}, {1})) == std::vector<int>{7, 8, 9});
}

TEST_CASE("tokens suppressed at the beginning may come later") {
    const nlohmann::json at = {{"begin_suppress_tokens", {0, 1}}};
    nlohmann::json forced = at;
    forced["forced_bos_token_id"] = 6;
    CHECK(finite(scores(at, {1})).size() == std::size_t{kWords - 2});
    CHECK(finite(scores(at, {1, 1}, 1)).size() == std::size_t{kWords});
    // Behind a forced first token the second one is the beginning.
    CHECK(finite(scores(forced, {1})) == std::vector<int>{6});
    CHECK(finite(scores(forced, {1, 6}, 1)).size() == std::size_t{kWords - 2});
    CHECK(finite(scores(forced, {1, 1})).size() == std::size_t{kWords - 2});
    // A prompt of embeddings has no ids.
    CHECK(suppressedIds(rulesOf(at), {{}, 5, 0, 20}) == std::vector<int>{0, 1});
}

TEST_CASE("invalid scores are replaced where that is asked for, and without rules nothing changes") {
    const float none = std::nanf("");
    const at::Tensor logits = at::tensor({none, 1.0F, -2.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F});
    const std::vector<int> ids = {1};
    const at::Tensor ruled = ruledScores(logits, rulesOf({{"remove_invalid_values", true}}), {}, placeOf(ids, 0));
    CHECK(ruled.const_data_ptr<float>()[0] == 0);
    CHECK(ruled.const_data_ptr<float>()[1] == 1);
    CHECK(ruledScores(logits, {}, {1}, placeOf(ids, 0)).is_same(logits));
}

TEST_CASE("every key is read, kept as JSON, and put on a line") {
    const nlohmann::json keys = {{"repetition_penalty", 1.5},    {"no_repeat_ngram_size", 3}, {"bad_words_ids", {{1, 2}}},
                                 {"min_length", 4},              {"min_new_tokens", 2},       {"forced_bos_token_id", 1},
                                 {"forced_eos_token_id", {2}},   {"suppress_tokens", {5, 6}}, {"begin_suppress_tokens", {7}},
                                 {"remove_invalid_values", true}, {"max_new_tokens", 30},      {"max_length", 60}};
    CHECK(toJson(rulesOf(keys)) == keys);
    CHECK(toJson(rulesOf({{"eos_token_id", 3}, {"repetition_penalty", nullptr}, {"num_beams", 1}, {"do_sample", false}})).empty());
    CHECK(rulesOf(nlohmann::json::object()) == GenerationRules());
    CHECK(rulesText(rulesOf({{"repetition_penalty", 1.5}, {"suppress_tokens", {5, 6}}, {"max_length", 9}})) ==
          "repetition_penalty 1.5, suppress_tokens (2)");
    CHECK(rulesText({}).empty());
}

TEST_CASE("end tokens may be many") {
    std::vector<int> many(5000);
    std::iota(many.begin(), many.end(), 0);
    CHECK(readEndTokens(ConfigView({{"eos_token_id", many}}, "g")) == many);
    CHECK(readEndTokens(ConfigView({{"eos_token_id", -1}}, "g")).empty());
    CHECK(readEndTokens(ConfigView({{"eos_token_id", 7}}, "g")) == std::vector<int>{7});
}

TEST_CASE("what is not followed is named, and only that") {
    const Sampling greedy;
    Sampling drawn;
    drawn.temperature = 0.7;
    const auto notice = [](const nlohmann::json& json, const Sampling& sampling) { return unfollowedNotice(rulesOf(json), sampling); };
    const auto each = nlohmann::json::parse(R"({"num_beams": 4, "num_beam_groups": 2, "penalty_alpha": 0.6, "guidance_scale": 1.5,
        "encoder_repetition_penalty": 1.2, "encoder_no_repeat_ngram_size": 2, "sequence_bias": [[[1], -2.0]],
        "exponential_decay_length_penalty": [3, 1.2], "watermarking_config": {"bias": 2.0}, "stop_strings": "end",
        "force_words_ids": [[1]], "constraints": [1], "max_time": 2.0, "dola_layers": "low", "token_healing": true})");
    for (const auto& [key, value] : each.items()) {
        INFO(key);
        CHECK(notice({{key, value}}, greedy).starts_with("generation_config.json: " + key + " is not followed: "));
        CHECK(notice({{key, value}}, drawn).starts_with("generation_config.json: " + key + " is not followed: "));
    }
    const nlohmann::json draws = {{"do_sample", true}, {"temperature", 0.6}, {"top_k", 5}, {"top_p", 0.9}};
    CHECK(notice(draws, greedy).find("do_sample, temperature, top_k, top_p are not followed") != std::string::npos);
    CHECK(notice(draws, drawn).find(": top_k, top_p are not followed") != std::string::npos);
    drawn.topK = 4, drawn.topP = 0.5;
    CHECK(notice(draws, drawn).empty());
    for (const char* harmless : {R"({"temperature": 0.6, "top_k": 5})", R"({"num_beams": 1})", R"({"use_cache": true, "pad_token_id": 0})",
                                 R"({"guidance_scale": null, "penalty_alpha": 0})"})
        CHECK(notice(nlohmann::json::parse(harmless), greedy).empty());
    CHECK(toJson(rulesOf(draws)).at("not_followed").size() == 4);
}

TEST_CASE("values of a wrong type or range are refused with file, key, expected and found") {
    const std::vector<std::pair<const char*, nlohmann::json>> wrong = {
        {"repetition_penalty", "1.2"},     {"repetition_penalty", 0},       {"repetition_penalty", -1.5},
        {"no_repeat_ngram_size", -1},      {"no_repeat_ngram_size", 2.5},   {"bad_words_ids", {1, 2}},
        {"bad_words_ids", 3},              {"bad_words_ids", {{kWords}}},   {"bad_words_ids", nlohmann::json::array()},
        {"min_length", -1},                {"min_new_tokens", "3"},         {"max_new_tokens", 0},
        {"max_length", true},              {"forced_bos_token_id", kWords}, {"forced_bos_token_id", {1}},
        {"forced_eos_token_id", -1},       {"forced_eos_token_id", "end"},  {"suppress_tokens", 4},
        {"suppress_tokens", {1.5}},        {"begin_suppress_tokens", {"a"}}, {"remove_invalid_values", 1},
        {"eos_token_id", "</s>"},          {"eos_token_id", {-2}},          {"eos_token_id", 18446744073709551615ULL},
        {"num_beams", 0},                  {"do_sample", "yes"},            {"temperature", "hot"},
        {"top_k", -3},                     {"top_p", 2},                    {"guidance_scale", {1}}};
    for (const auto& [key, value] : wrong) {
        INFO(key, " ", value.dump());
        const std::optional<Error> error = refusal({{key, value}});
        REQUIRE(error);
        CHECK(error->code() == ErrorCode::Input);
        const std::string what = error->what();
        CHECK(what.starts_with("generation_config.json: " + std::string(key) + ": expected "));
        CHECK(what.find(", found ") != std::string::npos);
        CHECK_FALSE(error->hint().empty());
    }
    const nlohmann::json empty = {{"bad_words_ids", nlohmann::json::array({nlohmann::json::array()})}};
    CHECK(refusal(empty));
}
