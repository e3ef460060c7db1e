#pragma once

#include <QString>
#include <set>

namespace fovea::gui {

/// {0,1,2,5} -> "0-2,5", as parseIndices() and parseTokens() read it; "all" when it has all of `count` (> 0)
/// items.
QString indexText(const std::set<int>& indices, int count = 0);

/// A probability as "12.3 %", small ones with one digit more.
QString percentText(double probability);

}  // namespace fovea::gui
