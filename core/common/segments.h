#pragma once

#include <string>
#include <vector>

#include "fovea/token_map.h"

namespace fovea {

/// A part of a sequence that belongs together: the system text, one picture, the question, the answer so far.
struct Segment {
    std::string name;         ///< "start", "system", "image 0", "text 0", "question", "prompt", "answer", ...
    std::vector<int> tokens;  ///< ascending token indices
};

/// Cuts a stage's sequence into segments (sinks reference §0.1); every token belongs to exactly one. A text
/// stage has "start" (the special tokens it begins with), then "system" before the first picture, a segment a
/// picture (its separators included), "text N" between pictures, "question" after the last one, or "prompt"
/// where there is no picture, and "answer" (generated tokens). A stage that begins with a picture or has
/// class or register tokens before its pictures has "prefix" and "image N".
std::vector<Segment> segmentsOf(const StageTokens& stage);

}  // namespace fovea
