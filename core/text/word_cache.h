#pragma once

#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "text/token_model.h"

namespace fovea::text {

/// The tokens of the words of one text: long texts repeat their words.
class WordCache {
public:
    explicit WordCache(const TokenModel& model) : m_model(model) {}

    /// The tokens of a word; valid until the next call.
    std::span<const ModelToken> tokens(std::string_view word) {
        if (word.size() > maxWord) return fresh(word);
        const auto known = m_words.find(word);
        if (known != m_words.end())
            return std::span<const ModelToken>(m_tokens).subspan(known->second.begin, known->second.count);
        if (m_words.size() >= maxWords) return fresh(word);
        const std::size_t begin = m_tokens.size();
        m_model.tokenize(word, m_tokens);
        m_words.emplace(word, Range{begin, m_tokens.size() - begin});
        return std::span<const ModelToken>(m_tokens).subspan(begin);
    }

private:
    static constexpr std::size_t maxWord = 128, maxWords = 1 << 16;
    struct Range {
        std::size_t begin, count;
    };

    std::span<const ModelToken> fresh(std::string_view word) {
        m_scratch.clear();
        m_model.tokenize(word, m_scratch);
        return m_scratch;
    }

    const TokenModel& m_model;
    std::unordered_map<std::string_view, Range> m_words;  // views of the text that is being encoded
    std::vector<ModelToken> m_tokens, m_scratch;
};

}  // namespace fovea::text
