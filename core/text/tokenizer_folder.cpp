#include <charconv>

#include "fovea/error.h"
#include "io/json_file.h"
#include "text/limits.h"
#include "text/tokenizer_parts.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;
using text::JsonNode;

constexpr JsonLimits tokenizerLimits{std::size_t{256} << 20, 64, 16'000'000};
constexpr double unlimited = 1e9;  // larger maximal lengths mean that there is none

/// A special token as tokenizer_config.json has it: a text, or an object with its content.
std::string specialToken(const JsonNode& config, std::string_view key) {
    if (!config.has(key)) return {};
    const JsonNode node = config.at(key);
    return node.value().is_string() ? node.text() : node.at("content").text();
}

void readRoles(const JsonNode& config, text::TokenizerParts& parts) {
    const auto take = [&](std::string& role, std::string_view key) {
        if (std::string token = specialToken(config, key); !token.empty()) role = std::move(token);
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

}  // namespace

std::shared_ptr<const Tokenizer> Tokenizer::fromFolder(const fs::path& folder) {
    const fs::path file = folder / "tokenizer.json";
    if (!fs::exists(file))
        throw Error(folder.string() + ": expected a tokenizer (tokenizer.json), found none",
                    "Copy the tokenizer's files into the folder.");
    text::TokenizerParts parts = text::partsFromJson(readJsonFile(file, tokenizerLimits), file.string());
    if (const fs::path config = folder / "tokenizer_config.json"; fs::exists(config)) {
        const nlohmann::json json = readJsonFile(config, tokenizerLimits);
        const JsonNode node(json, config.string());
        readConfig(node, parts);
        readAddedTokensDecoder(node, parts);
    }
    return text::finish(std::move(parts));
}

}  // namespace fovea
