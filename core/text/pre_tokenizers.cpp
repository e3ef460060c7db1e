#include <map>

#include "text/limits.h"
#include "text/normalizer.h"
#include "text/pattern.h"
#include "text/pre_tokenizer.h"
#include "text/utf8.h"

namespace fovea::text {
namespace {

SplitBehavior behaviorOf(const JsonNode& node) {
    static const std::map<std::string, SplitBehavior> names = {
        {"Removed", SplitBehavior::Removed},
        {"Isolated", SplitBehavior::Isolated},
        {"MergedWithPrevious", SplitBehavior::MergedWithPrevious},
        {"MergedWithNext", SplitBehavior::MergedWithNext},
        {"Contiguous", SplitBehavior::Contiguous}};
    const auto found = names.find(node.text());
    if (found == names.end()) node.fail("Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
    return found->second;
}

class SplitPreTokenizer : public PreTokenizer {
public:
    explicit SplitPreTokenizer(const JsonNode& node)
        : m_pattern(node.at("pattern")),
          m_behavior(behaviorOf(node.at("behavior"))),
          m_invert(node.boolean("invert", false)) {}

    void apply(Pieces& pieces) const override {
        const auto find = [this](std::string_view text, std::vector<Match>& out) {
            m_pattern.findAll(text, out);
            if (!m_invert) return;
            for (Match& match : out) match.matched = !match.matched;
        };
        pieces.split(find, m_behavior);
    }

private:
    Pattern m_pattern;
    SplitBehavior m_behavior;
    bool m_invert;
};

/// Splits at single characters of a kind.
class CharacterPreTokenizer : public PreTokenizer {
public:
    CharacterPreTokenizer(bool (*fits)(char32_t), SplitBehavior behavior) : m_fits(fits), m_behavior(behavior) {}
    void apply(Pieces& pieces) const override {
        pieces.split([this](std::string_view text, std::vector<Match>& out) { findCharacters(text, m_fits, out); },
                     m_behavior);
    }

private:
    bool (*m_fits)(char32_t);
    SplitBehavior m_behavior;
};

class DelimiterPreTokenizer : public PreTokenizer {
public:
    explicit DelimiterPreTokenizer(const JsonNode& node) : m_delimiter(toUtf8(node.at("delimiter").character())) {}
    void apply(Pieces& pieces) const override {
        pieces.split([this](std::string_view text, std::vector<Match>& out) { findLiteral(text, m_delimiter, out); },
                     SplitBehavior::Removed);
    }

private:
    std::string m_delimiter;
};

/// Runs of word characters and runs of everything else but white space.
class WordPreTokenizer : public PreTokenizer {
public:
    void apply(Pieces& pieces) const override { pieces.split(findRuns, SplitBehavior::Removed); }

private:
    enum class Kind { Space, Word, Other };
    static Kind kindOf(char32_t c) {
        return isWordCharacter(c) ? Kind::Word : isWhitespace(c) ? Kind::Space : Kind::Other;
    }

    static void findRuns(std::string_view text, std::vector<Match>& out) {
        Kind kind = Kind::Space;
        std::size_t begin = 0;
        const auto close = [&](std::size_t end) {
            if (begin < end)
                out.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end), kind == Kind::Space});
            begin = end;
        };
        for (std::size_t at = 0; at < text.size();) {
            const Utf8Char c = charAt(text, at);
            const Kind next = kindOf(c.code);
            if (next != kind) close(at);
            kind = next;
            at += c.length;
        }
        close(text.size());
    }
};

class FixedLengthPreTokenizer : public PreTokenizer {
public:
    explicit FixedLengthPreTokenizer(const JsonNode& node)
        : m_length(node.has("length") ? node.at("length").integer(1, maxTextBytes) : 5) {}

    void apply(Pieces& pieces) const override {
        const auto find = [this](std::string_view text, std::vector<Match>& out) {
            std::size_t begin = 0;
            std::int64_t count = 0;
            for (std::size_t at = 0; at < text.size();) {
                at += charAt(text, at).length;
                if (++count % m_length != 0 && at < text.size()) continue;
                out.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(at), false});
                begin = at;
            }
        };
        pieces.split(find, SplitBehavior::Isolated);
    }

private:
    std::int64_t m_length;
};

class PreTokenizerSequence : public PreTokenizer {
public:
    explicit PreTokenizerSequence(std::vector<std::unique_ptr<PreTokenizer>> members)
        : m_members(std::move(members)) {}
    void apply(Pieces& pieces) const override {
        for (const auto& member : m_members) member->apply(pieces);
    }

private:
    std::vector<std::unique_ptr<PreTokenizer>> m_members;
};

std::unique_ptr<PreTokenizer> makeBert() {
    std::vector<std::unique_ptr<PreTokenizer>> steps;
    steps.push_back(std::make_unique<CharacterPreTokenizer>(isWhitespace, SplitBehavior::Removed));
    steps.push_back(std::make_unique<CharacterPreTokenizer>(isPunctuation, SplitBehavior::Isolated));
    return std::make_unique<PreTokenizerSequence>(std::move(steps));
}

std::unique_ptr<PreTokenizer> makeOnePreTokenizer(const JsonNode& node) {
    const std::string& type = node.at("type").text();
    const auto characters = [](bool (*fits)(char32_t), SplitBehavior behavior) {
        return std::make_unique<CharacterPreTokenizer>(fits, behavior);
    };
    if (type == "ByteLevel") return makeByteLevelPreTokenizer(node);
    if (type == "Metaspace") return makeMetaspacePreTokenizer(node);
    if (type == "Split") return std::make_unique<SplitPreTokenizer>(node);
    if (type == "BertPreTokenizer") return makeBert();
    if (type == "Whitespace") return std::make_unique<WordPreTokenizer>();
    if (type == "WhitespaceSplit") return characters(isWhitespace, SplitBehavior::Removed);
    if (type == "Digits")
        return characters(isNumeric, node.boolean("individual_digits", false) ? SplitBehavior::Isolated
                                                                              : SplitBehavior::Contiguous);
    if (type == "Punctuation")
        return characters(isPunctuation,
                          node.has("behavior") ? behaviorOf(node.at("behavior")) : SplitBehavior::Isolated);
    if (type == "CharDelimiterSplit") return std::make_unique<DelimiterPreTokenizer>(node);
    if (type == "FixedLength") return std::make_unique<FixedLengthPreTokenizer>(node);
    node.at("type").fail("a pre-tokenizer that Fovea knows");
}

}  // namespace

std::unique_ptr<PreTokenizer> makePreTokenizer(const JsonNode& node) {
    std::vector<std::unique_ptr<PreTokenizer>> members;
    for (const JsonNode& part : flatSequence(node, "pretokenizers")) members.push_back(makeOnePreTokenizer(part));
    if (members.size() == 1) return std::move(members.front());
    return std::make_unique<PreTokenizerSequence>(std::move(members));
}

}  // namespace fovea::text
