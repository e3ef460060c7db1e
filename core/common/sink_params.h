#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fovea/param.h"
#include "fovea/sinks.h"

namespace fovea {

/// "rule", "ratio" and "threshold": how a sink is decided; shared by the sinks analysis and the edits of
/// sinks.
std::vector<ParamSpec> sinkParams();
SinkRule chosenSinkRule(const nlohmann::json& params);
/// "above 5 / 197 = 0.0254", "above 0.3".
std::string describe(const SinkRule& rule, int keys);

}  // namespace fovea
