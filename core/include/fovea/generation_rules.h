#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace fovea {

/// What a model's generation_config.json asks of its answers; without the file, nothing.
struct GenerationRules {
    double repetitionPenalty = 1;            ///< repetition_penalty, also of the prompt's tokens
    int noRepeatNgramSize = 0;               ///< no_repeat_ngram_size; 0: none
    std::vector<std::vector<int>> badWords;  ///< bad_words_ids
    int minLength = 0;                       ///< min_length, prompt and answer together
    std::optional<int> minNewTokens;         ///< min_new_tokens; counts in the place of minLength
    std::optional<int> forcedBegin;          ///< forced_bos_token_id, behind a prompt of one token
    std::vector<int> forcedEnds;             ///< forced_eos_token_id: the last token of the longest answer
    bool removeInvalid = false;              ///< remove_invalid_values
    std::vector<int> suppressed;             ///< suppress_tokens
    std::vector<int> beginSuppressed;        ///< begin_suppress_tokens
    int maxNewTokens = 0, maxLength = 0;     ///< max_new_tokens, max_length where no length is asked for; 0: not said
    bool draws = false;                      ///< do_sample, which is not followed
    std::vector<std::string> drawing;        ///< keys that say how tokens are drawn (temperature, top_k, ...)
    std::vector<std::string> unserved;       ///< other keys that change answers of transformers and are not followed
    bool operator==(const GenerationRules&) const = default;
};

/// Where an answer stands when its next token is chosen.
struct AnswerPlace {
    std::span<const int> ids;  ///< of the prompt, where it has ids, and of the answer so far
    int promptTokens = 0;      ///< also those without ids
    int answered = 0;
    int longest = 0;  ///< tokens that the answer may have
};

/// Tokens that may not come next for their repetition, as bad words, or as an end that comes too early; some may be
/// beyond the vocabulary, or there twice.
std::vector<int> bannedIds(const GenerationRules& rules, std::span<const int> ends, const AnswerPlace& place);

/// Tokens one of which comes next whatever else is likely; empty: any may.
std::vector<int> forcedIds(const GenerationRules& rules, const AnswerPlace& place);

/// Tokens that may not come next even where they are forced.
std::vector<int> suppressedIds(const GenerationRules& rules, const AnswerPlace& place);

/// What differs from no rules at all, by the keys of generation_config.json; keys not followed under "not_followed".
nlohmann::json toJson(const GenerationRules& rules);

/// The rules that act on tokens on one line, long lists by their lengths: "repetition_penalty 1.2, suppress_tokens (3)".
std::string rulesText(const GenerationRules& rules);

}  // namespace fovea
