// Text and visual sinks: VAR's dimension test (arXiv:2503.03321) beside the column test (sinks reference §11-12).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "common/attention_maps.h"
#include "common/picture_maps.h"
#include "common/sink_dimensions.h"
#include "common/sink_params.h"
#include "common/token_distribution.h"
#include "fovea/catalog.h"
#include "fovea/error.h"

namespace fovea {
namespace {

constexpr int fewestReaders = 4;  // a column that fewer rows see has no mean worth the name

// What is known of one token; layers are places in the choice.
struct Measured {
    double phi = 0;
    int phiLayer = -1, phiLayers = 0;  ///< where phi is largest; in how many layers it reaches the limit
    double mass = 0, above = 0, seen = 0;
    bool byPhi = false, byColumn = false;
};

struct Measurement {
    std::vector<Measured> tokens;
    std::vector<std::vector<double>> mass;  // [layers][tokens], heads averaged
    std::vector<int> dimensions;
    double limit = 0;
};

bool isDelimiter(const Token& token) {
    const std::string& text = token.text;
    const auto first = text.find_first_not_of(" \t"), last = text.find_last_not_of(" \t");
    if (first == std::string::npos) return false;
    const std::string body = text.substr(first, last - first + 1);
    return body.find_first_not_of("\n\r") == std::string::npos || (body.size() == 1 && std::string(".,;:!?").find(body) != std::string::npos);
}

// The first token that is no padding.
int initialToken(const StageTokens& stage) {
    for (const Token& token : stage.tokens)
        if (token.kind != TokenKind::Padding) return token.index;
    return 0;
}

// The kind of a sink (sinks reference §12.4).
std::string sinkKind(const StageTokens& stage, const Token& token) {
    const bool text = stage.stage.starts_with("text");
    if (token.kind == TokenKind::Image) return text ? "visual sink" : "ViT artifact";
    if (token.kind == TokenKind::Register) return "register";
    if (token.index == initialToken(stage)) return text ? "text initial sink" : "class token";
    if (isDelimiter(token) || token.kind == TokenKind::Separator || token.kind == TokenKind::Special) return "text delimiter sink";
    return "secondary sink";
}

// Residual streams that enter the chosen layers; empty where tokens were pruned on the way.
std::map<int, Array> streamsOf(const AttentionTrace& trace, const SiteChoice& choice, int tokens) {
    std::map<int, Array> streams;
    for (const int site : choice.sites) {
        const int block = trace.spec().sites[static_cast<std::size_t>(site)].block;
        if (streams.count(block) || !trace.hasHidden(choice.stage, block)) continue;
        Array stream = trace.hidden(choice.stage, block);
        if (stream.size(0) == tokens) streams.emplace(block, std::move(stream));
    }
    return streams;
}

// Discovery looks at the first token and the first delimiter in layers 3 to L-2, or in all but the first of a shallow
// model.
std::vector<int> discovered(const std::map<int, Array>& streams, const StageTokens& stage, int layers) {
    std::vector<int> tokens{initialToken(stage)};
    for (const Token& token : stage.tokens)
        if (token.index != tokens.front() && isDelimiter(token)) {
            tokens.push_back(token.index);
            break;
        }
    std::vector<Array> seen;
    for (const auto& [block, stream] : streams)
        if (layers > 5 ? block >= 3 && block <= layers - 2 : block >= 1) seen.push_back(stream);
    return discoveredSinkDimensions(seen, tokens);
}

void testDimensions(const AttentionTrace& trace, const SiteChoice& choice, const StageTokens& stage,
                    const nlohmann::json& params, Measurement& out) {
    const std::map<int, Array> streams = streamsOf(trace, choice, stage.size());
    if (streams.empty()) return;
    const int width = static_cast<int>(streams.begin()->second.size(1)), layers = trace.spec().stage(choice.stage).layers;
    const auto given = params.at("dimensions").get<std::string>();
    out.dimensions = given == "auto" ? discovered(streams, stage, layers) : parseSinkDimensions(given, width);
    out.limit = params.at("phi").get<double>() * std::sqrt(static_cast<double>(width));
    if (out.dimensions.empty()) return;
    for (const auto& [block, stream] : streams) {
        // Massive activations arise in the first layers.
        if (block < std::min(2, layers - 1)) continue;
        for (std::int64_t token = 0; token < stream.size(0); ++token) {
            Measured& measured = out.tokens[static_cast<std::size_t>(token)];
            const double phi = sinkPhi(rowOf(stream, token), out.dimensions);
            if (phi > measured.phi) measured.phi = phi, measured.phiLayer = block;
            if (phi >= out.limit) measured.byPhi = true, ++measured.phiLayers;
        }
    }
}

void testColumns(AnalysisContext& context, const SiteChoice& choice, const nlohmann::json& params, Measurement& out) {
    const AttentionTrace& trace = context.trace();
    const SinkRule rule = chosenSinkRule(params);
    for (std::size_t i = 0; i < choice.sites.size(); ++i) {
        context.job().progress(static_cast<double>(i) / static_cast<double>(choice.sites.size()), "token_sinks");
        const int index = choice.sites[i];
        const AttentionSite& site = trace.spec().sites[static_cast<std::size_t>(index)];
        const std::vector<int> heads = chosenHeads(site, params.at("heads").get<std::string>());
        const std::vector<int>&keys = trace.keyTokens(index), &rows = trace.queryTokens(index);
        const Array mass = incomingMass(trace, index, chosenWeights(params));
        const double limit = rule.of(static_cast<int>(keys.size()));
        std::vector<double> means(out.tokens.size(), 0.0);
        for (std::size_t key = 0; key < keys.size(); ++key) {
            const auto token = static_cast<std::size_t>(keys[key]);
            const auto readers = site.causal ? rows.end() - std::lower_bound(rows.begin(), rows.end(), keys[key])
                                             : static_cast<std::ptrdiff_t>(rows.size());
            for (const int head : heads) {
                const double value = static_cast<double>(mass.at(head, static_cast<std::int64_t>(key)));
                means[token] += value / static_cast<double>(heads.size());
                if (readers < fewestReaders) continue;
                out.tokens[token].above += value > limit ? 1 : 0;
                out.tokens[token].seen += 1;
            }
        }
        out.mass.push_back(std::move(means));
    }
    const double rate = params.at("min_rate").get<double>();
    for (std::size_t token = 0; token < out.tokens.size(); ++token) {
        Measured& measured = out.tokens[token];
        for (const auto& layer : out.mass) measured.mass += layer[token] / static_cast<double>(out.mass.size());
        measured.byColumn = measured.above > 0 && measured.above >= rate * measured.seen;
    }
}

// Tokens that pass either test; those that attract most attention first.
std::vector<int> foundByMass(const Measurement& measured) {
    std::vector<int> found;
    for (std::size_t token = 0; token < measured.tokens.size(); ++token)
        if (measured.tokens[token].byPhi || measured.tokens[token].byColumn) found.push_back(static_cast<int>(token));
    std::stable_sort(found.begin(), found.end(), [&](int a, int b) {
        return measured.tokens[static_cast<std::size_t>(a)].mass > measured.tokens[static_cast<std::size_t>(b)].mass;
    });
    return found;
}

Table tableOf(const Measurement& measured, const StageTokens& stage) {
    Table table{{{"token", ""},
                 {"text", ""},
                 {"kind", ""},
                 {"found by", ""},
                 {"incoming mass", "probability"},
                 {"sink rate", ""},
                 {"phi", ""},
                 {"phi in layer", ""},
                 {"layers above the limit", ""}},
                {}};
    for (const int index : foundByMass(measured)) {
        const Token& token = stage.tokens[static_cast<std::size_t>(index)];
        const Measured& m = measured.tokens[static_cast<std::size_t>(index)];
        table.rows.push_back({static_cast<double>(token.index), tokenName(token), sinkKind(stage, token),
                              m.byPhi && m.byColumn ? "dimension and column"
                              : m.byPhi             ? "dimension"
                                                    : "column",
                              m.mass, m.seen > 0 ? m.above / m.seen : 0.0, m.phi,
                              m.phiLayer >= 0 ? Table::Cell(static_cast<double>(m.phiLayer)) : Table::Cell(""),
                              static_cast<double>(m.phiLayers)});
    }
    return table;
}

Series curvesOf(const AttentionTrace& trace, const SiteChoice& choice, const Measurement& measured,
                const StageTokens& stage) {
    std::map<std::string, std::vector<int>> kinds;
    for (const Token& token : stage.tokens)
        if (const Measured& m = measured.tokens[static_cast<std::size_t>(token.index)]; m.byPhi || m.byColumn)
            kinds[sinkKind(stage, token)].push_back(token.index);
    if (kinds.empty()) kinds["no sinks"] = {};
    Series series{"layer", "mean incoming attention, summed over the sinks", {}};
    for (const auto& [kind, tokens] : kinds) {
        Series::Line line{kind, {}, {}};
        for (std::size_t i = 0; i < choice.sites.size(); ++i) {
            line.x.push_back(trace.spec().sites[static_cast<std::size_t>(choice.sites[i])].block);
            line.y.push_back(std::accumulate(tokens.begin(), tokens.end(), 0.0, [&](double sum, int token) {
                return sum + measured.mass[i][static_cast<std::size_t>(token)];
            }));
        }
        series.lines.push_back(std::move(line));
    }
    return series;
}

// How many tokens pass which test, and what each of the two says.
std::string countsOf(const Measurement& measured) {
    int column = 0, phi = 0, both = 0;
    for (const Measured& m : measured.tokens) column += m.byColumn, phi += m.byPhi, both += m.byColumn && m.byPhi;
    std::string text = fmt::format("{} by the column test (attention received, the test of the analysis sinks)", column);
    if (!measured.dimensions.empty()) text += fmt::format(", {} by the dimension test (marked in the residual stream), {} by both", phi, both);
    if (phi > both) text += fmt::format("; the {} found by dimension alone need not attract attention", phi - both);
    return text;
}

std::string noteOf(const Measurement& measured, const nlohmann::json& params, int tokens) {
    std::string note = fmt::format("{}; column test: mean incoming attention {} in at least {:g} % of layers and heads",
                                   countsOf(measured), describe(chosenSinkRule(params), tokens),
                                   100 * params.at("min_rate").get<double>());
    if (measured.limit == 0) return note + "; dimension test: no residual stream of all tokens";
    if (measured.dimensions.empty()) return note + "; dimension test: no sink dimension stands out on this input";
    return note + fmt::format("; dimension test: phi in dimensions {} at least {:.3g} (it cannot exceed the square root of the width)",
                              fmt::join(measured.dimensions, ", "), measured.limit);
}

std::vector<Finding> computeTokenSinks(AnalysisContext& context, const nlohmann::json& params) {
    const AttentionTrace& trace = context.trace();
    const SiteChoice choice = chosenSites(trace.spec(), params);
    const StageTokens& stage = trace.tokens().stage(choice.stage);
    Measurement measured;
    measured.tokens.resize(static_cast<std::size_t>(stage.size()));
    testColumns(context, choice, params, measured);
    testDimensions(trace, choice, stage, params, measured);
    const std::string where = describeSites(trace.spec(), choice), note = noteOf(measured, params, stage.size());
    std::vector<float> phi, found;
    for (const Measured& m : measured.tokens) {
        phi.push_back(static_cast<float>(m.phi));
        found.push_back(m.byPhi || m.byColumn ? static_cast<float>(m.mass) : 0.0F);
    }
    std::vector<Finding> findings{
        {"table", "Text and visual sinks, " + where, "", note, tableOf(measured, stage)},
        {"layers", "Mass on sinks by kind and layer", "probability", note, curvesOf(trace, choice, measured, stage)}};
    for (Finding& finding : pictureMaps(trace.tokens(), {choice.stage, {""}, {found}}, params,
                                        {"map", "Incoming attention of the sinks, " + where, "probability", note, {}}))
        findings.push_back(std::move(finding));
    findings.push_back({"scores", "Incoming attention of the sinks, " + where, "probability", note,
                        TokenScores{choice.stage, std::move(found)}});
    findings.push_back({"phi", "Largest phi over the layers, " + where, "", note, TokenScores{choice.stage, std::move(phi)}});
    return findings;
}

std::vector<ParamSpec> tokenSinksParams() {
    std::vector<ParamSpec> list = {
        {.name = "dimensions",
         .type = ParamType::Text,
         .defaultValue = "auto",
         .help = "sink dimensions of the residual stream: auto looks for them on this input; 1415,2533 for Llama 2 7B"},
        {.name = "phi",
         .type = ParamType::Number,
         .defaultValue = 0.3125,
         .help = "limit of phi as a share of the square root of the width (0.3125 is 20 at 4096)",
         .minimum = 0.001,
         .maximum = 1},
        layersParam("all"), headsParam()};
    for (ParamSpec& spec : sinkParams()) list.push_back(std::move(spec));
    list.push_back({.name = "min_rate",
                    .type = ParamType::Number,
                    .defaultValue = 0.4,
                    .help = "share of the chosen layers and heads in which the column test must agree",
                    .minimum = 0,
                    .maximum = 1});
    for (ParamSpec& spec : std::vector<ParamSpec>{stageParam(), pictureParam(), weightsParam("base")})
        list.push_back(std::move(spec));
    return list;
}

}  // namespace

void add_token_sinks(AnalysisCatalog& catalog) {
    catalog.add({{"token_sinks", "Text and visual sinks",
                  "Sinks by kind: VAR's test of the residual stream (arXiv:2503.03321) and the column test, with their "
                  "mass in every layer.",
                  tokenSinksParams()},
                 [](const ModelSpec& spec, const nlohmann::json& given) {
                     Needs needs = needsOfSites(spec, given);
                     needs.capture.hidden = true;
                     return needs;
                 },
                 computeTokenSinks});
}

}  // namespace fovea
