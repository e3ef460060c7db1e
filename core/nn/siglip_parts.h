#pragma once

#include "nn/model_source.h"
#include "nn/vision_model.h"

namespace fovea {

/// How the two SigLIP families differ.
struct SiglipForm {
    std::string family;        ///< "siglip"
    std::string architecture;  ///< beginning of the class names: "Siglip"
    bool naflex = false;       ///< the input is patches of any grid, padded (SigLIP 2)
};

/// SigLIP (Zhai et al. 2023) and SigLIP 2 (Tschannen et al. 2025): the vision tower alone, with a classifier,
/// or both towers.
std::shared_ptr<const Model> loadSiglip(const SiglipForm& form, const ModelSource& source,
                                        const LoadOptions& options, const JobContext& job);

}  // namespace fovea
