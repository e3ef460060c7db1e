#include "scenes/palette.h"

namespace fovea::scenes {

Color paletteColor(SceneColor color) {
    switch (color) {
        case SceneColor::Red:
            return rgb(210, 48, 40);
        case SceneColor::Orange:
            return rgb(238, 146, 30);
        case SceneColor::Yellow:
            return rgb(247, 224, 66);
        case SceneColor::Green:
            return rgb(22, 152, 92);
        case SceneColor::Cyan:
            return rgb(98, 200, 240);
        case SceneColor::Blue:
            return rgb(30, 84, 178);
        case SceneColor::Purple:
            return rgb(146, 78, 166);
        case SceneColor::White:
            return rgb(244, 244, 240);
    }
    return {};
}

Color accentColor(SceneColor color) {
    const Color base = paletteColor(color);
    const Color light = rgb(255, 252, 246);
    switch (color) {
        case SceneColor::Yellow:
            return {base.r * 0.80f, base.g * 0.77f, base.b * 0.5f};
        case SceneColor::White:
            return scaled(base, 0.70f);
        case SceneColor::Orange:
            return mix(base, light, 0.5f);
        case SceneColor::Cyan:
            return scaled(base, 0.72f);
        default:
            return mix(base, light, 0.42f);
    }
}

}  // namespace fovea::scenes
