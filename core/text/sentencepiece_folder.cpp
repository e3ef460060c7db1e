#include "io/mapped_file.h"
#include "text/folder_formats.h"
#include "text/sentencepiece_file.h"
#include "text/utf8.h"

namespace fovea::text {
namespace {

using nlohmann::json;

/// What SigLIP does to prompts before its sentencepiece model sees them: lower case, no ASCII punctuation, single spaces.
class SiglipNormalizer : public Normalizer {
public:
    SiglipNormalizer(std::unique_ptr<Normalizer> inner, bool lower) : m_inner(std::move(inner)), m_lower(lower) {}

    void apply(AlignedText& text) const override {
        if (m_lower) lowercase(text);
        keepOnly(text, [](char32_t c) { return c >= 0x80 || !isPunctuation(c); });
        std::vector<CharChange> spaced;
        for (std::size_t at = 0; at < text.text.size();) {
            const Utf8Char c = charAt(text.text, at);
            at += c.length;
            const bool space = isWhitespace(c.code);
            if (space && !spaced.empty() && spaced.back().code == U' ')
                --spaced.back().change;
            else
                spaced.push_back({space ? U' ' : c.code, 0});
        }
        rewrite(text, spaced);
        m_inner->apply(text);
    }

private:
    std::unique_ptr<Normalizer> m_inner;
    bool m_lower;
};

enum class Family { Llama, T5, Siglip, Other };

Family familyOf(const JsonNode& config) {
    const std::string name = config.text("tokenizer_class", "");
    if (name.starts_with("Siglip")) return Family::Siglip;
    if (name.starts_with("T5") || name.starts_with("MT5")) return Family::T5;
    if (name.find("Llama") != std::string::npos || name.starts_with("Gemma")) return Family::Llama;
    return Family::Other;
}

json templateOf(const json& first, const json& last) {
    json pieces = json::array(), specials = json::object();
    const auto add = [&](const json& token) {
        if (token.is_null()) return;
        const std::string name = token[0].get<std::string>();
        pieces.push_back({{"SpecialToken", {{"id", name}, {"type_id", 0}}}});
        specials[name] = {{"id", name}, {"ids", {token[1]}}, {"tokens", {name}}};
    };
    add(first);
    pieces.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
    add(last);
    return {{"type", "TemplateProcessing"}, {"single", pieces}, {"special_tokens", specials}};
}

json decoderOf(const SentencePieceFile& file) {
    json steps{{{"type", "Replace"}, {"pattern", {{"String", "\u2581"}}}, {"content", " "}},
               {{"type", "ByteFallback"}},
               {{"type", "Fuse"}}};
    if (file.dummyPrefix) steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
    return {{"type", "Sequence"}, {"decoders", steps}};
}

}  // namespace

TokenizerParts partsFromSentencePiece(const std::filesystem::path& path, const JsonNode& config) {
    const auto mapped = MappedFile::open(path);
    const std::string where = path.string();
    SentencePieceFile file =
        parseSentencePiece({reinterpret_cast<const char*>(mapped->bytes().data()), mapped->bytes().size()}, where);
    const Family family = familyOf(config);
    TokenizerParts parts;
    const auto role = [&](std::string_view key, const char* fallback) {
        const std::string token = specialToken(config, key);
        return token.empty() ? std::string(fallback) : token;
    };
    parts.bosToken = role("bos_token", family == Family::Llama ? "<s>" : "");
    parts.eosToken = role("eos_token", "</s>");
    parts.padToken = role("pad_token", "");
    parts.unkToken = role("unk_token", file.pieces[static_cast<std::size_t>(file.unknownId)].text.c_str());
    for (const SentencePiece& piece : file.pieces)
        if (piece.type == PieceType::Unknown || piece.type == PieceType::Control)
            parts.added.push_back({-1, piece.text, false, false, false, false, true});
    if (family == Family::Other)
        parts.notices.push_back(where + ": the folder's tokenizer_class is none that Fovea knows for sentencepiece models; "
                                        "special tokens are added only as tokenizer_config.json says");

    parts.normalizer = sentencePieceNormalizer(file, where);
    if (family == Family::Siglip)
        parts.normalizer =
            std::make_unique<SiglipNormalizer>(std::move(parts.normalizer), config.boolean("do_lower_case", true));
    parts.decoders = makeDecoders(JsonNode(decoderOf(file), where));
    parts.model = sentencePieceModel(std::move(file));
    const auto frame = [&](bool wanted, const std::string& token) -> json {
        const auto id = parts.model->vocabulary().idOf(token);
        return wanted && id ? json{token, *id} : json();
    };
    const bool bos = config.boolean("add_bos_token", family == Family::Llama);
    const bool eos = config.boolean("add_eos_token", family == Family::T5 || family == Family::Siglip);
    parts.postProcessor = makePostProcessor(JsonNode(templateOf(frame(bos, parts.bosToken), frame(eos, parts.eosToken)), where));
    return parts;
}

}  // namespace fovea::text
