#pragma once

#include <algorithm>
#include <memory>

#include "fovea/model.h"
#include "fovea/token_map.h"

namespace fovea::gui {

/// What editors need to check selections and to offer names: the open model and the encoded input; either may
/// be null.
struct FormContext {
    std::shared_ptr<const ModelSpec> spec;
    std::shared_ptr<const ModelInput> input;
    int item = 0;

    const TokenMap* tokens() const {
        return input && item < input->count() ? &input->maps[static_cast<std::size_t>(item)] : nullptr;
    }
    /// The stage that selections without a stage are about: the first with attention.
    const StageSpec* stage() const { return spec && !spec->stages.empty() ? &spec->stages.front() : nullptr; }
    int heads() const {
        int most = 0;
        if (spec)
            for (const AttentionSite& site : spec->sites) most = std::max(most, site.heads);
        return most;
    }
};

}  // namespace fovea::gui
