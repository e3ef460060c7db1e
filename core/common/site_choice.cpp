#include "common/site_choice.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "fovea/error.h"
#include "fovea/selection.h"

namespace fovea {
namespace {

std::vector<int> tokenSites(const ModelSpec& spec, const std::string& stage) {
    std::vector<int> sites;
    for (const int site : spec.sitesOfStage(stage))
        if (spec.sites[static_cast<std::size_t>(site)].overOwnTokens()) sites.push_back(site);
    return sites;
}

std::string stagesOf(const ModelSpec& spec) {
    std::string names;
    for (const StageSpec& stage : spec.stages) names += (names.empty() ? "" : ", ") + stage.id;
    return names;
}

SiteChoice matchingSites(const ModelSpec& spec, const std::string& pattern) {
    SiteChoice choice;
    for (std::size_t i = 0; i < spec.sites.size(); ++i) {
        if (!matchesGlob(pattern, spec.sites[i].address())) continue;
        if (!choice.sites.empty() && choice.stage != spec.sites[i].stage)
            throw Error(fmt::format("site \"{}\" matches attention of several stages", pattern),
                        "begin the address with the stage, such as " + choice.stage + ".*", ErrorCode::Usage);
        choice.stage = spec.sites[i].stage;
        choice.sites.push_back(static_cast<int>(i));
    }
    if (choice.sites.empty())
        throw Error(fmt::format("site \"{}\" matches no attention of this model", pattern),
                    spec.sites.empty() ? "" : "its addresses look like " + spec.sites.front().address(),
                    ErrorCode::Usage);
    return choice;
}

}  // namespace

ParamSpec stageParam() {
    return {.name = "stage",
            .type = ParamType::Text,
            .defaultValue = "",
            .help = "part of the model (see info); empty means text where a model answers, else vision, else the first part with attention"};
}

ParamSpec layersParam(const std::string& defaultValue, const std::string& what) {
    // One rule for every model and program: what the default says is what an analysis takes, and the help says it first.
    const std::string other = defaultValue == "last" ? "all" : "last";
    return {.name = "layers",
            .type = ParamType::Layers,
            .defaultValue = defaultValue,
            .help = fmt::format("{}: {} (unless named), {}, 3, 0-5,9", what, defaultValue, other)};
}

ParamSpec headsParam(const std::string& what) {
    return {
        .name = "heads", .type = ParamType::Heads, .defaultValue = "all", .help = what + ": all, 3, 0-5,9"};
}

ParamSpec siteParam() {
    return {.name = "site",
            .type = ParamType::Text,
            .defaultValue = "",
            .help = "address or pattern of the attention, instead of stage and layers (vision.*.self)"};
}

ParamSpec fusionParam() {
    return {.name = "fusion",
            .type = ParamType::Choice,
            .defaultValue = "mean",
            .help = "how heads become one map",
            .choices = {"mean", "max", "min"}};
}

ParamSpec weightsParam(const std::string& defaultValue) {
    return {.name = "weights",
            .type = ParamType::Choice,
            .defaultValue = defaultValue,
            .help = "effective: what multiplied the values, after edits; base: the plain softmax",
            .choices = {"effective", "base"}};
}

ParamSpec queriesParam(const std::string& help) {
    return {.name = "queries",
            .type = ParamType::Tokens,
            .defaultValue = "auto",
            .help = help + "; writing, writing:2 (what wrote the answer, or its third token)"};
}

HeadFusion chosenFusion(const nlohmann::json& params) {
    const auto fusion = params.at("fusion").get<std::string>();
    return fusion == "max" ? HeadFusion::Max : fusion == "min" ? HeadFusion::Min : HeadFusion::Mean;
}

Weights chosenWeights(const nlohmann::json& params) {
    return params.at("weights") == "base" ? Weights::Base : Weights::Effective;
}

std::string chosenStage(const ModelSpec& spec, const nlohmann::json& params) {
    const std::string wanted = params.value("stage", "");
    if (wanted.empty()) {
        if (const std::string usual = spec.usualStage(); !usual.empty()) return usual;
        throw Error("this model has no softmax attention over tokens",
                    "Choose an analysis of gradients, or another model.", ErrorCode::Usage);
    }
    for (const StageSpec& stage : spec.stages)
        if (stage.id == wanted) return wanted;
    const std::string usual = spec.usualStage();
    throw Error(fmt::format("this model has no stage \"{}\"", wanted),
                "its stages: " + stagesOf(spec) + (usual.empty() ? "" : "; for instance --param stage=" + usual),
                ErrorCode::Usage);
}

SiteChoice ownSites(const ModelSpec& spec, const nlohmann::json& params) {
    SiteChoice choice{chosenStage(spec, params), {}};
    const std::vector<int> sites = tokenSites(spec, choice.stage);
    if (sites.empty())
        throw Error(fmt::format("stage {} has no softmax attention over its own tokens", choice.stage),
                    "Choose another stage.",
                    ErrorCode::Usage);
    const std::vector<int> blocks = parseIndices(
        params.value("layers", "all"), spec.stage(choice.stage).layers, "layers of stage " + choice.stage);
    for (const int site : sites)
        if (std::binary_search(blocks.begin(), blocks.end(),
                               spec.sites[static_cast<std::size_t>(site)].block))
            choice.sites.push_back(site);
    return choice;
}

SiteChoice chosenSites(const ModelSpec& spec, const nlohmann::json& params) {
    if (const std::string pattern = params.value("site", ""); !pattern.empty())
        return matchingSites(spec, pattern);
    SiteChoice choice = ownSites(spec, params);
    if (!choice.sites.empty()) return choice;
    std::set<int> blocks;
    for (const int site : tokenSites(spec, choice.stage)) blocks.insert(spec.sites[static_cast<std::size_t>(site)].block);
    throw Error(fmt::format("layers \"{}\" of stage {}: none of them attends to the stage's own tokens",
                            params.value("layers", ""), choice.stage),
                fmt::format("those that do: {}; attention_from with site={}.*.cross shows cross-attention",
                            fmt::join(blocks, ","), choice.stage),
                ErrorCode::Usage);
}

std::vector<int> chosenHeads(const AttentionSite& site, const std::string& text) {
    std::vector<int> heads = parseIndices(text, site.heads, "heads of " + site.address());
    if (heads.empty())
        throw Error("heads: nothing is selected", "write all, an index or a range", ErrorCode::Usage);
    return heads;
}

std::vector<std::string> addressesOf(const ModelSpec& spec, const std::vector<int>& sites) {
    std::vector<std::string> addresses;
    for (const int site : sites) addresses.push_back(spec.sites[static_cast<std::size_t>(site)].address());
    return addresses;
}

std::string describeSites(const ModelSpec& spec, const SiteChoice& choice) {
    const AttentionSite& first = spec.sites[static_cast<std::size_t>(choice.sites.front())];
    const AttentionSite& last = spec.sites[static_cast<std::size_t>(choice.sites.back())];
    if (choice.sites.size() == 1)
        return first.overOwnTokens() ? fmt::format("{} layer {}", choice.stage, first.block) : first.address();
    const bool gapless = last.block - first.block + 1 == static_cast<int>(choice.sites.size());
    if (gapless) return fmt::format("{} layers {}-{}", choice.stage, first.block, last.block);
    return fmt::format("{} of the {} layers", choice.sites.size(), choice.stage);
}

std::string describeHeads(HeadFusion fusion, std::size_t heads) {
    if (heads == 1) return "one head";
    const char* word = fusion == HeadFusion::Max ? "maximum" : fusion == HeadFusion::Min ? "minimum" : "mean";
    return fmt::format("{} of {} heads", word, heads);
}

namespace {

// The special tokens of an answer, which are no words of it.
std::string leftOutOf(const StageTokens& stage, int firstOfAnswer) {
    std::set<std::string> names;
    for (const Token& token : stage.tokens)
        if (token.index > firstOfAnswer && token.kind == TokenKind::Special) names.insert(token.text);
    return names.empty() ? std::string() : fmt::format(" ({} left out)", fmt::join(names, ", "));
}

}  // namespace

QueryChoice chosenQueries(const std::string& given, const TokenMap& map, const std::string& stageName) {
    const StageTokens& stage = map.stage(stageName);
    const std::string text = given == "auto" ? automaticTokens(stage) : given;
    QueryChoice choice{parseTokens(text, map, stageName), {}};
    const std::vector<SelectedToken> selected = selectedTokens(text, map, stageName);
    choice.writing = !selected.empty() && std::all_of(selected.begin(), selected.end(), [](const SelectedToken& one) {
        return one.query != one.token;
    });
    if (choice.tokens.empty() && text == "cls") {
        choice.tokens = stage.imageTokens();
        choice.name = fmt::format("all {} image tokens (there is no class token)", choice.tokens.size());
    }
    if (choice.tokens.empty())
        throw Error(fmt::format("queries \"{}\": no token of stage {} is selected", text, stageName),
                    fmt::format("write {}", fmt::join(tokenWords(), ", ")), ErrorCode::Usage);
    if (choice.name.empty() && (text == "answer" || text == "writing") && selected.size() > 1)
        choice.name = fmt::format("the {} answer tokens{}", selected.size(), leftOutOf(stage, selected.front().token));
    if (choice.name.empty())
        choice.name = selected.size() == 1
                          ? quotedName(stage.tokens[static_cast<std::size_t>(selected.front().token)])
                          : fmt::format("{} {}", selected.size(), choice.writing ? "answer tokens" : "tokens");
    return choice;
}

std::vector<int> chosenTokens(const std::string& text, const TokenMap& map, const std::string& stage,
                              const std::string& what) {
    std::vector<int> tokens = parseTokens(text, map, stage);
    if (tokens.empty())
        throw Error(fmt::format("{} \"{}\": no token of stage {} is selected", what, text, stage),
                    fmt::format("write {}", fmt::join(tokenWords(), ", ")), ErrorCode::Usage);
    return tokens;
}

std::vector<int> positionsIn(const std::vector<int>& sequence, const std::vector<int>& tokens) {
    std::unordered_map<int, int> where;
    for (std::size_t i = 0; i < sequence.size(); ++i) where.emplace(sequence[i], static_cast<int>(i));
    std::vector<int> positions;
    for (const int token : tokens)
        if (const auto found = where.find(token); found != where.end()) positions.push_back(found->second);
    return positions;
}

std::string tokenName(const Token& token) {
    if (!token.text.empty()) return token.text;
    if (token.row >= 0) return fmt::format("patch (row {}, column {})", token.row, token.column);
    return fmt::format("token {}", token.index);
}

std::string quotedName(const Token& token) {
    const bool word = token.kind == TokenKind::Text || token.kind == TokenKind::Generated;
    if (!word || token.text.empty()) return tokenName(token);
    const std::size_t begin = token.text.find_first_not_of(' ');
    return begin == std::string::npos ? "\" \"" : "\"" + token.text.substr(begin) + "\"";
}

}  // namespace fovea
