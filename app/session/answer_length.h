#pragma once

#include <string>

#include "engine.h"

namespace fovea {

/// How long an answer may be, and who says so.
struct AnswerLength {
    int tokens = 0;
    std::string source;  ///< "max_new_tokens" or "max_length" of generation_config.json; empty: `usual` itself
    int shortenedFrom = 0;  ///< what the file allows where the budget does not hold it, else 0
};

/// The length of an answer to a prompt of so many tokens where the user gives none: what the model's own rules say, else
/// `usual`. Throws Error (Usage) where the rules leave the prompt no room.
AnswerLength usualAnswerLength(const GenerationRules& rules, int promptTokens, int usual);

/// The same for the first item of a session, shortened by halves down to `usual` until its budget holds it.
AnswerLength usualAnswerLength(Engine& engine, const Session& session, int usual, const JobContext& job);

}  // namespace fovea
