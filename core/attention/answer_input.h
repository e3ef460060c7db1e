#pragma once

#include <memory>
#include <set>
#include <vector>

#include "fovea/model.h"
#include "fovea/run.h"

namespace fovea {

/// Adds the first `count` of an answer's ids to the text of a map: words, or special tokens where they are such or end
/// an answer.
void addAnswer(TokenMap& map, const Model& model, const std::set<int>& ends, const std::vector<int>& ids,
               std::size_t count);

/// The input of a run: `input` itself, or with RunSpec::answer behind its prompt, in the token map, too. `holder` keeps it.
/// Throws Error (Usage) for a model that does not generate and for a sequence that is too long for it.
const ModelInput& inputOf(const Model& model, const ModelInput& input, const RunSpec& spec,
                          std::shared_ptr<const ModelInput>& holder);

/// Drops what a run over an answer does otherwise than a generation would: tokens of an answer are never pruned.
void keepAnswer(const ModelInput& prompt, RunSpec& spec);

}  // namespace fovea
