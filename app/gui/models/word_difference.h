#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace fovea::gui {

/// The tokens, given by the text that each adds, whose words the other answer does not have in the same order: positions
/// in `a` and in `b`.
std::pair<std::set<int>, std::set<int>> differingTokens(const std::vector<std::string>& a,
                                                        const std::vector<std::string>& b);

}  // namespace fovea::gui
