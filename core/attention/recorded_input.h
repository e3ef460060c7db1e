#pragma once

#include <memory>

#include "fovea/attention_trace.h"
#include "fovea/model.h"

namespace fovea {

/// The input of a trace file: what was recorded stands where a run of the model would be.
class RecordedInput : public ModelInput {
public:
    /// What was recorded of an item.
    virtual std::shared_ptr<const AttentionTrace> recorded(int item) const = 0;

    std::vector<std::string> notices;  ///< what the recording lacks
};

}  // namespace fovea
