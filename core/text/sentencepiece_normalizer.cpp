#include <optional>

#include "text/charsmap.h"
#include "text/sentencepiece_file.h"
#include "text/utf8.h"

namespace fovea::text {
namespace {

constexpr std::string_view wordMark = "\xE2\x96\x81";

/// sentencepiece's own normalization: longest replacements first, no spaces at the ends or in a row, spaces as word marks.
class SentencePieceNormalizer : public Normalizer {
public:
    SentencePieceNormalizer(const SentencePieceFile& file, const std::string& where)
        : m_kept(userDefinedPieces(file)), m_prefix(file.dummyPrefix), m_removeExtra(file.removeExtraSpaces) {
        if (!file.charsmap.empty()) m_table.emplace(file.charsmap, where + ".precompiled_charsmap");
    }

    void apply(AlignedText& text) const override {
        AlignedText out;
        out.origin = text.origin;
        bool afterSpace = m_removeExtra;
        for (std::size_t at = 0; at < text.text.size();) {
            Chunk chunk = chunkAt(text.text, at);
            const Alignment place{text.align[at].begin, text.align[at + chunk.length - 1].end};
            at += chunk.length;
            while (afterSpace && chunk.text.starts_with(' ')) chunk.text.remove_prefix(1);
            if (chunk.text.empty()) continue;
            if (out.text.empty() && m_prefix) out.append(wordMark, place);
            for (const char c : chunk.text)
                out.append(c == ' ' ? wordMark : std::string_view(&c, 1), place);
            afterSpace = m_removeExtra && chunk.text.ends_with(' ');
        }
        while (m_removeExtra && out.text.ends_with(wordMark)) {
            out.text.resize(out.text.size() - wordMark.size());
            out.align.resize(out.text.size());
        }
        text = std::move(out);
    }

private:
    struct Chunk {
        std::string_view text;
        std::size_t length = 1;
    };

    Chunk chunkAt(std::string_view text, std::size_t at) const {
        if (const auto kept = m_kept.longest(text, at); kept.length > 0)
            return {text.substr(at, kept.length), kept.length};
        if (m_table)
            if (const auto hit = m_table->longest(text.substr(at))) return {hit->replacement, hit->length};
        const std::size_t length = charAt(text, at).length;
        return {text.substr(at, length), length};
    }

    ByteTrie m_kept;
    std::optional<Charsmap> m_table;
    bool m_prefix, m_removeExtra;
};

}  // namespace

std::unique_ptr<Normalizer> sentencePieceNormalizer(const SentencePieceFile& file, const std::string& where) {
    return std::make_unique<SentencePieceNormalizer>(file, where);
}

}  // namespace fovea::text
