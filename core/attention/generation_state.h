#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "attention/run_state.h"
#include "fovea/generate.h"

namespace fovea {

/// What an answer leaves behind for others that differ from it by their edits. Nobody changes it: who goes on from it
/// copies the cache before the first token of its own.
class GenerationState : public RunState {
public:
    GenerateSpec asked;  ///< without what it was resumed from; edits without those that change nothing
    std::vector<GeneratedToken> steps;
};

/// What of an earlier answer another one takes over.
struct KeptAnswer {
    bool serves = false;  ///< nothing but the edits differs: its prompt can be resumed from
    int tokens = 0;       ///< of the answer, all of them run but for the last; 0: the prompt is run again
    ResumePoint point;
};

/// What an answer to `asked` (edits without those that change nothing) on `inputs` keeps of `state`: nothing when
/// anything but the edits differs.
KeptAnswer keptOf(const GenerationState& state, const ModelSpec& model,
                  const std::map<std::string, at::Tensor>& inputs, const GenerateSpec& asked);

/// Edits as a prompt of so many tokens sees them.
EditPlan inPrompt(const EditPlan& edits, const ModelSpec& model, std::int64_t prompt);

}  // namespace fovea
