// Decoders that turn tokens into bytes: ByteLevel and ByteFallback.
#include "text/byte_alphabet.h"
#include "text/token_decoder.h"
#include "text/utf8.h"

namespace fovea::text {
namespace {

/// All tokens become one text; a character whose bytes are still coming is held back.
class ByteLevelStage : public WholeTokenStage {
protected:
    void token(std::string_view text) override {
        const std::size_t before = m_bytes.size();
        for (std::size_t at = 0; at < text.size();) {
            const Utf8Char c = charAt(text, at);
            const int byte = byteOfCharacter(c.code);
            if (byte < 0) {  // a token outside the alphabet stands for itself
                m_bytes.resize(before);
                m_bytes += text;
                break;
            }
            m_bytes.push_back(static_cast<char>(byte));
            at += c.length;
        }
        give(Utf8Tail::Keep);
    }
    void rest() override { give(Utf8Tail::Replace); }

private:
    void give(Utf8Tail tail) {
        std::string text;
        m_bytes.erase(0, appendLossyUtf8(m_bytes, text, tail));
        if (text.empty()) return;
        next().push({text, !m_begun, false});
        m_begun = true;
    }

    std::string m_bytes;
    bool m_begun = false;
};

int hexDigit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/// The byte of a token "<0x..>", or -1.
int byteOfToken(std::string_view token) {
    if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return -1;
    const int low = hexDigit(token[4]);
    // The reference parses the digits as a number, which may carry a plus sign.
    if (token[3] == '+') return low;
    const int high = hexDigit(token[3]);
    return high < 0 || low < 0 ? -1 : 16 * high + low;
}

/// A run of byte tokens is one text where it is UTF-8, else U+FFFD for every byte; only its end decides that.
class ByteFallbackStage : public WholeTokenStage {
protected:
    void token(std::string_view text) override {
        const int byte = byteOfToken(text);
        if (byte >= 0) {
            m_bytes.push_back(static_cast<char>(byte));
            return;
        }
        rest();
        next().push({text, true, true});
    }

    void rest() override {
        if (m_bytes.empty()) return;
        if (isUtf8(m_bytes)) {
            next().push({m_bytes, true, true});
        } else {
            for (std::size_t i = 0; i < m_bytes.size(); ++i) next().push({"\xEF\xBF\xBD", true, true});
        }
        m_bytes.clear();
    }

private:
    std::string m_bytes;
};

}  // namespace

std::unique_ptr<TokenDecoder> makeByteDecoder(const JsonNode&, const std::string& type) {
    if (type == "ByteLevel") return decoderOf([] { return std::make_unique<ByteLevelStage>(); });
    if (type == "ByteFallback") return decoderOf([] { return std::make_unique<ByteFallbackStage>(); });
    return nullptr;
}

}  // namespace fovea::text
