#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "session/answer_text.h"
#include "session/session.h"

namespace fovea::cli {

/// One thing that two sessions say otherwise, as texts for people.
struct SessionChange {
    std::string what;  ///< "model", "prompt", "edits", "attention_from: queries", ...
    std::string a, b;  ///< "" is written "none"
};

/// What of two sessions bears on their results and is not the same: model, input, seed, edits and the parameters of analyses
/// that both have in the same place. Switched off edits, views and the look of pictures are left out.
std::vector<SessionChange> changesBetween(const Session& a, const Session& b, const Catalog& catalog);

/// The first token at which two answers part, counted from 0; nothing where they are the same. An answer that ends there
/// has one token less.
std::optional<std::size_t> partingToken(const AnswerText& a, const AnswerText& b);

/// [{"what", "a", "b"}].
nlohmann::ordered_json toJson(const std::vector<SessionChange>& changes);

/// {"token", "a", "b"}: where answers part, with the token of each there, null behind its end; null where they are the same
/// or one side has none.
nlohmann::ordered_json partingJson(const std::optional<AnswerText>& a, const std::optional<AnswerText>& b);

/// Lines for people about the answers of an item; empty where neither side has one.
std::string answersText(const nlohmann::ordered_json& item);

}  // namespace fovea::cli
