#include "fovea/error.h"
#include "text/token_model.h"

namespace fovea::text {
namespace {

/// Old files name no type: each model is known by the keys it alone has.
std::string typeOf(const JsonNode& node) {
    if (node.has("type")) return node.at("type").text();
    if (node.has("merges")) return "BPE";
    if (node.at("vocab").value().is_array()) return "Unigram";
    return node.has("max_input_chars_per_word") ? "WordPiece" : "WordLevel";
}

class WordLevel : public TokenModel {
public:
    explicit WordLevel(const JsonNode& node)
        : TokenModel(Vocabulary(node.at("vocab"))), m_unknown(node.text("unk_token", "<unk>")), m_path(node.path()) {}

    void tokenize(std::string_view word, std::vector<ModelToken>& out) const override {
        auto id = m_vocabulary.idOf(word);
        if (!id) id = m_vocabulary.idOf(m_unknown);
        if (!id)
            throw Error(m_path + ": expected the unknown token \"" + m_unknown.substr(0, 40) +
                        "\" in the vocabulary, found none");
        out.push_back({*id, 0, static_cast<std::uint32_t>(word.size())});
    }

private:
    std::string m_unknown, m_path;
};

}  // namespace

std::unique_ptr<TokenModel> makeWordLevel(const JsonNode& node) {
    return std::make_unique<WordLevel>(node);
}

std::unique_ptr<TokenModel> makeModel(const JsonNode& node, std::vector<std::string>& notices) {
    const std::string type = typeOf(node);
    if (type == "BPE") return makeBpe(node, notices);
    if (type == "WordPiece") return makeWordPiece(node);
    if (type == "Unigram") return makeUnigram(node);
    if (type == "WordLevel") return makeWordLevel(node);
    node.at("type").fail("BPE, WordPiece, Unigram or WordLevel");
}

std::vector<int> byteTokens(const Vocabulary& vocabulary) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::vector<int> ids;
    for (std::size_t byte = 0; byte < 256; ++byte)
        ids.push_back(vocabulary.idOf(std::string("<0x") + digits[byte / 16] + digits[byte % 16] + ">").value_or(-1));
    return ids;
}

bool appendBytes(std::string_view text, std::uint32_t begin, const std::vector<int>& byteTokens,
                 std::vector<ModelToken>& out) {
    for (const char c : text)
        if (byteTokens[static_cast<unsigned char>(c)] < 0) return false;
    for (std::uint32_t i = 0; i < text.size(); ++i)
        out.push_back({byteTokens[static_cast<unsigned char>(text[i])], begin + i, begin + i + 1});
    return true;
}

}  // namespace fovea::text
