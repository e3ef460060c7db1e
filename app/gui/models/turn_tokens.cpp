#include "models/turn_tokens.h"

#include <algorithm>
#include <string>

namespace fovea::gui {

namespace {

std::string trimmed(const std::string& text) {
    const std::size_t begin = text.find_first_not_of(" \t\r\n");
    return begin == std::string::npos ? std::string() : text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

}  // namespace

std::vector<std::pair<int, int>> turnTokens(const StageTokens& prompt, const std::vector<ChatTurn>& turns) {
    std::string whole;
    std::vector<std::size_t> ends;  // bytes of `whole` after each token
    for (const Token& token : prompt.tokens) {
        if (token.kind == TokenKind::Text) whole += token.text;
        ends.push_back(whole.size());
    }
    std::vector<std::pair<int, int>> spans;
    std::size_t from = 0;
    int first = 0;
    for (const ChatTurn& turn : turns) {
        const std::string text = trimmed(turn.text);
        const std::size_t at = whole.find(text, from);
        if (text.empty() || at == std::string::npos) return {};
        from = at + text.size();
        const auto last = std::lower_bound(ends.begin(), ends.end(), from);
        const int end = static_cast<int>(last - ends.begin()) + 1;
        spans.emplace_back(first, std::min(end, prompt.size()));
        first = spans.back().second;
    }
    return spans;
}

}  // namespace fovea::gui
