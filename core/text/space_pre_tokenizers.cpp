// The pre-tokenizers that write spaces as visible characters: ByteLevel and Metaspace.
#include "text/byte_alphabet.h"
#include "text/pattern.h"
#include "text/pre_tokenizer.h"
#include "text/utf8.h"

namespace fovea::text {
namespace {

constexpr const char* gpt2Words =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

class ByteLevelPreTokenizer : public PreTokenizer {
public:
    explicit ByteLevelPreTokenizer(const JsonNode& node) : m_prefixSpace(node.boolean("add_prefix_space", true)) {
        if (node.boolean("use_regex", true)) m_words.emplace(gpt2Words, node.path());
    }

    void apply(Pieces& pieces) const override {
        if (m_prefixSpace)
            pieces.rewrite([](AlignedText& text) {
                if (!text.text.starts_with(' ')) prepend(text, " ");
            });
        if (m_words)
            pieces.split([this](std::string_view text, std::vector<Match>& out) { m_words->findAll(text, out); },
                         SplitBehavior::Isolated);
        pieces.rewrite(toByteLevel);
    }

private:
    bool m_prefixSpace;
    std::optional<Regex> m_words;
};

class MetaspacePreTokenizer : public PreTokenizer {
public:
    explicit MetaspacePreTokenizer(const JsonNode& node)
        : m_mark(toUtf8(node.at("replacement").character())),
          m_scheme(prependSchemeOf(node)),
          m_split(node.boolean("split", true)) {}

    void apply(Pieces& pieces) const override {
        pieces.rewrite([this](AlignedText& text) { mark(text); });
        if (m_split)
            pieces.split([this](std::string_view text, std::vector<Match>& out) { findLiteral(text, m_mark, out); },
                         SplitBehavior::MergedWithNext);
    }

private:
    void mark(AlignedText& text) const {
        std::vector<Match> spaces;
        findLiteral(text.text, " ", spaces);
        replaceMatches(text, spaces, m_mark);
        if (text.text.starts_with(m_mark) || m_scheme == PrependScheme::Never) return;
        if (m_scheme == PrependScheme::Always || text.origin == 0) prepend(text, m_mark);
    }

    std::string m_mark;
    PrependScheme m_scheme;
    bool m_split;
};

}  // namespace

PrependScheme prependSchemeOf(const JsonNode& node) {
    if (!node.boolean("add_prefix_space", true)) return PrependScheme::Never;
    const std::string name = node.text("prepend_scheme", "always");
    if (name == "first") return PrependScheme::First;
    if (name == "never") return PrependScheme::Never;
    if (name == "always") return PrependScheme::Always;
    node.at("prepend_scheme").fail("first, never or always");
}

std::unique_ptr<PreTokenizer> makeByteLevelPreTokenizer(const JsonNode& node) {
    return std::make_unique<ByteLevelPreTokenizer>(node);
}

std::unique_ptr<PreTokenizer> makeMetaspacePreTokenizer(const JsonNode& node) {
    return std::make_unique<MetaspacePreTokenizer>(node);
}

}  // namespace fovea::text
