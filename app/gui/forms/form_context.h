#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include "compute/text_answer.h"
#include "fovea/model.h"
#include "fovea/token_map.h"

namespace fovea::gui {

/// What editors need to check selections and to offer names: the open model and the encoded input; either may
/// be null.
struct FormContext {
    std::shared_ptr<const ModelSpec> spec;
    std::shared_ptr<const ModelInput> input;
    int item = 0;
    std::shared_ptr<const TextAnswer> answer;  ///< to this input; null before there is one
    std::string chosenStage;                   ///< that the analysis names; empty: the usual one

    const TokenMap* tokens() const {
        if (answer) return &answer->map;
        return input && item < input->count() ? &input->maps[static_cast<std::size_t>(item)] : nullptr;
    }
    /// The stage that analyses are about when they name none.
    const StageSpec* usualStage() const {
        if (!spec || spec->stages.empty()) return nullptr;
        const StageSpec* found = stageOf(spec->usualStage());
        return found ? found : &spec->stages.front();
    }
    /// The stage that selections are about.
    const StageSpec* stage() const {
        const StageSpec* found = chosenStage.empty() ? nullptr : stageOf(chosenStage);
        return found ? found : usualStage();
    }
    /// Its tokens; null where the map has none.
    const StageTokens* stageTokens() const {
        const TokenMap* map = tokens();
        const StageSpec* wanted = stage();
        if (!map || !wanted) return nullptr;
        for (const StageTokens& tokens : map->stages)
            if (tokens.stage == wanted->id) return &tokens;
        return nullptr;
    }
    int heads() const {
        int most = 0;
        const StageSpec* wanted = stage();
        if (spec)
            for (const AttentionSite& site : spec->sites)
                if (!wanted || site.stage == wanted->id) most = std::max(most, site.heads);
        return most;
    }

private:
    const StageSpec* stageOf(const std::string& id) const {
        for (const StageSpec& stage : spec->stages)
            if (stage.id == id) return &stage;
        return nullptr;
    }
};

/// The context of an analysis with these parameters.
inline FormContext contextFor(FormContext context, const nlohmann::json& params) {
    const auto stage = params.find("stage");
    context.chosenStage = stage != params.end() && stage->is_string() ? stage->get<std::string>() : std::string();
    return context;
}

}  // namespace fovea::gui
