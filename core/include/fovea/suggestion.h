#pragma once

#include <string>
#include <vector>

namespace fovea {

/// The known word that `word` was most likely meant to be: few letters apart (insertions, deletions, changes and swaps
/// of neighbours), whatever the case, or one that it begins; empty when none is near.
std::string closestWord(const std::string& word, const std::vector<std::string>& known);

/// A hint for an unknown word: what was probably meant, then all that is known.
std::string suggestionHint(const std::string& word, const std::vector<std::string>& known);

}  // namespace fovea
