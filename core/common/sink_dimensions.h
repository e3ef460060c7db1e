#pragma once

#include <span>
#include <string>
#include <vector>

#include "fovea/array.h"

namespace fovea {

/// VAR's measure of a token (arXiv:2503.03321): its largest value in the sink dimensions by the root mean square of all,
/// max |x_d| / sqrt(mean(x^2) + 1e-6). At most sqrt(D); 0 without dimensions. Scaling x leaves it but for the 1e-6.
double sinkPhi(std::span<const float> x, const std::vector<int>& dimensions);

/// The dimensions in which any of the tokens stands out, |x_d| > 0.3 sqrt(D) rms(x), in at least 70 % of the layers: at
/// most `limit` of them, those in most layers first, ascending. `layers` are residual streams [tokens, D].
std::vector<int> discoveredSinkDimensions(const std::vector<Array>& layers, const std::vector<int>& tokens, int limit = 4);

/// Reads "1415,2533" against D dimensions; ascending, empty for "". Throws Error (Usage).
std::vector<int> parseSinkDimensions(const std::string& text, int count);

}  // namespace fovea
