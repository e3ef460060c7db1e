#pragma once

#include <string>

#include "flags.h"
#include "session/session.h"

namespace fovea::cli {

/// The flags that say how values become colours.
struct DisplayFlags {
    DisplayOptions values;
    std::string scale = "linked";
    bool noGrid = false, noRecipe = false;
};

void addDisplayFlags(Flags& command, DisplayFlags& flags);

/// The display options; throws Error (Usage) on a scale that makes no sense.
DisplayOptions displayOptions(const DisplayFlags& flags);

}  // namespace fovea::cli
