// Decoders that work on the text of tokens: Replace, Fuse and Strip, and the spaces that stand in for a decoder.
#include "text/limits.h"
#include "text/pattern.h"
#include "text/token_decoder.h"
#include "text/utf8.h"

namespace fovea::text {
namespace {

class ReplaceStage : public WholeTokenStage {
public:
    ReplaceStage(std::shared_ptr<const Pattern> pattern, std::string content)
        : m_pattern(std::move(pattern)), m_content(std::move(content)) {}

protected:
    void token(std::string_view text) override {
        m_matches.clear();
        m_pattern->findAll(text, m_matches);
        std::string out;
        for (const Match& match : m_matches)
            out += match.matched ? std::string_view(m_content) : text.substr(match.begin, match.end - match.begin);
        next().push({out, true, true});
    }

private:
    std::shared_ptr<const Pattern> m_pattern;
    std::string m_content;
    std::vector<Match> m_matches;
};

/// All tokens become one.
class FuseStage : public DecoderStage {
public:
    void push(const Part& part) override {
        next().push({part.text, !m_begun, false});
        m_begun = true;
    }
    void finish() override { next().finish(); }

private:
    bool m_begun = false;
};

struct StripRule {
    std::string character;
    std::int64_t start = 0, stop = 0;
};

/// Removes up to so many of a character from both ends of every token. Those that may be the end are held back.
class StripStage : public DecoderStage {
public:
    explicit StripStage(StripRule rule) : m_rule(std::move(rule)) {}

    void push(const Part& part) override {
        if (part.begins) begin();
        m_text += part.text;
        std::size_t skipped = 0;
        while (m_leading < m_rule.start && std::string_view(m_text).substr(skipped).starts_with(m_rule.character)) {
            skipped += m_rule.character.size();
            ++m_leading;
        }
        m_text.erase(0, skipped);
        if (!m_text.empty()) m_leading = m_rule.start;
        const std::size_t held = trailing();
        give(m_text.size() - held, part.ends);
        if (part.ends) m_text.clear();
    }

    void finish() override {
        m_text.clear();  // what is held now is the end
        next().finish();
    }

private:
    void begin() {
        m_text.clear();
        m_leading = 0;
        m_given = false;
    }

    /// Bytes at the end of the text that are removed if the token ends here.
    std::size_t trailing() const {
        std::size_t bytes = 0;
        const std::size_t size = m_rule.character.size();
        for (std::int64_t i = 0; i < m_rule.stop; ++i) {
            if (!std::string_view(m_text).substr(0, m_text.size() - bytes).ends_with(m_rule.character)) break;
            bytes += size;
        }
        return bytes;
    }

    void give(std::size_t bytes, bool ends) {
        if (bytes == 0 && !ends) return;
        next().push({std::string_view(m_text).substr(0, bytes), !m_given, ends});
        m_given = true;
        m_text.erase(0, bytes);
    }

    StripRule m_rule;
    std::string m_text;
    std::int64_t m_leading = 0;
    bool m_given = false;
};

class SpaceStage : public WholeTokenStage {
protected:
    void token(std::string_view text) override {
        if (!m_first) next().push({" ", true, true});
        m_first = false;
        next().push({text, true, true});
    }

private:
    bool m_first = true;
};

}  // namespace

std::unique_ptr<TokenDecoder> makeTextDecoder(const JsonNode& node, const std::string& type) {
    if (type == "Replace")
        return decoderOf([pattern = std::make_shared<const Pattern>(node.at("pattern")),
                          content = node.at("content").text()] {
            return std::make_unique<ReplaceStage>(pattern, content);
        });
    if (type == "Fuse") return decoderOf([] { return std::make_unique<FuseStage>(); });
    if (type == "Strip") {
        const auto most = static_cast<std::int64_t>(maxTextBytes);
        return decoderOf([rule = StripRule{toUtf8(node.at("content").character()), node.at("start").integer(0, most),
                                           node.at("stop").integer(0, most)}] {
            return std::make_unique<StripStage>(rule);
        });
    }
    return nullptr;
}

std::vector<std::unique_ptr<TokenDecoder>> joinWithSpaces() {
    std::vector<std::unique_ptr<TokenDecoder>> decoders;
    decoders.push_back(decoderOf([] { return std::make_unique<SpaceStage>(); }));
    return decoders;
}

}  // namespace fovea::text
