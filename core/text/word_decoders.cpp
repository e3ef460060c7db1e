// Decoders that put spaces between words: WordPiece, BPEDecoder, Metaspace and CTC.
#include <array>
#include <optional>

#include "text/pre_tokenizer.h"
#include "text/token_decoder.h"
#include "text/utf8.h"

namespace fovea::text {
namespace {

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
    if (from.empty()) {  // matches at every boundary
        std::string out(to);
        for (std::size_t at = 0; at < text.size();) {
            const unsigned length = charAt(text, at).length;
            out.append(text.substr(at, length)).append(to);
            at += length;
        }
        return out;
    }
    std::string out;
    std::size_t begin = 0;
    for (std::size_t at = text.find(from); at != std::string_view::npos; at = text.find(from, begin)) {
        out.append(text.substr(begin, at - begin)).append(to);
        begin = at + from.size();
    }
    return out.append(text.substr(begin));
}

/// Removes the spaces that tokenization left before punctuation and English contractions.
std::string tidied(std::string text) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 11> rules{{{" .", "."},
                                                                                   {" ?", "?"},
                                                                                   {" !", "!"},
                                                                                   {" ,", ","},
                                                                                   {" ' ", "'"},
                                                                                   {" n't", "n't"},
                                                                                   {" 'm", "'m"},
                                                                                   {" do not", " don't"},
                                                                                   {" 's", "'s"},
                                                                                   {" 've", "'ve"},
                                                                                   {" 're", "'re"}}};
    if (text.find(' ') == std::string::npos) return text;
    for (const auto& [from, to] : rules) text = replaced(text, from, to);
    return text;
}

class WordPieceStage : public WholeTokenStage {
public:
    WordPieceStage(std::string prefix, bool tidy) : m_prefix(std::move(prefix)), m_tidy(tidy) {}

protected:
    void token(std::string_view text) override {
        std::string out;
        if (!m_first && text.starts_with(m_prefix))
            out = text.substr(m_prefix.size());
        else
            out.append(m_first ? "" : " ").append(text);
        m_first = false;
        next().push({m_tidy ? tidied(std::move(out)) : out, true, true});
    }

private:
    std::string m_prefix;
    bool m_tidy, m_first = true;
};

/// The mark of a word's end is a space, but not at the end of the text: each token waits for the next one.
class BpeStage : public WholeTokenStage {
public:
    explicit BpeStage(std::string suffix) : m_suffix(std::move(suffix)) {}

protected:
    void token(std::string_view text) override {
        if (m_held) next().push({replaced(*m_held, m_suffix, " "), true, true});
        m_held = text;
    }
    void rest() override {
        if (m_held) next().push({replaced(*m_held, m_suffix, ""), true, true});
    }

private:
    std::string m_suffix;
    std::optional<std::string> m_held;
};

class MetaspaceStage : public WholeTokenStage {
public:
    MetaspaceStage(std::string mark, PrependScheme scheme) : m_mark(std::move(mark)), m_scheme(scheme) {}

protected:
    void token(std::string_view text) override {
        const bool drop = m_first && m_scheme != PrependScheme::Never;
        m_first = false;
        next().push({replaced(text, m_mark, drop ? "" : " "), true, true});
    }

private:
    std::string m_mark;
    PrependScheme m_scheme;
    bool m_first = true;
};

struct CtcTokens {
    std::string pad, delimiter;
    bool tidy = true;
};

class CtcStage : public WholeTokenStage {
public:
    explicit CtcStage(CtcTokens tokens) : m_tokens(std::move(tokens)) {}

protected:
    void token(std::string_view text) override {
        if (m_last == text) return;
        m_last = text;
        std::string out = replaced(text, m_tokens.pad, "");
        if (m_tokens.tidy) out = replaced(tidied(std::move(out)), m_tokens.delimiter, " ");
        if (!out.empty()) next().push({out, true, true});
    }

private:
    CtcTokens m_tokens;
    std::optional<std::string> m_last;
};

}  // namespace

std::unique_ptr<TokenDecoder> makeWordDecoder(const JsonNode& node, const std::string& type) {
    if (type == "WordPiece")
        return decoderOf([prefix = node.text("prefix", "##"), tidy = node.boolean("cleanup", true)] {
            return std::make_unique<WordPieceStage>(prefix, tidy);
        });
    if (type == "BPEDecoder")
        return decoderOf([suffix = node.text("suffix", "</w>")] { return std::make_unique<BpeStage>(suffix); });
    if (type == "Metaspace")
        return decoderOf([mark = toUtf8(node.at("replacement").character()), scheme = prependSchemeOf(node)] {
            return std::make_unique<MetaspaceStage>(mark, scheme);
        });
    if (type == "CTC")
        return decoderOf([tokens = CtcTokens{node.text("pad_token", "<pad>"), node.text("word_delimiter_token", "|"),
                                             node.boolean("cleanup", true)}] {
            return std::make_unique<CtcStage>(tokens);
        });
    return nullptr;
}

}  // namespace fovea::text
