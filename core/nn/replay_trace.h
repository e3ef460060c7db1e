#pragma once

#include <memory>
#include <string>
#include <vector>

#include "attention/trace_impl.h"
#include "io/trace_file.h"
#include "io/weight_store.h"
#include "nn/replay_spec.h"

namespace fovea {

/// Where the tensors of one item of a trace file are.
struct ReplaySource {
    std::shared_ptr<const TraceFile> file;
    std::shared_ptr<const WeightStore> tensors;  ///< of the same file, mapped
    const ModelSpec& spec;
    const RecordedAttentions& attention;
    const TokenMap& map;
    std::string prefix;  ///< of the item's names: "", "image0/"
    const std::vector<const TensorInfo*>& named;  ///< the tensors whose names have that prefix
};

/// The recorded attention of one item; probabilities come from the file, or from its Q and K. What the file
/// lacks is said in `notices`. Throws Error (Input) naming a tensor of wrong shape.
std::shared_ptr<const AttentionTrace> replayTrace(const ReplaySource& source,
                                                  std::vector<std::string>& notices);

}  // namespace fovea
