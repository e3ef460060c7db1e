#include "text/aligned_text.h"

#include "fovea/error.h"
#include "text/limits.h"
#include "text/utf8.h"

namespace fovea::text {
namespace {

void checkSize(const AlignedText& text) {
    if (text.text.size() > maxNormalizedBytes)
        throw Error("the tokenizer's normalizers make the text too long: expected at most " +
                        std::to_string(maxNormalizedBytes) + " bytes",
                    "Use a shorter text; a tokenizer.json that lets texts grow this much is damaged.");
}

}  // namespace

AlignedText AlignedText::of(std::string_view source) {
    AlignedText out;
    out.text = source;
    out.align.reserve(source.size());
    for (std::size_t at = 0; at < source.size();) {
        const unsigned length = charAt(source, at).length;
        const Alignment alignment{static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at + length)};
        out.align.insert(out.align.end(), length, alignment);
        at += length;
    }
    return out;
}

void AlignedText::clear() {
    text.clear();
    align.clear();
}

void AlignedText::append(std::string_view added, Alignment alignment) {
    text += added;
    align.insert(align.end(), added.size(), alignment);
}

void AlignedText::append(char32_t code, Alignment alignment) {
    const std::size_t before = text.size();
    appendUtf8(text, code);
    align.insert(align.end(), text.size() - before, alignment);
}

void rewrite(AlignedText& text, std::span<const CharChange> characters, std::size_t removedFirst) {
    AlignedText out;
    out.origin = text.origin;
    out.text.reserve(text.text.size());
    out.align.reserve(text.text.size());
    std::size_t at = 0;
    const auto skip = [&](std::size_t count) {
        for (; count > 0 && at < text.text.size(); --count) at += charAt(text.text, at).length;
    };
    const auto aligned = [&](std::size_t byte) {
        if (text.align.empty()) return Alignment{text.origin, text.origin};
        return text.align[std::min(byte, text.align.size() - 1)];
    };
    skip(removedFirst);
    for (const CharChange& c : characters) {
        if (c.change > 0) {
            out.append(c.code, at > 0 ? aligned(at - 1) : Alignment{text.origin, text.origin});
        } else {
            out.append(c.code, aligned(at));
            skip(1 + static_cast<std::size_t>(-c.change));
        }
        if (out.text.size() > maxNormalizedBytes) checkSize(out);
    }
    text = std::move(out);
}

void prepend(AlignedText& text, std::string_view content) {
    if (text.text.empty()) return;
    text.align.insert(text.align.begin(), content.size(), text.align.front());
    text.text.insert(0, content);
    checkSize(text);
}

void replaceMatches(AlignedText& text, std::span<const Match> matches, std::string_view content) {
    AlignedText out;
    out.origin = text.origin;
    out.text.reserve(text.text.size());
    out.align.reserve(text.text.size());
    for (const Match& match : matches) {
        if (match.matched) {
            out.append(content, match.end > 0 ? text.align[match.end - 1] : Alignment{text.origin, text.origin});
        } else {
            out.text.append(text.text, match.begin, match.end - match.begin);
            out.align.insert(out.align.end(), text.align.begin() + match.begin, text.align.begin() + match.end);
        }
        checkSize(out);
    }
    text = std::move(out);
}

void keepOnly(AlignedText& text, bool (*keep)(char32_t)) {
    std::vector<CharChange> kept;
    kept.reserve(text.text.size());
    std::size_t removedFirst = 0;
    for (std::size_t at = 0; at < text.text.size();) {
        const Utf8Char c = charAt(text.text, at);
        at += c.length;
        if (keep(c.code))
            kept.push_back({c.code, 0});
        else if (kept.empty())
            ++removedFirst;
        else
            --kept.back().change;
    }
    rewrite(text, kept, removedFirst);
}

}  // namespace fovea::text
