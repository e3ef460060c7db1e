#pragma once

#include "fovea/run.h"

namespace fovea {

/// What runModel() would take for this spec, edits, gradients and checkpoints included: what it checks against the budget.
/// For a recorded input, which is not run, what its model says. Nothing is run.
MemoryEstimate estimateRun(const Model& model, const ModelInput& input, const RunSpec& spec);

/// Throws Error (Memory), as runModel() does before it starts, where such a run exceeds spec.budget.
void requireBudget(const Model& model, const ModelInput& input, const RunSpec& spec);

}  // namespace fovea
