#pragma once

#include <ctime>

namespace fovea {

/// A moment as the clock on this computer's wall shows it.
std::tm localTime(std::time_t moment);

}  // namespace fovea
