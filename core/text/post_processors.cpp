#include <map>

#include "text/byte_alphabet.h"
#include "text/limits.h"
#include "text/normalizer.h"
#include "text/post_processor.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace fovea::text {
namespace {

constexpr auto largestId = static_cast<std::int64_t>(maxVocabulary) - 1;
constexpr std::size_t maxTemplate = 1024;

bool isSpace(char32_t c) {
    return c == characterOfByte(' ') || isWhitespace(c);
}

std::size_t leadingSpaces(std::string_view token) {
    std::size_t count = 0, at = 0;
    while (at < token.size() && isSpace(charAt(token, at).code)) {
        at += charAt(token, at).length;
        ++count;
    }
    return count;
}

std::size_t trailingSpaces(std::string_view token) {
    std::size_t count = 0, end = token.size();
    while (end > 0 && isSpace(charBefore(token, end).code)) {
        end -= charBefore(token, end).length;
        ++count;
    }
    return count;
}

/// Takes the spaces that byte-level tokens begin and end with out of their spans.
void trimSpans(std::string_view text, std::vector<OutputToken>& tokens, bool prefixSpace) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        ByteSpan& span = tokens[i].span;
        std::size_t leading = leadingSpaces(tokens[i].text);
        // A single space in front of the text was put there by the pre-tokenizer.
        if (leading == 1 && prefixSpace && (i == 0 || span.begin == 0)) leading = 0;
        for (; leading > 0 && span.begin < span.end; --leading) span.begin += charAt(text, span.begin).length;
        span.begin = std::min(span.begin, span.end);
        const std::size_t trailing = trailingSpaces(tokens[i].text);
        if (countChars(text.substr(0, std::min(span.end, text.size()))) < trailing) continue;
        for (std::size_t k = 0; k < trailing && span.end > span.begin; ++k)
            span.end -= charBefore(text, span.end).length;
    }
}

class SpanTrimmer : public PostProcessor {
public:
    explicit SpanTrimmer(const JsonNode& node)
        : m_trim(node.boolean("trim_offsets", true)), m_prefixSpace(node.boolean("add_prefix_space", true)) {}
    void apply(std::string_view text, std::vector<OutputToken>& tokens, AddSpecial) const override {
        if (m_trim) trimSpans(text, tokens, m_prefixSpace);
    }

private:
    bool m_trim, m_prefixSpace;
};

/// Fixed tokens around the text: [CLS] text [SEP].
class Frame : public PostProcessor {
public:
    explicit Frame(const JsonNode& node) : m_first(idOf(node.at("cls"))), m_last(idOf(node.at("sep"))) {}
    void apply(std::string_view, std::vector<OutputToken>& tokens, AddSpecial addSpecial) const override {
        if (addSpecial == AddSpecial::No) return;
        tokens.insert(tokens.begin(), {m_first, {}, {}, true});
        tokens.push_back({m_last, {}, {}, true});
    }

private:
    static int idOf(const JsonNode& node) {
        if (node.items(2).size() != 2) node.fail("[token, id]");
        return static_cast<int>(node.item(1).integer(0, largestId));
    }

    int m_first, m_last;
};

/// A template of special tokens and the text itself.
class Template : public PostProcessor {
public:
    explicit Template(const JsonNode& node) {
        std::map<std::string, std::vector<int>> specials;
        if (node.has("special_tokens"))
            for (const auto& [name, entry] : node.at("special_tokens").expectObject().value().items())
                for (const JsonNode& id : JsonNode(entry, node.path() + ".special_tokens").at("ids").items(maxTemplate))
                    specials[name].push_back(static_cast<int>(id.integer(0, largestId)));
        for (const JsonNode& piece : node.at("single").items(maxTemplate)) addPiece(piece, specials);
    }

    void apply(std::string_view, std::vector<OutputToken>& tokens, AddSpecial addSpecial) const override {
        std::vector<OutputToken> out;
        for (const int id : m_ids) {
            if (id == wholeText)
                out.insert(out.end(), tokens.begin(), tokens.end());
            else if (addSpecial == AddSpecial::Yes)
                out.push_back({id, {}, {}, true});
        }
        tokens = std::move(out);
    }

private:
    static constexpr int wholeText = -1;

    void addPiece(const JsonNode& piece, const std::map<std::string, std::vector<int>>& specials) {
        if (piece.has("Sequence")) {
            if (piece.at("Sequence").at("id").text() != "A") piece.fail("only the sequence A in a single template");
            if (std::find(m_ids.begin(), m_ids.end(), wholeText) != m_ids.end())
                piece.fail("the sequence A only once");
            m_ids.push_back(wholeText);
            return;
        }
        const JsonNode name = piece.at("SpecialToken").at("id");
        const auto found = specials.find(name.text());
        if (found == specials.end()) name.fail("a key of special_tokens");
        m_ids.insert(m_ids.end(), found->second.begin(), found->second.end());
        if (m_ids.size() > maxTemplate) piece.fail("at most " + std::to_string(maxTemplate) + " tokens");
    }

    std::vector<int> m_ids;
};

class PostProcessorSequence : public PostProcessor {
public:
    explicit PostProcessorSequence(std::vector<std::unique_ptr<PostProcessor>> members)
        : m_members(std::move(members)) {}
    void apply(std::string_view text, std::vector<OutputToken>& tokens, AddSpecial addSpecial) const override {
        for (const auto& member : m_members) member->apply(text, tokens, addSpecial);
    }

private:
    std::vector<std::unique_ptr<PostProcessor>> m_members;
};

}  // namespace

std::unique_ptr<PostProcessor> makePostProcessor(const JsonNode& node) {
    std::vector<std::unique_ptr<PostProcessor>> members;
    for (const JsonNode& part : flatSequence(node, "processors")) {
        const std::string& type = part.at("type").text();
        if (type == "ByteLevel" || type == "RobertaProcessing") members.push_back(std::make_unique<SpanTrimmer>(part));
        if (type == "RobertaProcessing" || type == "BertProcessing") members.push_back(std::make_unique<Frame>(part));
        if (type == "TemplateProcessing") members.push_back(std::make_unique<Template>(part));
        if (type != "ByteLevel" && type != "RobertaProcessing" && type != "BertProcessing" &&
            type != "TemplateProcessing")
            part.at("type").fail("a post-processor that Fovea knows");
    }
    return std::make_unique<PostProcessorSequence>(std::move(members));
}

}  // namespace fovea::text
