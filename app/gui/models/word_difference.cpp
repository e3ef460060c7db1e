#include "models/word_difference.h"

#include <algorithm>
#include <cctype>
#include <cstddef>

namespace fovea::gui {

namespace {

constexpr std::size_t mostCells = 4'000'000;  // of the table; longer answers are compared word by word

struct Word {
    std::string text;
    std::vector<int> tokens;
    bool operator==(const Word& other) const { return text == other.text; }
};

std::vector<Word> wordsOf(const std::vector<std::string>& pieces) {
    std::vector<Word> words;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        const bool begins = !pieces[i].empty() && std::isspace(static_cast<unsigned char>(pieces[i].front()));
        if (words.empty() || begins) words.emplace_back();
        words.back().tokens.push_back(static_cast<int>(i));
        for (const char c : pieces[i])
            if (!std::isspace(static_cast<unsigned char>(c))) words.back().text += c;
    }
    std::erase_if(words, [](const Word& word) { return word.text.empty(); });
    return words;
}

/// Which words belong to a longest common subsequence.
std::pair<std::vector<bool>, std::vector<bool>> common(const std::vector<Word>& a, const std::vector<Word>& b) {
    const std::size_t n = a.size(), m = b.size();
    std::pair<std::vector<bool>, std::vector<bool>> kept{std::vector<bool>(n), std::vector<bool>(m)};
    if (n * m > mostCells) {
        for (std::size_t i = 0; i < std::min(n, m); ++i) kept.first[i] = kept.second[i] = a[i] == b[i];
        return kept;
    }
    std::vector<int> length((n + 1) * (m + 1));
    const auto at = [&](std::size_t i, std::size_t j) -> int& { return length[i * (m + 1) + j]; };
    for (std::size_t i = n; i-- > 0;)
        for (std::size_t j = m; j-- > 0;)
            at(i, j) = a[i] == b[j] ? at(i + 1, j + 1) + 1 : std::max(at(i + 1, j), at(i, j + 1));
    for (std::size_t i = 0, j = 0; i < n && j < m;) {
        if (a[i] == b[j])
            kept.first[i++] = kept.second[j++] = true;
        else if (at(i + 1, j) >= at(i, j + 1))
            ++i;
        else
            ++j;
    }
    return kept;
}

std::set<int> tokensOutside(const std::vector<Word>& words, const std::vector<bool>& kept) {
    std::set<int> tokens;
    for (std::size_t i = 0; i < words.size(); ++i)
        if (!kept[i]) tokens.insert(words[i].tokens.begin(), words[i].tokens.end());
    return tokens;
}

}  // namespace

std::pair<std::set<int>, std::set<int>> differingTokens(const std::vector<std::string>& a,
                                                        const std::vector<std::string>& b) {
    const std::vector<Word> left = wordsOf(a), right = wordsOf(b);
    const auto [first, second] = common(left, right);
    return {tokensOutside(left, first), tokensOutside(right, second)};
}

}  // namespace fovea::gui
