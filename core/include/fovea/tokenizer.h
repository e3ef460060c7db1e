#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

/// Bytes [begin, end) of the text that was encoded.
struct ByteSpan {
    std::size_t begin = 0, end = 0;
    bool operator==(const ByteSpan&) const = default;
};

/// A text as token ids, in three lists of equal length.
struct Encoding {
    std::vector<int> ids;
    std::vector<ByteSpan> spans;  ///< what each token stands for; empty for tokens that the text does not hold
    std::vector<bool> special;    ///< special tokens, written in the text or added around it
};

/// Whether encode() adds the tokens that the model expects around a text, such as [CLS] or <s>.
enum class AddSpecial { No, Yes };
/// Whether decode() leaves special tokens out.
enum class SkipSpecial { No, Yes };

/// The tokenizer of a language model: text to ids and back, equal to the reference package `tokenizers`. Immutable and
/// safe from several threads.
class Tokenizer {
public:
    /// Opens the tokenizer of a model folder: tokenizer.json, else vocab.json with merges.txt, vocab.txt, or a
    /// sentencepiece model (tokenizer.model, spiece.model); with tokenizer_config.json, special_tokens_map.json and
    /// added_tokens.json where they are. Throws Error (Input) for files that are missing, damaged or unknown.
    static std::shared_ptr<const Tokenizer> fromFolder(const std::filesystem::path& folder);
    /// Builds a tokenizer from the content of a tokenizer.json; messages name fileName. Throws Error (Input).
    static std::shared_ptr<const Tokenizer> fromJson(const nlohmann::json& tokenizerJson, std::string fileName);

    /// The ids of a text of at most 16 MiB with the bytes each stands for. Bytes that are not UTF-8 are read as U+FFFD,
    /// one for each longest wrong beginning of a character, as by Python's errors="replace". Throws Error (Input) where
    /// the vocabulary cannot spell the text.
    Encoding encode(std::string_view text, AddSpecial addSpecial) const;
    /// The text of ids; unknown ids are left out.
    std::string decode(std::span<const int> ids, SkipSpecial skipSpecial) const;

    /// The vocabulary's spelling of an id ("\u0120star"), "" when it has none.
    std::string tokenText(int id) const;
    /// The id of a token in the vocabulary's spelling.
    std::optional<int> idOf(std::string_view token) const;
    /// Number of tokens, added ones included.
    int vocabularySize() const;
    /// One more than the largest id: how many rows a model's embedding must have.
    int idEnd() const;
    bool isSpecial(int id) const;

    /// Special tokens by their role in tokenizer_config.json, "" when there is none.
    const std::string& bosToken() const;
    const std::string& eosToken() const;
    const std::string& padToken() const;
    const std::string& unkToken() const;
    /// The longest sequence in tokens that the model takes, 0 when the files do not say.
    std::int64_t modelMaxLength() const;
    /// What was ignored or put right while reading, one sentence each.
    const std::vector<std::string>& notices() const;

    struct Impl;  ///< internal: built by the readers of core/text
    explicit Tokenizer(std::unique_ptr<const Impl> impl);
    ~Tokenizer();

private:
    friend class StreamingDecoder;
    std::unique_ptr<const Impl> m_impl;
};

/// Decodes ids as they come. Text is given out as soon as no later id can change it; all of it together equals
/// decode(all ids, SkipSpecial::Yes).
class StreamingDecoder {
public:
    explicit StreamingDecoder(std::shared_ptr<const Tokenizer> tokenizer);
    ~StreamingDecoder();
    StreamingDecoder(StreamingDecoder&&) noexcept;
    StreamingDecoder& operator=(StreamingDecoder&&) noexcept;

    /// Takes one more id; returns the text that became certain.
    std::string push(int id);
    /// The rest of the text; nothing may be pushed afterwards.
    std::string finish();

private:
    struct State;
    std::unique_ptr<State> m_state;
};

}  // namespace fovea
