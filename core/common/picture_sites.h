#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "common/site_choice.h"

namespace fovea {

/// The stage whose tokens a site's keys are.
const std::string& keyStageOf(const AttentionSite& site);

/// The one stage whose tokens all of these sites look at; throws Error (Usage) where they differ.
std::string stageLookedAt(const ModelSpec& spec, const SiteChoice& choice);

/// Cross-attention of "stage" in "layers" whose keys are tokens of a picture (the text of BLIP and Mllama); no sites where
/// there is none in these layers.
SiteChoice crossingSites(const ModelSpec& spec, const nlohmann::json& params);

/// The attention that reaches pictures: crossingSites() of a stage that has such attention, throwing Error (Usage) where
/// the layers have none, else chosenSites().
SiteChoice sitesOnPictures(const ModelSpec& spec, const nlohmann::json& params);

/// describeSites(), saying that it is cross-attention.
std::string describeReading(const ModelSpec& spec, const SiteChoice& choice);

/// What numbers of such sites are of, for notes; empty for sites over a stage's own tokens.
std::string crossingNote(const ModelSpec& spec, const SiteChoice& choice);

/// For hints: what shows how a stage without pictures among its tokens reads them, or that it reads none.
std::string whereStageSees(const ModelSpec& spec, const std::string& stage);

}  // namespace fovea
