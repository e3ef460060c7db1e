// Folders from before tokenizer.json, read as the tokenizer.json that their conventions amount to.
#include "text/folder_formats.h"

#include "fovea/error.h"
#include "io/mapped_file.h"
#include "text/limits.h"

namespace fovea::text {
namespace {

using nlohmann::json;

constexpr const char* qwen2Words =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* clipWords = R"('s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";

std::string classOf(const JsonNode& config) {
    return config.has("tokenizer_class") ? config.at("tokenizer_class").text() : std::string();
}

json byteLevel(bool prefixSpace, bool words, bool trim) {
    return {{"type", "ByteLevel"}, {"add_prefix_space", prefixSpace}, {"use_regex", words}, {"trim_offsets", trim}};
}

json split(const char* pattern, const char* behavior, bool invert) {
    return {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", behavior}, {"invert", invert}};
}

json sequence(const char* key, json members) {
    return {{"type", "Sequence"}, {key, std::move(members)}};
}

/// Special tokens by role, with the class's own names where the config has none.
struct Roles {
    std::string unk, bos, eos, pad;

    Roles(const JsonNode& config, Roles fallback) : Roles(std::move(fallback)) {
        for (auto [key, role] : {std::pair{"unk_token", &unk}, {"bos_token", &bos}, {"eos_token", &eos}, {"pad_token", &pad}})
            if (std::string token = specialToken(config, key); !token.empty()) *role = std::move(token);
    }
    Roles(std::string unknown, std::string begin, std::string end, std::string padding)
        : unk(std::move(unknown)), bos(std::move(begin)), eos(std::move(end)), pad(std::move(padding)) {}

    void giveTo(TokenizerParts& parts) const {
        parts.unkToken = unk;
        parts.bosToken = bos;
        parts.eosToken = eos;
        parts.padToken = pad;
        for (const std::string& token : {unk, bos, eos, pad})
            if (!token.empty()) parts.added.push_back({-1, token, false, false, false, false, true});
    }
};

std::int64_t idIn(const json& vocabulary, const std::string& token, const std::string& where) {
    const auto found = vocabulary.find(token);
    if (found == vocabulary.end() || !found->is_number_integer())
        throw Error(where + ": expected the special token \"" + token + "\", found none");
    return found->get<std::int64_t>();
}

json framed(const char* type, const json& vocabulary, const std::string& first, const std::string& last,
            const std::string& where) {
    return {{"type", type},
            {"cls", {first, idIn(vocabulary, first, where)}},
            {"sep", {last, idIn(vocabulary, last, where)}},
            {"trim_offsets", true},
            {"add_prefix_space", false}};
}

}  // namespace

std::string specialToken(const JsonNode& config, std::string_view key) {
    if (!config.has(key)) return {};
    const JsonNode node = config.at(key);
    return node.value().is_string() ? node.text() : node.at("content").text();
}

std::vector<std::string> readLines(const std::filesystem::path& path) {
    const auto file = MappedFile::open(path);
    const std::string_view text(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        std::string line(text.substr(at, end - at));
        if (line.ends_with('\r')) line.pop_back();
        lines.push_back(std::move(line));
        at = end + 1;
        if (lines.size() > maxMerges || lines.back().size() > 2 * maxTokenBytes + 1)
            throw Error(path.string() + ": expected at most " + std::to_string(maxMerges) + " lines of at most " +
                        std::to_string(2 * maxTokenBytes + 1) + " bytes, found more");
    }
    return lines;
}

TokenizerParts partsFromMerges(const std::filesystem::path& folder, const JsonNode& config) {
    const std::string where = (folder / "vocab.json").string();
    const std::string name = classOf(config);
    const bool clip = name.starts_with("CLIP"), qwen = name.starts_with("Qwen2"), roberta = name.starts_with("Roberta");
    json vocabulary = readJsonFile(folder / "vocab.json", tokenizerLimits);
    if (!vocabulary.is_object()) JsonNode(vocabulary, where).fail("an object of tokens and ids");
    json merges = json::array();
    for (std::string& line : readLines(folder / "merges.txt"))
        if (!line.empty() && !line.starts_with("#version")) merges.push_back(std::move(line));

    const Roles fallback = clip      ? Roles{"<|endoftext|>", "<|startoftext|>", "<|endoftext|>", "<|endoftext|>"}
                           : roberta ? Roles{"<unk>", "<s>", "</s>", "<pad>"}
                           : qwen    ? Roles{"", "", "<|endoftext|>", "<|endoftext|>"}
                                     : Roles{"<|endoftext|>", "<|endoftext|>", "<|endoftext|>", ""};
    const Roles roles(config, fallback);
    const bool prefixSpace = config.boolean("add_prefix_space", false);
    json file{{"decoder", {{"type", "ByteLevel"}}}, {"pre_tokenizer", byteLevel(prefixSpace, true, true)}};
    if (clip) {
        file["normalizer"] = sequence("normalizers", {{{"type", "NFC"}},
                                                      {{"type", "Replace"}, {"pattern", {{"Regex", "\\s+"}}}, {"content", " "}},
                                                      {{"type", "Lowercase"}}});
        file["pre_tokenizer"] =
            sequence("pretokenizers", {split(clipWords, "Removed", true), byteLevel(false, true, true)});
        file["post_processor"] = framed("RobertaProcessing", vocabulary, roles.bos, roles.eos, where);
        file["post_processor"]["trim_offsets"] = false;
    } else if (qwen) {
        file["normalizer"] = {{"type", "NFC"}};
        file["pre_tokenizer"] =
            sequence("pretokenizers", {split(qwen2Words, "Isolated", false), byteLevel(prefixSpace, false, true)});
    } else if (roberta) {
        file["post_processor"] = framed("RobertaProcessing", vocabulary, roles.bos, roles.eos, where);
        file["post_processor"]["add_prefix_space"] = prefixSpace;
    }
    file["model"] = {{"type", "BPE"}, {"merges", std::move(merges)}};
    if (clip) file["model"]["end_of_word_suffix"] = "</w>";
    if (!roles.unk.empty() && vocabulary.contains(roles.unk)) file["model"]["unk_token"] = roles.unk;
    file["model"]["vocab"] = std::move(vocabulary);
    TokenizerParts parts = partsFromJson(file, where);
    roles.giveTo(parts);
    return parts;
}

TokenizerParts partsFromVocabularyList(const std::filesystem::path& folder, const JsonNode& config) {
    const std::string where = (folder / "vocab.txt").string();
    json vocabulary = json::object();
    std::int64_t id = 0;
    for (const std::string& line : readLines(folder / "vocab.txt")) vocabulary[line] = id++;
    const auto named = [&](std::string_view key, const char* fallback) {
        const std::string token = specialToken(config, key);
        return token.empty() ? std::string(fallback) : token;
    };
    const std::string cls = named("cls_token", "[CLS]"), sep = named("sep_token", "[SEP]");
    const Roles roles(config, {"[UNK]", "", "", "[PAD]"});
    json normalizer{{"type", "BertNormalizer"},
                    {"clean_text", true},
                    {"handle_chinese_chars", config.boolean("tokenize_chinese_chars", true)},
                    {"lowercase", config.boolean("do_lower_case", true)}};
    if (config.has("strip_accents")) normalizer["strip_accents"] = config.at("strip_accents").boolean();
    const json frame = framed("BertProcessing", vocabulary, cls, sep, where);
    const json file{{"normalizer", normalizer},
                    {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
                    {"post_processor", frame},
                    {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}},
                    {"model", {{"type", "WordPiece"}, {"unk_token", roles.unk}, {"vocab", std::move(vocabulary)}}}};
    TokenizerParts parts = partsFromJson(file, where);
    roles.giveTo(parts);
    for (const std::string& token : {cls, sep, named("mask_token", "[MASK]")})
        parts.added.push_back({-1, token, false, false, false, false, true});
    return parts;
}

}  // namespace fovea::text
