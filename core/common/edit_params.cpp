#include "common/edit_params.h"

namespace fovea {

ParamSpec rowSumParam(const std::string& defaultValue) {
    return {
        .name = "row_sum",
        .type = ParamType::Choice,
        .defaultValue = defaultValue,
        .help =
            "free: rows no longer sum to 1; compensate: the other keys take the difference in proportion; "
            "renormalise: every key is divided by the new sum",
        .choices = {"free", "compensate", "renormalise"}};
}

RowSum chosenRowSum(const nlohmann::json& params) {
    const auto word = params.at("row_sum").get<std::string>();
    return word == "free" ? RowSum::Free : word == "compensate" ? RowSum::Compensate : RowSum::Renormalise;
}

ParamSpec editedQueriesParam() {
    return {.name = "queries",
            .type = ParamType::Tokens,
            .defaultValue = "all",
            .help = "tokens whose attention is changed: all, cls, patches, ..."};
}

std::vector<int> editedQueries(const InterventionContext& context, const std::string& stage,
                               const nlohmann::json& params) {
    const auto text = params.at("queries").get<std::string>();
    if (text == "all") return {};
    return chosenTokens(text, context.tokens, stage, "queries");
}

std::vector<int> editedHeads(const AttentionSite& site, const nlohmann::json& params) {
    std::vector<int> heads = chosenHeads(site, params.at("heads").get<std::string>());
    if (static_cast<int>(heads.size()) == site.heads) heads.clear();
    return heads;
}

void multiplyHeads(std::vector<double>& perHead, const AttentionSite& site, const std::vector<int>& heads,
                   double factor) {
    if (factor == 1) return;
    perHead.resize(static_cast<std::size_t>(site.heads), 1.0);
    for (const int head : heads) perHead[static_cast<std::size_t>(head)] *= factor;
}

}  // namespace fovea
