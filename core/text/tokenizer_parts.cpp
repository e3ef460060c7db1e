#include "text/tokenizer_parts.h"

#include "text/limits.h"

namespace fovea::text {
namespace {

/// Ids of added tokens as the reference gives them: the model's where it knows the token, else the next one behind the
/// model's vocabulary, whatever the file says.
std::vector<AddedToken> resolveIds(TokenizerParts& parts) {
    const Vocabulary& vocabulary = parts.model->vocabulary();
    int next = static_cast<int>(vocabulary.size());
    std::vector<AddedToken> resolved;
    std::map<std::string, std::size_t, std::less<>> places;
    for (AddedToken& token : parts.added) {
        if (token.content.empty()) continue;
        const auto place = places.find(token.content);
        const auto known = place != places.end() ? std::optional(resolved[place->second].id)
                                                 : vocabulary.idOf(token.content);
        const int id = known ? *known : next++;
        if (token.id >= 0 && token.id != id)
            parts.notices.push_back("the added token \"" + token.content + "\" has the id " + std::to_string(id) +
                                    ", not " + std::to_string(token.id) + " as its file says");
        token.id = id;
        if (place != places.end()) {
            resolved[place->second] = std::move(token);
            continue;
        }
        places.emplace(token.content, resolved.size());
        resolved.push_back(std::move(token));
    }
    return resolved;
}

}  // namespace

TokenizerParts partsFromJson(const nlohmann::json& json, const std::string& fileName) {
    const JsonNode root(json, fileName);
    TokenizerParts parts;
    parts.model = makeModel(root.at("model").expectObject(), parts.notices);
    if (root.has("normalizer")) parts.normalizer = makeNormalizer(root.at("normalizer"));
    if (root.has("pre_tokenizer")) parts.preTokenizer = makePreTokenizer(root.at("pre_tokenizer"));
    if (root.has("post_processor")) parts.postProcessor = makePostProcessor(root.at("post_processor"));
    parts.decoders = root.has("decoder") ? makeDecoders(root.at("decoder")) : joinWithSpaces();
    if (root.has("added_tokens"))
        for (const JsonNode& token : root.at("added_tokens").items(maxVocabulary))
            parts.added.push_back(readAddedToken(token));
    if (root.has("truncation") || root.has("padding"))
        parts.notices.push_back(fileName + ": truncation and padding are left to the model and not applied");
    return parts;
}

std::shared_ptr<const Tokenizer> finish(TokenizerParts parts) {
    std::vector<AddedToken> tokens = resolveIds(parts);
    AddedTokens added(std::move(tokens), parts.normalizer.get());
    return std::make_shared<const Tokenizer>(
        std::make_unique<const Tokenizer::Impl>(Tokenizer::Impl{std::move(parts), std::move(added)}));
}

}  // namespace fovea::text
