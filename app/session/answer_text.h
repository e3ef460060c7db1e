#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine.h"

namespace fovea {

/// An answer for people and files.
struct AnswerText {
    std::string text;                 ///< as generate prints it
    std::vector<int> ids;             ///< empty where only the tokens' texts were recorded
    std::vector<std::string> tokens;  ///< what each token stands for
};

/// The answer that an item's results are about; nothing where the session asks for none and none was recorded.
std::optional<AnswerText> answerText(Engine& engine, const Session& session, int item, const JobContext& job);

/// The model's rules with what the session says in their place.
GenerationRules rulesInForce(const Model& model, const Session& session);

/// {"text", "ids", "tokens"}.
nlohmann::ordered_json toJson(const AnswerText& answer);

}  // namespace fovea
