#pragma once

#include "nn/model_source.h"
#include "nn/vision_model.h"

namespace fovea {

/// What distinguishes the two DINOv2 families.
struct Dinov2Form {
    std::string prefix;        ///< base prefix with its dot: "dinov2."
    std::string architecture;  ///< beginning of the class names: "Dinov2"
    std::int64_t patch = 14;   ///< default patch size
    std::int64_t registers = 0;
    PositionResize resize = PositionResize::Bicubic;
};

/// DINOv2 (Oquab et al. 2023), with registers (Darcet et al. 2024) where there are any; also in its
/// repository's layout.
VisionModelParts dinov2Parts(const ModelSource& source, const Dinov2Form& form);

}  // namespace fovea
