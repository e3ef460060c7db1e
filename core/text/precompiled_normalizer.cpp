#include "text/charsmap.h"
#include "text/normalizer.h"
#include "text/utf8.h"

namespace fovea::text {
namespace {

constexpr std::size_t maxWholeGrapheme = 5;  // longer grapheme clusters are looked up character by character

/// Writes a replacement in the place of old characters: what it has more is added, what it has less is removed.
void replacePart(std::string_view old, std::string_view replacement, std::vector<CharChange>& out) {
    const std::size_t first = out.size();
    for (std::size_t at = 0; at < replacement.size();) {
        const Utf8Char c = charAt(replacement, at);
        at += c.length;
        out.push_back({c.code, 0});
    }
    const int difference = static_cast<int>(out.size() - first) - static_cast<int>(countChars(old));
    for (int i = 0; i < difference; ++i) out[out.size() - 1 - static_cast<std::size_t>(i)].change = 1;
    if (difference < 0 && !out.empty()) out.back().change += difference;
}

/// sentencepiece's replacement table, applied to grapheme clusters as the reference tokenizers do.
class PrecompiledNormalizer : public Normalizer {
public:
    explicit PrecompiledNormalizer(const JsonNode& node)
        : m_table(decodeBase64(node.text(), node.path()), node.path()) {}

    void apply(AlignedText& text) const override {
        std::vector<CharChange> out;
        out.reserve(text.text.size());
        const std::string_view whole = text.text;
        bool changed = false;
        std::size_t begin = 0;
        for (const std::uint32_t end : graphemeEnds(whole)) {
            changed |= appendGrapheme(whole.substr(begin, end - begin), out);
            begin = end;
        }
        if (changed) rewrite(text, out);
    }

private:
    bool appendGrapheme(std::string_view grapheme, std::vector<CharChange>& out) const {
        if (grapheme.size() <= maxWholeGrapheme) {
            if (const auto hit = m_table.shortest(grapheme)) {
                replacePart(grapheme, hit->replacement, out);
                return true;
            }
        }
        bool changed = false;
        for (std::size_t at = 0; at < grapheme.size();) {
            const Utf8Char c = charAt(grapheme, at);
            const std::string_view part = grapheme.substr(at, c.length);
            at += c.length;
            const auto hit = m_table.shortest(part);
            if (hit)
                replacePart(part, hit->replacement, out);
            else
                out.push_back({c.code, 0});
            changed |= hit.has_value();
        }
        return changed;
    }

    Charsmap m_table;
};

}  // namespace

std::unique_ptr<Normalizer> makePrecompiledNormalizer(const JsonNode& node) {
    return std::make_unique<PrecompiledNormalizer>(node.at("precompiled_charsmap"));
}

}  // namespace fovea::text
