#pragma once

#include <string>
#include <vector>

namespace fovea {

/// A token of a text that an objective is about.
struct ObjectiveToken {
    int row = 0;     ///< place in the sequence of the token whose logits it is read from
    int id = 0;      ///< its place in the vocabulary
    int other = -1;  ///< of another one, for LogitDifference; -1 means the runner-up there
    bool operator==(const ObjectiveToken&) const = default;
};

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
    /// Of a text's logits: the sum over these tokens of what `kind` says, in the place of `classIndex`; empty: of the
    /// last row.
    std::vector<ObjectiveToken> tokens{};
    bool operator==(const Objective&) const = default;
};

}  // namespace fovea
