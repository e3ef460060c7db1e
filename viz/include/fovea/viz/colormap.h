#pragma once

#include <array>
#include <string>
#include <vector>

#include "fovea/viz/picture.h"

namespace fovea::viz {

/// A colour map of 256 colours under the name that papers and matplotlib use.
struct ColorMap {
    enum class Kind {
        Sequential,  ///< from little to much
        Diverging,   ///< two hues around a neutral middle, for signed values
    };
    std::string name;
    Kind kind = Kind::Sequential;
    bool perceptual = false;      ///< equal steps of value look like equal steps of colour
    bool colorBlindSafe = false;  ///< keeps its order for readers with a colour vision deficiency
    std::string help;             ///< one line
    std::array<Color, 256> colors;

    /// The colour at t in 0..1, clamped; NaN gives a transparent colour.
    Color at(double t) const;
};

/// All colour maps, the recommended ones first.
const std::vector<ColorMap>& colorMaps();

/// The colour map of that name; throws Error (Usage) that lists the names.
const ColorMap& colorMap(const std::string& name);

}  // namespace fovea::viz
