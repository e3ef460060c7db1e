#include "fovea/error.h"
#include "text/byte_alphabet.h"
#include "text/limits.h"
#include "text/normalizer.h"
#include "text/pattern.h"
#include "text/utf8.h"

namespace fovea::text {
namespace {

class UnicodeNormalizer : public Normalizer {
public:
    explicit UnicodeNormalizer(UnicodeForm form) : m_form(form) {}
    void apply(AlignedText& text) const override {
        bool ascii = true;
        for (const char c : text.text) ascii &= static_cast<unsigned char>(c) < 0x80;
        if (!ascii) rewrite(text, normalizedForm(text.text, m_form));
    }

private:
    UnicodeForm m_form;
};

/// Changes each character on its own.
class CharacterNormalizer : public Normalizer {
public:
    using Change = void (*)(AlignedText&);
    explicit CharacterNormalizer(Change change) : m_change(change) {}
    void apply(AlignedText& text) const override { m_change(text); }

private:
    Change m_change;
};

class ReplaceNormalizer : public Normalizer {
public:
    explicit ReplaceNormalizer(const JsonNode& node)
        : m_pattern(node.at("pattern")), m_content(node.at("content").text()) {}
    void apply(AlignedText& text) const override {
        std::vector<Match> matches;
        m_pattern.findAll(text.text, matches);
        replaceMatches(text, matches, m_content);
    }

private:
    Pattern m_pattern;
    std::string m_content;
};

class PrependNormalizer : public Normalizer {
public:
    explicit PrependNormalizer(const JsonNode& node) : m_prefix(node.at("prepend").text()) {}
    void apply(AlignedText& text) const override { prepend(text, m_prefix); }

private:
    std::string m_prefix;
};

class StripNormalizer : public Normalizer {
public:
    explicit StripNormalizer(const JsonNode& node)
        : m_left(node.at("strip_left").boolean()), m_right(node.at("strip_right").boolean()) {}

    void apply(AlignedText& text) const override {
        std::size_t begin = 0, end = text.text.size();
        while (m_right && end > 0) {
            const Utf8Char c = charBefore(text.text, end);
            if (!isWhitespace(c.code)) break;
            end -= c.length;
        }
        while (m_left && begin < end) {
            const Utf8Char c = charAt(text.text, begin);
            if (!isWhitespace(c.code)) break;
            begin += c.length;
        }
        text.text = text.text.substr(begin, end - begin);
        text.align.erase(text.align.begin() + static_cast<std::ptrdiff_t>(end), text.align.end());
        text.align.erase(text.align.begin(), text.align.begin() + static_cast<std::ptrdiff_t>(begin));
    }

private:
    bool m_left, m_right;
};

class NormalizerSequence : public Normalizer {
public:
    explicit NormalizerSequence(std::vector<std::unique_ptr<Normalizer>> members) : m_members(std::move(members)) {}
    void apply(AlignedText& text) const override {
        for (const auto& member : m_members) member->apply(text);
    }

private:
    std::vector<std::unique_ptr<Normalizer>> m_members;
};

/// What training for machine translation removes or takes for a space.
bool keptByNmt(char32_t c) {
    return !((c >= 1 && c <= 8) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F);
}

bool isSpaceToNmt(char32_t c) {
    switch (c) {
        case 0x09: case 0x0A: case 0x0C: case 0x0D: case 0x1680: case 0x200B: case 0x200C: case 0x200D: case 0x200E:
        case 0x200F: case 0x2028: case 0x2029: case 0x2581: case 0xFEFF: case 0xFFFD:
            return true;
        default:
            return false;
    }
}

void nmt(AlignedText& text) {
    keepOnly(text, keptByNmt);
    std::vector<CharChange> changed;
    for (std::size_t at = 0; at < text.text.size();) {
        const Utf8Char c = charAt(text.text, at);
        at += c.length;
        changed.push_back({isSpaceToNmt(c.code) ? U' ' : c.code, 0});
    }
    rewrite(text, changed);
}

std::unique_ptr<Normalizer> makeOneNormalizer(const JsonNode& node) {
    const std::string& type = node.at("type").text();
    const auto characters = [](CharacterNormalizer::Change change) {
        return std::make_unique<CharacterNormalizer>(change);
    };
    if (type == "NFC") return std::make_unique<UnicodeNormalizer>(UnicodeForm::NFC);
    if (type == "NFD") return std::make_unique<UnicodeNormalizer>(UnicodeForm::NFD);
    if (type == "NFKC") return std::make_unique<UnicodeNormalizer>(UnicodeForm::NFKC);
    if (type == "NFKD") return std::make_unique<UnicodeNormalizer>(UnicodeForm::NFKD);
    if (type == "Lowercase") return characters(lowercase);
    if (type == "StripAccents")
        return characters([](AlignedText& text) { keepOnly(text, [](char32_t c) { return !isMark(c); }); });
    if (type == "Nmt") return characters(nmt);
    if (type == "ByteLevel") return characters(toByteLevel);
    if (type == "Replace") return std::make_unique<ReplaceNormalizer>(node);
    if (type == "Prepend") return std::make_unique<PrependNormalizer>(node);
    if (type == "Strip") return std::make_unique<StripNormalizer>(node);
    if (type == "BertNormalizer") return makeBertNormalizer(node);
    if (type == "Precompiled") return makePrecompiledNormalizer(node);
    node.at("type").fail("a normalizer that Fovea knows");
}

}  // namespace

void lowercase(AlignedText& text) {
    std::vector<CharChange> lower;
    lower.reserve(text.text.size());
    for (std::size_t at = 0; at < text.text.size();) {
        const Utf8Char c = charAt(text.text, at);
        at += c.length;
        const LowerCase result = toLower(c.code);
        lower.push_back({result.first, 0});
        if (result.second != 0) lower.push_back({result.second, 1});
    }
    rewrite(text, lower);
}

std::vector<JsonNode> flatSequence(const JsonNode& node, std::string_view listKey) {
    std::vector<JsonNode> flat, open{node};
    while (!open.empty()) {
        const JsonNode next = open.back();
        open.pop_back();
        if (next.at("type").text() == "Sequence") {
            const std::vector<JsonNode> members = next.at(listKey).items(maxComponents);
            open.insert(open.end(), members.rbegin(), members.rend());
        } else {
            flat.push_back(next);
        }
        if (open.size() + flat.size() > maxComponents)
            node.fail("a sequence of at most " + std::to_string(maxComponents) + " parts");
    }
    return flat;
}

std::unique_ptr<Normalizer> makeNormalizer(const JsonNode& node) {
    std::vector<std::unique_ptr<Normalizer>> members;
    for (const JsonNode& part : flatSequence(node, "normalizers")) members.push_back(makeOneNormalizer(part));
    if (members.size() == 1) return std::move(members.front());
    return std::make_unique<NormalizerSequence>(std::move(members));
}

}  // namespace fovea::text
