#include "common/sink_params.h"

#include <fmt/format.h>

namespace fovea {

std::vector<ParamSpec> sinkParams() {
    return {
        {.name = "rule",
         .type = ParamType::Choice,
         .defaultValue = "relative",
         .help =
             "relative: mean incoming attention above ratio / tokens (any model); absolute: above threshold "
             "(text models)",
         .choices = {"relative", "absolute"}},
        {.name = "ratio",
         .type = ParamType::Number,
         .defaultValue = 5.0,
         .help = "relative rule: how many times the uniform share (alpha of ACT, arXiv:2406.15765)",
         .minimum = 1,
         .maximum = 1000},
        {.name = "threshold",
         .type = ParamType::Number,
         .defaultValue = 0.3,
         .help = "absolute rule: mean incoming attention (0.3: Gu et al. 2024; 0.1: ACT's code)",
         .minimum = 0,
         .maximum = 1}};
}

SinkRule chosenSinkRule(const nlohmann::json& params) {
    SinkRule rule;
    rule.limit = params.at("rule") == "absolute" ? SinkRule::Limit::Absolute : SinkRule::Limit::Relative;
    rule.ratio = params.at("ratio").get<double>();
    rule.threshold = params.at("threshold").get<double>();
    return rule;
}

std::string describe(const SinkRule& rule, int keys) {
    if (rule.limit == SinkRule::Limit::Absolute) return fmt::format("above {:g}", rule.threshold);
    return fmt::format("above {:g} / {} = {:.3g}", rule.ratio, keys, rule.of(keys));
}

}  // namespace fovea
