#pragma once

#include <cstdint>
#include <string>

#include "fovea/run.h"

namespace fovea {

/// What runModel() would take for this spec, edits, gradients and checkpoints included: what it checks against the budget.
/// For a recorded input, which is not run, what its model says. Nothing is run.
MemoryEstimate estimateRun(const Model& model, const ModelInput& input, const RunSpec& spec);

/// The least spec.budget with which runModel() runs: what it takes but for what it can record on a temporary file. As a spec
/// without a budget records in memory, it must have one.
std::uint64_t leastBudget(const Model& model, const ModelInput& input, const RunSpec& spec);

/// "raise --budget to 2.0 MiB", and what all in memory takes, for a run of `whole` bytes of which `spilled` can go to a file.
std::string raisedBudget(std::uint64_t whole, std::uint64_t spilled);

/// Throws Error (Memory), as runModel() does before it starts, where such a run exceeds spec.budget.
void requireBudget(const Model& model, const ModelInput& input, const RunSpec& spec);

}  // namespace fovea
