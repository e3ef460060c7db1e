#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "attention/kv_cache.h"
#include "attention/pass_records.h"
#include "attention/trace_impl.h"
#include "fovea/generate.h"

namespace fovea {

/// What an answer leaves behind for others that differ from it by their edits. Nobody changes it: who goes on from it
/// copies the cache before the first token of its own.
class GenerationState {
public:
    GenerateSpec asked;  ///< without what it was resumed from; edits without those that change nothing
    std::map<std::string, at::Tensor> inputs;
    std::int64_t prompt = 0;  ///< tokens of the text before the answer
    KvCache cache{0};
    PassRecords passes;
    std::shared_ptr<const AttentionTrace::Impl> trace;  ///< what it recorded
    std::vector<GeneratedToken> steps;
    std::map<std::string, std::vector<at::Tensor>> features;  ///< see Forward::kept
    std::vector<int> attended;     ///< sites that the prompt ran, in order
    std::vector<at::Tensor> sums;  ///< of their outputs, to tell whether they are finite
    std::uint64_t bytes = 0;  ///< of cache and features; the rest is the trace's
};

/// What of an earlier answer another one takes over.
struct KeptAnswer {
    int tokens = 0;       ///< of the answer, all of them run but for the last; 0: the prompt is run again
    bool others = false;  ///< what stages before the text have computed stays as it is
};

/// What an answer to `asked` (edits without those that change nothing) on `inputs` keeps of `state`: nothing when
/// anything but the edits differs.
KeptAnswer keptOf(const GenerationState& state, const ModelSpec& model,
                  const std::map<std::string, at::Tensor>& inputs, const GenerateSpec& asked);

}  // namespace fovea
