#pragma once

#include <string>

namespace fovea {

/// The scalar that gradients and perturbations are about.
struct Objective {
    enum class Kind {
        Logit,            ///< logits[classIndex]
        LogProbability,   ///< log softmax(logits)[classIndex]
        LogitDifference,  ///< logits[classIndex] - logits[otherClass]
        OutputNorm,       ///< squared 2-norm of an output, for models without classes
        Similarity,       ///< one entry of a similarity output (logits_per_image)
    };
    Kind kind = Kind::Logit;
    std::string output = "logits";  ///< which output of the model
    int classIndex = -1;            ///< -1 means the largest logit of this run
    int otherClass = -1;            ///< for LogitDifference; -1 means the runner-up
    bool operator==(const Objective&) const = default;
};

}  // namespace fovea
