#pragma once

#include <cstddef>

namespace fovea::text {

// Bounds on tokenizer files and texts, far above what published models need.
constexpr std::size_t maxTextBytes = std::size_t{16} << 20;         // a prompt
constexpr std::size_t maxNormalizedBytes = std::size_t{64} << 20;   // after all normalizers
constexpr std::size_t maxVocabulary = std::size_t{1} << 21;         // tokens, and the largest id
constexpr std::size_t maxMerges = std::size_t{1} << 22;
constexpr std::size_t maxTokenBytes = 2048;
constexpr std::size_t maxComponents = 64;                           // normalizers, pre-tokenizers, ... of one sequence
constexpr std::size_t maxPatternBytes = 16384;

}  // namespace fovea::text
