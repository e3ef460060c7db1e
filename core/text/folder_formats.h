#pragma once

#include <filesystem>

#include "io/json_file.h"
#include "text/tokenizer_parts.h"

namespace fovea::text {

constexpr JsonLimits tokenizerLimits{std::size_t{256} << 20, 64, 16'000'000};

/// The files of a folder without tokenizer.json; config is its tokenizer_config.json, or an empty object.
/// vocab.json and merges.txt: byte-level BPE by the conventions of the class that the config names (CLIP, Qwen2, RoBERTa,
/// else GPT-2).
TokenizerParts partsFromMerges(const std::filesystem::path& folder, const JsonNode& config);
/// vocab.txt: WordPiece by the conventions of BERT.
TokenizerParts partsFromVocabularyList(const std::filesystem::path& folder, const JsonNode& config);
/// A sentencepiece model by the conventions of Llama, Gemma, T5 or SigLIP.
TokenizerParts partsFromSentencePiece(const std::filesystem::path& file, const JsonNode& config);

/// The text of a special token in a config: a text, or an object with its content; "" when there is none.
std::string specialToken(const JsonNode& config, std::string_view key);
/// The lines of a text file, without line ends; throws Error (Input) beyond the limits.
std::vector<std::string> readLines(const std::filesystem::path& file);

}  // namespace fovea::text
