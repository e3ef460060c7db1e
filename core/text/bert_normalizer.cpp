#include "text/normalizer.h"
#include "text/utf8.h"

namespace fovea::text {
namespace {

bool kept(char32_t c) {
    return c == '\t' || c == '\n' || c == '\r' || !(c == 0 || c == 0xFFFD || isControl(c));
}

/// The steps of BERT's own text clean-up, each of which a file may switch off.
class BertNormalizer : public Normalizer {
public:
    explicit BertNormalizer(const JsonNode& node)
        : m_clean(node.boolean("clean_text", true)),
          m_spaceIdeographs(node.boolean("handle_chinese_chars", true)),
          m_lowercase(node.boolean("lowercase", true)),
          m_stripAccents(node.boolean("strip_accents", m_lowercase)) {}

    void apply(AlignedText& text) const override {
        if (m_clean) clean(text);
        if (m_spaceIdeographs) spaceIdeographs(text);
        if (m_stripAccents) {
            rewrite(text, normalizedForm(text.text, UnicodeForm::NFD));
            keepOnly(text, [](char32_t c) { return !isNonspacingMark(c); });
        }
        if (m_lowercase) lowercase(text);
    }

private:
    static void clean(AlignedText& text) {
        keepOnly(text, kept);
        std::vector<CharChange> changed;
        changed.reserve(text.text.size());
        for (std::size_t at = 0; at < text.text.size();) {
            const Utf8Char c = charAt(text.text, at);
            at += c.length;
            changed.push_back({isWhitespace(c.code) ? U' ' : c.code, 0});
        }
        rewrite(text, changed);
    }

    static void spaceIdeographs(AlignedText& text) {
        std::vector<CharChange> changed;
        changed.reserve(text.text.size());
        for (std::size_t at = 0; at < text.text.size();) {
            const Utf8Char c = charAt(text.text, at);
            at += c.length;
            if (isChineseCharacter(c.code))
                changed.insert(changed.end(), {{U' ', 0}, {c.code, 1}, {U' ', 1}});
            else
                changed.push_back({c.code, 0});
        }
        rewrite(text, changed);
    }

    bool m_clean, m_spaceIdeographs, m_lowercase, m_stripAccents;
};

}  // namespace

std::unique_ptr<Normalizer> makeBertNormalizer(const JsonNode& node) {
    return std::make_unique<BertNormalizer>(node);
}

}  // namespace fovea::text
