#include "text/pattern.h"

#include "text/utf8.h"

namespace fovea::text {
namespace {

std::uint32_t u32(std::size_t value) {
    return static_cast<std::uint32_t>(value);
}

}  // namespace

Pattern::Pattern(const JsonNode& node) {
    if (node.has("String")) {
        m_literal = node.at("String").text();
        if (m_literal.empty()) m_regex.emplace("", node.path());
    } else {
        m_regex.emplace(node.at("Regex").text(), node.path());
    }
}

void Pattern::findAll(std::string_view text, std::vector<Match>& out) const {
    if (m_regex)
        m_regex->findAll(text, out);
    else
        findLiteral(text, m_literal, out);
}

void findCharacters(std::string_view text, bool (*fits)(char32_t), std::vector<Match>& out) {
    std::size_t covered = 0;
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Char c = charAt(text, at);
        if (fits(c.code)) {
            if (covered < at) out.push_back({u32(covered), u32(at), false});
            out.push_back({u32(at), u32(at + c.length), true});
            covered = at + c.length;
        }
        at += c.length;
    }
    if (covered < text.size()) out.push_back({u32(covered), u32(text.size()), false});
}

void findLiteral(std::string_view text, std::string_view literal, std::vector<Match>& out) {
    std::size_t covered = 0;
    for (std::size_t at = text.find(literal); at != std::string_view::npos; at = text.find(literal, covered)) {
        if (covered < at) out.push_back({u32(covered), u32(at), false});
        covered = at + literal.size();
        out.push_back({u32(at), u32(covered), true});
    }
    if (covered < text.size()) out.push_back({u32(covered), u32(text.size()), false});
}

}  // namespace fovea::text
