#include "common/edit_params.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <sstream>

#include "fovea/selection.h"

namespace fovea {
namespace {

// Places counted from the end and words other than "answer" and "writing" mean the prompt alone.
bool mayNameAnswer(const std::string& part) {
    if (part.starts_with("answer") || part.starts_with("writing")) return true;
    const auto digit = [&](std::size_t i) { return i < part.size() && std::isdigit(static_cast<unsigned char>(part[i])); };
    for (std::size_t i = 0; i < part.size(); ++i) {
        const bool joint = (part[i] == '-' || part[i] == ',') && i > 0 && digit(i - 1) && digit(i + 1);
        if (!digit(i) && !joint) return false;
    }
    return !part.empty();
}

TokenMap withAnswer(TokenMap map, const std::string& stageName, int count) {
    for (StageTokens& stage : map.stages)
        for (int i = 0; stage.stage == stageName && i < count; ++i) {
            Token token;
            token.index = stage.size();
            token.kind = TokenKind::Generated;
            stage.tokens.push_back(std::move(token));
        }
    return map;
}

}  // namespace

std::vector<int> editedTokens(const InterventionContext& context, const std::string& stage, const std::string& text,
                              const std::string& what) {
    if (context.answerTokens == 0 || stage != "text") return chosenTokens(text, context.tokens, stage, what);
    const TokenMap longer = withAnswer(context.tokens, stage, context.answerTokens);
    std::set<int> tokens;
    std::istringstream parts(text);
    for (std::string part; std::getline(parts, part, ';');) {
        part.erase(0, part.find_first_not_of(" \t"));
        part.erase(part.find_last_not_of(" \t") + 1);
        const std::vector<int> some = parseTokens(part, mayNameAnswer(part) ? longer : context.tokens, stage);
        tokens.insert(some.begin(), some.end());
    }
    if (tokens.empty()) return chosenTokens(text, context.tokens, stage, what);
    return {tokens.begin(), tokens.end()};
}

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
            .help = "tokens whose attention is changed: all, cls, patches, answer:2-last (from an answer's third "
                    "token on), writing:2-last (while these are written), ..."};
}

std::vector<int> editedQueries(const InterventionContext& context, const std::string& stage,
                               const nlohmann::json& params) {
    const auto text = params.at("queries").get<std::string>();
    if (text == "all") return {};
    return editedTokens(context, stage, text, "queries");
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
