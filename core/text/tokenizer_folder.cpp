#include <charconv>

#include "fovea/error.h"
#include "text/folder_formats.h"
#include "text/limits.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;
using text::JsonNode;

constexpr double unlimited = 1e9;  // larger maximal lengths mean that there is none

void readRoles(const JsonNode& config, text::TokenizerParts& parts) {
    const auto take = [&](std::string& role, std::string_view key) {
        if (std::string token = text::specialToken(config, key); !token.empty()) role = std::move(token);
    };
    take(parts.bosToken, "bos_token");
    take(parts.eosToken, "eos_token");
    take(parts.padToken, "pad_token");
    take(parts.unkToken, "unk_token");
}

void readConfig(const JsonNode& config, text::TokenizerParts& parts) {
    config.expectObject();
    readRoles(config, parts);
    if (config.has("model_max_length")) {
        const double length = config.at("model_max_length").number();
        if (length > 0 && length < unlimited) parts.modelMaxLength = static_cast<std::int64_t>(length);
    }
}

/// Tokens that only tokenizer_config.json knows of.
void readAddedTokensDecoder(const JsonNode& config, text::TokenizerParts& parts) {
    if (!config.has("added_tokens_decoder")) return;
    const JsonNode tokens = config.at("added_tokens_decoder").expectObject();
    std::map<int, text::AddedToken> byId;
    for (const auto& [key, value] : tokens.value().items()) {
        const JsonNode node(value, tokens.path() + ".\"" + key.substr(0, 20) + "\"");
        int id = -1;
        const auto [end, problem] = std::from_chars(key.data(), key.data() + key.size(), id);
        if (problem != std::errc() || end != key.data() + key.size() || id < 0) node.fail("an id as the key");
        byId[id] = text::readAddedToken(node);
        byId[id].id = id;
    }
    std::map<std::string, bool> known;
    for (const text::AddedToken& token : parts.added) known[token.content] = true;
    for (auto& [id, token] : byId)
        if (!known.contains(token.content)) parts.added.push_back(std::move(token));
}

nlohmann::json readIfThere(const fs::path& file) {
    return fs::exists(file) ? readJsonFile(file, text::tokenizerLimits) : nlohmann::json::object();
}

/// The tokenizer of the files that are there, tokenizer.json first.
text::TokenizerParts readFiles(const fs::path& folder, const JsonNode& config) {
    if (const fs::path file = folder / "tokenizer.json"; fs::exists(file))
        return text::partsFromJson(readJsonFile(file, text::tokenizerLimits), file.string());
    if (fs::exists(folder / "vocab.json") && fs::exists(folder / "merges.txt"))
        return text::partsFromMerges(folder, config);
    if (fs::exists(folder / "vocab.txt")) return text::partsFromVocabularyList(folder, config);
    for (const char* name : {"tokenizer.model", "spiece.model"})
        if (fs::exists(folder / name)) return text::partsFromSentencePiece(folder / name, config);
    throw Error(folder.string() + ": expected a tokenizer (tokenizer.json, vocab.json with merges.txt, vocab.txt, "
                                  "tokenizer.model or spiece.model), found none",
                "Copy the tokenizer's files into the folder.");
}

/// {"token": id, ...} of old folders; ids give the order.
void readAddedTokensFile(const JsonNode& file, text::TokenizerParts& parts) {
    std::map<std::int64_t, std::string> byId;
    for (const auto& [content, id] : file.expectObject().value().items())
        byId[JsonNode(id, file.path() + ".\"" + content.substr(0, 40) + "\"").integer(0, text::maxVocabulary)] = content;
    std::map<std::string, bool> known;
    for (const text::AddedToken& token : parts.added) known[token.content] = true;
    for (const auto& [id, content] : byId) {
        if (!known.contains(content)) parts.added.push_back({static_cast<int>(id), content, false, false, false, false, false});
    }
}

}  // namespace

std::shared_ptr<const Tokenizer> Tokenizer::fromFolder(const fs::path& folder) {
    const nlohmann::json config = readIfThere(folder / "tokenizer_config.json");
    const nlohmann::json specials = readIfThere(folder / "special_tokens_map.json");
    const nlohmann::json added = readIfThere(folder / "added_tokens.json");
    const JsonNode configNode(config, (folder / "tokenizer_config.json").string());
    text::TokenizerParts parts = readFiles(folder, configNode.expectObject());
    readRoles(JsonNode(specials, (folder / "special_tokens_map.json").string()).expectObject(), parts);
    readConfig(configNode, parts);
    readAddedTokensDecoder(configNode, parts);
    readAddedTokensFile(JsonNode(added, (folder / "added_tokens.json").string()), parts);
    return text::finish(std::move(parts));
}

}  // namespace fovea
