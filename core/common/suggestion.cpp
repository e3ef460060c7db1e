#include "fovea/suggestion.h"

#include <algorithm>
#include <cctype>

namespace fovea {
namespace {

constexpr std::size_t kLongest = 64;

std::string plain(const std::string& word) {
    std::string out;
    for (const char c : word)
        out += c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

// Damerau's distance in its restricted form: no part of the word is changed twice.
std::size_t distance(const std::string& a, const std::string& b) {
    std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        now[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = std::min(now[j], before[j - 2] + 1);
        }
        before.swap(last), last.swap(now);
    }
    return last[b.size()];
}

}  // namespace

std::string closestWord(const std::string& word, const std::vector<std::string>& known) {
    if (word.empty() || word.size() > kLongest) return {};
    const std::string wanted = plain(word);
    std::string best;
    std::size_t least = std::max<std::size_t>(1, wanted.size() / 3) + 1;
    for (const std::string& candidate : known) {
        if (candidate.size() > kLongest) continue;
        const std::size_t apart = distance(wanted, plain(candidate));
        if (apart < least && apart < candidate.size()) best = candidate, least = apart;
    }
    if (!best.empty() || wanted.size() < 3) return best;
    for (const std::string& candidate : known)
        if (plain(candidate).starts_with(wanted)) return candidate;
    return {};
}

std::string suggestionHint(const std::string& word, const std::vector<std::string>& known) {
    const std::string meant = closestWord(word, known);
    std::string hint = meant.empty() ? "" : "did you mean \"" + meant + "\"? ";
    hint += "known: ";
    for (std::size_t i = 0; i < known.size(); ++i) hint += (i == 0 ? "" : ", ") + known[i];
    return hint;
}

}  // namespace fovea
