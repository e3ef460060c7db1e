#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fovea/attention_trace.h"
#include "fovea/model.h"
#include "fovea/param.h"
#include "fovea/token_map.h"

namespace fovea {

// Parameters that many analyses and interventions share, and what they select.

ParamSpec stageParam();
ParamSpec layersParam(const std::string& defaultValue, const std::string& what = "layers to look at");
ParamSpec headsParam(const std::string& what = "heads to look at");
/// "site": an address or glob that replaces stage and layers.
ParamSpec siteParam();
ParamSpec fusionParam();
/// "weights": effective (after edits) or base.
ParamSpec weightsParam(const std::string& defaultValue);
ParamSpec queriesParam(const std::string& help);

HeadFusion chosenFusion(const nlohmann::json& params);
Weights chosenWeights(const nlohmann::json& params);

/// The attention that parameters select: sites of one stage in order of execution.
struct SiteChoice {
    std::string stage;
    std::vector<int> sites;  ///< indices into ModelSpec::sites
};

/// The stage that "stage" names; empty means ModelSpec::usualStage(). Throws Error (Usage) where there is none.
std::string chosenStage(const ModelSpec& spec, const nlohmann::json& params);

/// Sites of "stage" and "layers" (self attention over the stage's own tokens), or those that "site" matches.
/// Throws Error (Usage) when nothing is selected.
SiteChoice chosenSites(const ModelSpec& spec, const nlohmann::json& params);

/// Those of "stage" and "layers" alone; no sites where none of these layers attends to the stage's own tokens. Throws Error
/// (Usage) where no layer does.
SiteChoice ownSites(const ModelSpec& spec, const nlohmann::json& params);

/// Heads of a site selected by `text`; throws Error (Usage) when none.
std::vector<int> chosenHeads(const AttentionSite& site, const std::string& text);

/// Addresses of the chosen sites, for CaptureRequest::sites.
std::vector<std::string> addressesOf(const ModelSpec& spec, const std::vector<int>& sites);

/// "vision layer 11", "vision layers 4-7", "vision.12.cross.pool".
std::string describeSites(const ModelSpec& spec, const SiteChoice& choice);
/// "head 3", "mean of 12 heads".
std::string describeHeads(HeadFusion fusion, std::size_t heads);

/// Tokens chosen as queries: "auto" is what wrote the answer, or the last token of a prompt, or the class token;
/// "cls" on a stage without a class token means all image tokens.
struct QueryChoice {
    std::vector<int> tokens;
    std::string name;      ///< "[CLS]", "12 tokens", "all 196 image tokens (there is no class token)"
    bool writing = false;  ///< the name is that of the tokens that these queries wrote

    /// "from [CLS]", "while writing the 2 answer tokens", for titles.
    std::string phrase() const { return (writing ? "while writing " : "from ") + name; }
};
QueryChoice chosenQueries(const std::string& given, const TokenMap& map, const std::string& stage);

/// The tokens of a selection; throws Error (Usage) when it is empty.
std::vector<int> chosenTokens(const std::string& text, const TokenMap& map, const std::string& stage,
                              const std::string& what);

/// Positions of `tokens` in a sequence that may have lost some to pruning; the lost ones are left out.
std::vector<int> positionsIn(const std::vector<int>& sequence, const std::vector<int>& tokens);

/// "[CLS]", "patch (row 3, column 5)", "token 17".
std::string tokenName(const Token& token);
/// The same in a sentence: words of a prompt or an answer in quotes.
std::string quotedName(const Token& token);

}  // namespace fovea
