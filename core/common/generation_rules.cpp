#include "fovea/generation_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace fovea {
namespace {

// The reference's order: a prefix that is repeated bans what followed it. A prefix of nothing bans all tokens there are.
void addRepeated(std::vector<int>& banned, int size, std::span<const int> ids) {
    const auto n = static_cast<std::size_t>(size);
    if (size <= 0 || ids.size() < n) return;
    const std::span<const int> prefix = ids.last(n - 1);
    for (std::size_t at = 0; at + n <= ids.size(); ++at)
        if (std::equal(prefix.begin(), prefix.end(), ids.begin() + static_cast<std::ptrdiff_t>(at)))
            banned.push_back(ids[at + n - 1]);
}

void addBadWord(std::vector<int>& banned, const std::vector<int>& word, std::span<const int> ends,
                std::span<const int> ids) {
    if (word.empty()) return;
    if (word.size() == 1) {
        // An end token is no bad word.
        if (std::find(ends.begin(), ends.end(), word[0]) == ends.end()) banned.push_back(word[0]);
        return;
    }
    // The reference wants as many tokens before as the whole word has.
    if (word.size() > ids.size()) return;
    const std::span<const int> before = ids.last(word.size() - 1);
    if (std::equal(before.begin(), before.end(), word.begin())) banned.push_back(word.back());
}

}  // namespace

std::vector<int> bannedIds(const GenerationRules& rules, std::span<const int> ends, const AnswerPlace& place) {
    std::vector<int> banned;
    addRepeated(banned, rules.noRepeatNgramSize, place.ids);
    for (const std::vector<int>& word : rules.badWords) addBadWord(banned, word, ends, place.ids);
    const int least = rules.minNewTokens ? *rules.minNewTokens : rules.minLength - place.promptTokens;
    if (place.answered < least) banned.insert(banned.end(), ends.begin(), ends.end());
    return banned;
}

std::vector<int> forcedIds(const GenerationRules& rules, const AnswerPlace& place) {
    if (place.answered == place.longest - 1 && !rules.forcedEnds.empty()) return rules.forcedEnds;
    if (rules.forcedBegin && place.ids.size() == 1) return {*rules.forcedBegin};
    return {};
}

std::vector<int> suppressedIds(const GenerationRules& rules, const AnswerPlace& place) {
    std::vector<int> all = rules.suppressed;
    const std::size_t prompt = place.ids.size() - static_cast<std::size_t>(place.answered);
    const int begin = prompt <= 1 && rules.forcedBegin ? 1 : 0;
    if (place.answered == begin) all.insert(all.end(), rules.beginSuppressed.begin(), rules.beginSuppressed.end());
    return all;
}

nlohmann::json toJson(const GenerationRules& rules) {
    nlohmann::json out = nlohmann::json::object();
    if (rules.repetitionPenalty != 1) out["repetition_penalty"] = rules.repetitionPenalty;
    if (rules.noRepeatNgramSize > 0) out["no_repeat_ngram_size"] = rules.noRepeatNgramSize;
    if (!rules.badWords.empty()) out["bad_words_ids"] = rules.badWords;
    if (rules.minLength > 0) out["min_length"] = rules.minLength;
    if (rules.minNewTokens) out["min_new_tokens"] = *rules.minNewTokens;
    if (rules.forcedBegin) out["forced_bos_token_id"] = *rules.forcedBegin;
    if (!rules.forcedEnds.empty()) out["forced_eos_token_id"] = rules.forcedEnds;
    if (rules.removeInvalid) out["remove_invalid_values"] = true;
    if (!rules.suppressed.empty()) out["suppress_tokens"] = rules.suppressed;
    if (!rules.beginSuppressed.empty()) out["begin_suppress_tokens"] = rules.beginSuppressed;
    if (rules.maxNewTokens > 0) out["max_new_tokens"] = rules.maxNewTokens;
    if (rules.maxLength > 0) out["max_length"] = rules.maxLength;
    std::vector<std::string> others = rules.unserved;
    if (rules.draws) others.emplace_back("do_sample");
    if (rules.draws) others.insert(others.end(), rules.drawing.begin(), rules.drawing.end());
    if (!others.empty()) out["not_followed"] = others;
    return out;
}

std::string rulesText(const GenerationRules& rules) {
    const nlohmann::json all = toJson(rules);
    std::string out;
    for (const auto& [key, value] : all.items()) {
        if (key == "max_new_tokens" || key == "max_length" || key == "not_followed") continue;
        const std::string shown = value.is_array()          ? fmt::format("({})", value.size())
                                  : value.is_number_float() ? fmt::format("{:g}", value.get<double>())
                                                            : value.dump();
        out += fmt::format("{}{} {}", out.empty() ? "" : ", ", key, shown);
    }
    return out;
}

}  // namespace fovea
