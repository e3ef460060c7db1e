#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "fovea/generate.h"
#include "fovea/token_map.h"

namespace fovea::gui {

/// One token of an answer as the window shows it.
struct AnswerToken {
    int id = 0;
    int index = -1;            ///< in the text stage; -1 when it did not go through the model
    std::string piece;         ///< what it adds to the answer's text; empty for special tokens and parts of characters
    std::string spelling;      ///< as the vocabulary has it
    double probability = 0;    ///< before penalties and temperature
    std::vector<std::pair<std::string, double>> candidates;  ///< spellings of the likeliest tokens there
    bool operator==(const AnswerToken&) const = default;
};

/// A finished or stopped answer.
struct TextAnswer {
    std::vector<AnswerToken> tokens;
    StopReason stop = StopReason::Length;
    TokenMap map;  ///< prompt and answer
};

/// Called with every token of an answer as it comes, on the thread that computes.
using AnswerCallback = std::function<void(const AnswerToken&)>;

}  // namespace fovea::gui
