#pragma once

#include <string>
#include <vector>

#include "nn/prompt_reader.h"

namespace fovea {

/// What a text tower's preprocessing does to a text.
struct TowerPromptSpec {
    std::int64_t length = 77;        ///< the longest text in tokens
    std::int64_t vocabulary = 49408;
    bool padded = false;             ///< up to that length, with tokens that are attended like others (SigLIP)
    int padToken = 1;
    bool padLeft = false;            ///< before the text
    bool lowered = false;            ///< letters of ASCII become small
    bool bare = false;               ///< punctuation of ASCII is dropped, white space collapses (SigLIP 1)
};

/// A text ready for a tower.
struct TowerPrompt {
    std::vector<int> ids;
    StageTokens tokens;
    std::vector<std::string> notices;
};

/// Tokenises a text for a tower; one that is too long loses its end but for the end token, with a notice. Throws Error
/// (Input) without a tokenizer.
TowerPrompt towerPrompt(const PromptReader& reader, const std::string& text, const TowerPromptSpec& spec);

}  // namespace fovea
