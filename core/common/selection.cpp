#include "fovea/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>
#include <string_view>

#include "common/cell_selection.h"
#include "fovea/error.h"
#include "fovea/suggestion.h"

namespace fovea {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::size_t begin = 0;
    while (begin <= text.size()) {
        const std::size_t end = std::min(text.find(separator, begin), text.size());
        std::string part = text.substr(begin, end - begin);
        part.erase(0, part.find_first_not_of(" \t"));
        part.erase(part.find_last_not_of(" \t") + 1);
        if (!part.empty()) parts.push_back(std::move(part));
        begin = end + 1;
    }
    return parts;
}

std::optional<double> number(std::string_view text) {
    double value = 0;
    const auto [rest, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc() || rest != text.data() + text.size() || !std::isfinite(value)) return {};
    return value;
}

std::optional<int> integer(std::string_view text) {
    int value = 0;
    const auto [rest, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc() || rest != text.data() + text.size()) return {};
    return value;
}

[[noreturn]] void reject(const std::string& part, const std::string& what, int count) {
    throw Error(fmt::format("{}: \"{}\" selects nothing that exists (there are {}, counted from 0)", what,
                            part, count),
                count == 0 ? "there is nothing to select from"
                           : fmt::format("valid are 0 to {}, -1 to -{} from the end, ranges of them such as 0-{}, \"all\" and "
                            "\"last\"; several are joined by commas",
                            count - 1, count, count - 1),
                ErrorCode::Usage);
}

int resolved(std::string_view text, int count, const std::string& part, const std::string& what) {
    std::optional<int> value = text == "last" ? std::optional<int>(count - 1) : integer(text);
    if (value && *value < 0) *value += count;
    if (!value || *value < 0 || *value >= count) reject(part, what, count);
    return *value;
}

void addRange(const std::string& part, int count, const std::string& what, std::set<int>& out) {
    if (part == "all") {
        for (int i = 0; i < count; ++i) out.insert(i);
        return;
    }
    const std::size_t dash = part.find('-', 1);  // a leading dash counts from the end
    const int first = resolved(std::string_view(part).substr(0, dash), count, part, what);
    const int last = dash == std::string::npos
                         ? first
                         : resolved(std::string_view(part).substr(dash + 1), count, part, what);
    if (last < first) reject(part, what, count);
    for (int i = first; i <= last; ++i) out.insert(i);
}

// The pixels that tokens read: what xy: may name.
std::string readPixels(const StageTokens& stage) {
    double left = INFINITY, top = INFINITY, right = -INFINITY, bottom = -INFINITY;
    for (const Token& token : stage.tokens) {
        if (token.image < 0) continue;
        left = std::min(left, token.rect.x), top = std::min(top, token.rect.y);
        right = std::max(right, token.rect.x + token.rect.width);
        bottom = std::max(bottom, token.rect.y + token.rect.height);
    }
    if (!(left < right)) return "no token of this stage reads pixels";
    return fmt::format("tokens read x from {:g} to {:g} and y from {:g} to {:g}", left, right, top, bottom);
}

void addPixel(const std::string& part, const StageTokens& stage, std::set<int>& out) {
    const std::vector<std::string> parts = split(part.substr(3), ',');
    const std::optional<double> x = parts.size() == 2 ? number(parts[0]) : std::nullopt;
    const std::optional<double> y = parts.size() == 2 ? number(parts[1]) : std::nullopt;
    if (!x || !y)
        throw Error(fmt::format("token selection \"{}\": expected xy:X,Y", part), readPixels(stage), ErrorCode::Usage);
    const std::size_t before = out.size();
    bool known = false;
    for (const Token& token : stage.tokens)
        if (token.image >= 0 && token.rect.contains(*x, *y)) {
            out.insert(token.index);
            known = true;
        }
    if (!known && out.size() == before)
        throw Error(fmt::format("token selection \"{}\": no token reads that pixel", part),
                    readPixels(stage), ErrorCode::Usage);
}

[[noreturn]] void rejectNoAnswer(const std::string& part, const std::string& stage) {
    throw Error(fmt::format("token selection \"{}\": stage {} has no answer whose tokens were written", part, stage),
                "let the model answer first (--max-new-tokens); \"auto\" is the prompt's last token until then",
                ErrorCode::Usage);
}

// A word that names no tokens: neither an index nor a range of them.
void rejectWord(const std::string& part, const std::string& stage) {
    const bool index = part.starts_with("all") || part.starts_with("last") ||
                       part.find_first_of("0123456789") == 0 || part.starts_with("-");
    if (index) return;
    throw Error(fmt::format("tokens of stage {}: \"{}\" names no tokens", stage, part),
                suggestionHint(part, tokenWords()),
                ErrorCode::Usage);
}

void addPicture(const std::string& part, const TokenMap& map, const StageTokens& stage, std::set<int>& out) {
    const std::vector<int> images = parseIndices(part.substr(6), static_cast<int>(map.images.size()),
                                                 "pictures in token selection \"" + part + "\"");
    for (const Token& token : stage.tokens)
        if (token.kind == TokenKind::Image && std::binary_search(images.begin(), images.end(), token.image))
            out.insert(token.index);
}

// Place of the answer's first token; the number of tokens where there is no answer.
int answerBegin(const StageTokens& stage) {
    const auto first = std::find_if(stage.tokens.begin(), stage.tokens.end(),
                                    [](const Token& token) { return token.kind == TokenKind::Generated; });
    return static_cast<int>(first - stage.tokens.begin());
}

