#include "nn/tower_prompt.h"

#include <fmt/format.h>

#include <algorithm>

namespace fovea {
namespace {

bool isSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool isPunctuation(char c) {
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

std::string prepared(const std::string& text, const TowerPromptSpec& spec) {
    std::string out;
    for (char c : text) {
        if (spec.lowered && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        if (spec.bare && isPunctuation(c)) continue;
        if (spec.bare && isSpace(c)) {
            if (!out.empty() && out.back() != ' ') out += ' ';
            continue;
        }
        out += c;
    }
    if (spec.bare && !out.empty() && out.back() == ' ') out.pop_back();
    return out;
}

void shorten(Encoding& encoding, std::size_t length) {
    // The end token stays at the end.
    encoding.ids[length - 1] = encoding.ids.back();
    encoding.spans[length - 1] = encoding.spans.back();
    encoding.special[length - 1] = encoding.special.back();
    encoding.ids.resize(length);
    encoding.spans.resize(length);
    encoding.special.resize(length);
}

}  // namespace

TowerPrompt towerPrompt(const PromptReader& reader, const std::string& text, const TowerPromptSpec& spec) {
    const PromptText prompt{prepared(text, spec), AddSpecial::Yes, {}};
    Encoding encoding = reader.encode(prompt, spec.vocabulary);
    TowerPrompt out;
    const auto length = static_cast<std::size_t>(spec.length);
    if (encoding.ids.size() > length) {
        out.notices.push_back(fmt::format("the text has {} tokens, the model reads {}: its end is left out",
                                          encoding.ids.size(), length));
        shorten(encoding, length);
    }
    out.ids = encoding.ids;
    out.tokens = promptTokens(reader, "text", prompt.text, encoding);
    const std::size_t missing = spec.padded ? length - out.ids.size() : 0;
    Token padding;
    padding.kind = TokenKind::Padding;
    padding.text = reader.shown(spec.padToken);
    std::vector<Token>& tokens = out.tokens.tokens;
    tokens.insert(spec.padLeft ? tokens.begin() : tokens.end(), missing, padding);
    out.ids.insert(spec.padLeft ? out.ids.begin() : out.ids.end(), missing, spec.padToken);
    for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i].index = static_cast<int>(i);
    return out;
}

}  // namespace fovea
