#pragma once

#include <cstdint>
#include <vector>

namespace fovea {

/// A rectangle of a site's probabilities: chosen heads, successive queries and keys.
struct SiteBlock {
    std::vector<std::int64_t> heads;
    std::int64_t queryBegin = 0, queryEnd = 0;
    std::int64_t keyBegin = 0, keyEnd = 0;
};

}  // namespace fovea