void addOfAnswer(const std::string& part, const StageTokens& stage, std::set<int>& out) {
    const int begin = answerBegin(stage);
    for (const int i : parseIndices(part.substr(part.find(':') + 1), stage.size() - begin,
                                    "answer tokens in token selection \"" + part + "\""))
        out.insert(begin + i);
}

bool isWriting(const std::string& part) { return part == "writing" || part.starts_with("writing:"); }

// Tokens of the answer that "writing" names; nothing wrote a token that a sequence begins with.
void addWritten(const std::string& part, const StageTokens& stage, std::set<int>& out) {
    const int begin = answerBegin(stage);
    if (begin == stage.size()) rejectNoAnswer(part, stage.stage);
    if (part != "writing") {
        addOfAnswer(part, stage, out);
    } else {
        for (const Token& token : stage.tokens)
            if (token.kind == TokenKind::Generated) out.insert(token.index);
    }
    out.erase(0);
}

// Words that name a set of tokens; false when `word` is none.
bool addNamed(const std::string& word, const StageTokens& stage, std::set<int>& out) {
    if (word == "answer" || word == "text" || word == "special" || word == "separators") {
        const TokenKind kind = word == "answer"    ? TokenKind::Generated
                               : word == "text"    ? TokenKind::Text
                               : word == "special" ? TokenKind::Special
                                                   : TokenKind::Separator;
        for (const Token& token : stage.tokens)
            if (token.kind == kind) out.insert(token.index);
        return true;
    }
    const bool known = word == "cls" || word == "registers" || word == "prefix" || word == "patches";
    if (!known) return false;
    const int prefix = stage.prefixTokens();
    for (const Token& token : stage.tokens) {
        const bool isPatch = token.kind == TokenKind::Image;
        if ((word == "cls" && token.kind == TokenKind::Special && token.index == 0) ||
            (word == "registers" && token.kind == TokenKind::Register) ||
            (word == "prefix" && token.index < prefix) || (word == "patches" && isPatch))
            out.insert(token.index);
    }
    return true;
}

// What the parts of a selection name, apart for those whose rows are their own.
struct Named {
    std::set<int> tokens, written;
};

Named namedIn(const std::string& text, const TokenMap& map, const std::string& stageName) {
    const StageTokens& stage = map.stage(stageName);
    Named out;
    for (const std::string& given : split(text, ';')) {
        const std::string part = given == "auto" ? automaticTokens(stage) : given;
        if (addNamed(part, stage, out.tokens)) continue;
        if (isWriting(part)) {
            addWritten(part, stage, out.written);
        } else if (namesCells(part)) {
            const std::vector<int> cells = cellTokens(part, map, stage);
            out.tokens.insert(cells.begin(), cells.end());
        } else if (part.starts_with("answer:")) {
            addOfAnswer(part, stage, out.tokens);
        } else if (part.starts_with("image:")) {
            addPicture(part, map, stage, out.tokens);
        } else if (part.starts_with("xy:")) {
            addPixel(part, stage, out.tokens);
        } else {
            rejectWord(part, stageName);
            const std::vector<int> indices = parseIndices(part, stage.size(), "tokens of stage " + stageName);
            out.tokens.insert(indices.begin(), indices.end());
        }
    }
    return out;
}

}  // namespace

std::vector<std::string> tokenWords() {
    return {"all",       "last", "cls",     "registers",       "prefix", "patches",  "auto", "answer", "answer:N", "writing",
            "writing:N", "text", "image:N", "grid:ROW,COLUMN", "image:N/grid:ROW,COLUMN", "xy:X,Y", "an index", "a range like 0-5"};
}

std::vector<int> parseIndices(const std::string& text, int count, const std::string& what) {
    std::set<int> out;
    for (const std::string& part : split(text, ',')) addRange(part, count, what, out);
    return {out.begin(), out.end()};
}

std::string automaticTokens(const StageTokens& stage) {
    const auto has = [&](TokenKind kind) {
        return std::any_of(stage.tokens.begin(), stage.tokens.end(),
                           [&](const Token& token) { return token.kind == kind; });
    };
    if (has(TokenKind::Generated)) return "writing";
    if (!has(TokenKind::Text) || stage.tokens.front().text == "[CLS]") return "cls";
    const auto last = std::find_if(stage.tokens.rbegin(), stage.tokens.rend(),
                                   [](const Token& token) { return token.kind != TokenKind::Padding; });
    return std::to_string(last->index);
}

int answerPosition(const StageTokens& stage, int token) {
    const int begin = answerBegin(stage);
    return token >= begin ? token - begin : -1;
}

std::vector<SelectedToken> selectedTokens(const std::string& text, const TokenMap& map, const std::string& stage) {
    const Named named = namedIn(text, map, stage);
    std::vector<SelectedToken> out;
    for (const int token : named.tokens) out.push_back({token, token});
    for (const int token : named.written) out.push_back({token, token - 1});
    std::sort(out.begin(), out.end());
    return out;
}

std::vector<int> namedTokens(const std::string& text, const TokenMap& map, const std::string& stage) {
    Named named = namedIn(text, map, stage);
    named.tokens.merge(named.written);
    return {named.tokens.begin(), named.tokens.end()};
}

std::vector<int> parseTokens(const std::string& text, const TokenMap& map, const std::string& stage) {
    Named named = namedIn(text, map, stage);
    for (const int token : named.written) named.tokens.insert(token - 1);
    return {named.tokens.begin(), named.tokens.end()};
}

}  // namespace fovea
