#pragma once

#include <utility>
#include <vector>

#include "fovea/token_map.h"
#include "session/session.h"

namespace fovea::gui {

/// Which tokens [begin, end) of a prompt belong to each turn of its conversation: those of its text and what the template
/// and pictures put before it. Empty where a turn's text is not found as it was written.
std::vector<std::pair<int, int>> turnTokens(const StageTokens& prompt, const std::vector<ChatTurn>& turns);

}  // namespace fovea::gui
