#include "fovea/sinks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "common/attention_maps.h"
#include "common/picture_maps.h"
#include "common/robust_statistics.h"
#include "common/sink_params.h"
#include "fovea/catalog.h"

namespace fovea {
namespace {

constexpr float none = std::numeric_limits<float>::quiet_NaN();
constexpr double outlierZ = 8;  // sinks reference §12.3

// What is known of every token; vectors are [tokens of the stage], NaN where a token was pruned.
struct Sinks {
    std::vector<TokenValues> mass;      // per site
    std::vector<TokenValues> weighted;  // per site: share of sum_q A ||v W_O||
    std::vector<float> meanMass, meanWeighted;
    std::vector<double> rate;
    std::vector<double> norm, normZ;  // where the robust z is largest
    std::vector<int> normLayer;
    std::vector<int> tokens;  // the sinks
};

std::vector<float> onto(const std::vector<int>& tokenOf, int tokens, const std::vector<double>& values) {
    std::vector<float> out(static_cast<std::size_t>(tokens), none);
    for (std::size_t i = 0; i < tokenOf.size(); ++i)
        out[static_cast<std::size_t>(tokenOf[i])] = static_cast<float>(values[i]);
    return out;
}

TokenValues perToken(const Array& values, const std::vector<int>& heads, const std::vector<int>& tokenOf,
                     int tokens) {
    TokenValues out;
    std::vector<double> mean(tokenOf.size(), 0.0);
    for (const int head : heads) {
        std::vector<double> row(tokenOf.size());
        for (std::size_t key = 0; key < row.size(); ++key) {
            row[key] = static_cast<double>(values.at(head, static_cast<std::int64_t>(key)));
            mean[key] += row[key] / static_cast<double>(heads.size());
        }
        out.perHead.push_back(onto(tokenOf, tokens, row));
    }
    out.fused = onto(tokenOf, tokens, mean);
    return out;
}

// Mass times the norm of what a key contributes, as a share of each head's total.
Array valueWeighted(const Array& mass, const Array& norms) {
    Array out = mass;
    for (std::int64_t head = 0; head < mass.size(0); ++head) {
        double total = 0;
        for (std::int64_t key = 0; key < mass.size(1); ++key)
            total += static_cast<double>(out.at(head, key) *= norms.at(head, key));
        for (std::int64_t key = 0; key < mass.size(1) && total > 0; ++key)
            out.at(head, key) = static_cast<float>(static_cast<double>(out.at(head, key)) / total);
    }
    return out;
}

std::vector<float> meanOverSites(const std::vector<TokenValues>& sites) {
    std::vector<const std::vector<float>*> lists;
    for (const TokenValues& site : sites) lists.push_back(&site.fused);
    return meanOf(lists);
}

// Norms of the residual stream behind a layer; z over the image tokens, or over all where there are none. The
// stream before layer 0 is left out: its norms tell the picture's contrast.
void addNorms(const AttentionTrace& trace, const StageTokens& stage, int site, Sinks& out) {
    const int layer = trace.spec().sites[static_cast<std::size_t>(site)].block;
    if (!trace.hasHidden(stage.stage, layer + 1)) return;
    const Array hidden = trace.hidden(stage.stage, layer + 1);
    const std::vector<int>& tokens = trace.queryTokens(site);
    // Tokens were pruned in between: the layers before have their norms.
    if (hidden.size(0) != static_cast<std::int64_t>(tokens.size())) return;
    std::vector<double> norms, reference;
    for (std::int64_t i = 0; i < hidden.size(0); ++i) {
        double sum = 0;
        for (std::int64_t d = 0; d < hidden.size(1); ++d)
            sum += static_cast<double>(hidden.at(i, d)) * static_cast<double>(hidden.at(i, d));
        norms.push_back(std::sqrt(sum));
        if (stage.tokens[static_cast<std::size_t>(tokens[static_cast<std::size_t>(i)])].kind ==
            TokenKind::Image)
            reference.push_back(norms.back());
    }
    const std::vector<double> z = robustZ(norms, reference.empty() ? norms : reference);
    for (std::size_t i = 0; i < z.size(); ++i) {
        const auto token = static_cast<std::size_t>(tokens[i]);
        if (out.normLayer[token] >= 0 && z[i] <= out.normZ[token]) continue;
        out.norm[token] = norms[i], out.normZ[token] = z[i], out.normLayer[token] = layer;
    }
}

Sinks measure(AnalysisContext& context, const SiteChoice& choice, const StageTokens& stage,
              const nlohmann::json& params) {
    const AttentionTrace& trace = context.trace();
    const SinkRule rule = chosenSinkRule(params);
    const auto tokens = static_cast<std::size_t>(stage.size());
    Sinks out;
    out.norm.assign(tokens, std::nan("")), out.normZ = out.norm, out.normLayer.assign(tokens, -1);
    std::vector<double> above(tokens, 0.0), seen(tokens, 0.0);
    for (std::size_t i = 0; i < choice.sites.size(); ++i) {
        context.job().progress(static_cast<double>(i) / static_cast<double>(choice.sites.size()), "sinks");
        const int index = choice.sites[i];
        const AttentionSite& site = trace.spec().sites[static_cast<std::size_t>(index)];
        const std::vector<int> heads = chosenHeads(site, params.at("heads").get<std::string>());
        const std::vector<int>& keys = trace.keyTokens(index);
        const Array mass = incomingMass(trace, index, chosenWeights(params));
        out.mass.push_back(perToken(mass, heads, keys, stage.size()));
        out.weighted.push_back(
            perToken(valueWeighted(mass, trace.valueNorms(index)), heads, keys, stage.size()));
        for (std::size_t key = 0; key < keys.size(); ++key) {
            const auto token = static_cast<std::size_t>(keys[key]);
            for (const int head : heads)
                above[token] += static_cast<double>(mass.at(head, static_cast<std::int64_t>(key))) >
                                rule.of(static_cast<int>(keys.size()));
            seen[token] += static_cast<double>(heads.size());
        }
        addNorms(trace, stage, index, out);
    }
    out.meanMass = meanOverSites(out.mass);
    out.meanWeighted = meanOverSites(out.weighted);
    for (std::size_t token = 0; token < tokens; ++token) {
        out.rate.push_back(seen[token] > 0 ? above[token] / seen[token] : std::nan(""));
        if (out.rate.back() > 0 && out.rate.back() >= params.at("min_rate").get<double>())
            out.tokens.push_back(static_cast<int>(token));
    }
    return out;
}

// All sinks, then the other tokens, each by incoming mass; `limit` 0 means all of them.
std::vector<int> rowsToShow(const Sinks& sinks, int limit) {
    std::vector<int> order;
    for (std::size_t token = 0; token < sinks.meanMass.size(); ++token)
        if (!std::isnan(sinks.meanMass[token])) order.push_back(static_cast<int>(token));
    const auto isSink = [&](int token) {
        return std::binary_search(sinks.tokens.begin(), sinks.tokens.end(), token);
    };
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
        if (isSink(a) != isSink(b)) return isSink(a);
        return sinks.meanMass[static_cast<std::size_t>(a)] > sinks.meanMass[static_cast<std::size_t>(b)];
    });
    if (limit > 0)
        order.resize(std::min(order.size(), std::max(sinks.tokens.size(), static_cast<std::size_t>(limit))));
    return order;
}

Table tokenTable(const Sinks& sinks, const StageTokens& stage, int limit) {
    Table table{{{"token", ""},
                 {"name", ""},
                 {"kind", ""},
                 {"row", ""},
                 {"column", ""},
                 {"sink", ""},
                 {"incoming mass", "probability"},
                 {"times uniform", ""},
                 {"sink rate", ""},
                 {"value-weighted mass", "share"},
                 {"norm z", ""},
                 {"norm", ""},
                 {"norm behind layer", ""}},
                {}};
    const double present = static_cast<double>(std::count_if(sinks.meanMass.begin(), sinks.meanMass.end(),
                                                             [](float value) { return !std::isnan(value); }));
    for (const int token : rowsToShow(sinks, limit)) {
        const auto i = static_cast<std::size_t>(token);
        const Token& t = stage.tokens[i];
        const bool sink = std::binary_search(sinks.tokens.begin(), sinks.tokens.end(), token);
        const double mass = static_cast<double>(sinks.meanMass[i]);
        using Cell = Table::Cell;
        const auto place = [](int value) { return value >= 0 ? Cell(static_cast<double>(value)) : Cell(""); };
        const auto measured = [](double value) { return std::isnan(value) ? Cell("") : Cell(value); };
        table.rows.push_back({static_cast<double>(token), tokenName(t), tokenKindName(t.kind), place(t.row),
                              place(t.column), sink ? "yes" : "no", mass, mass * present, sinks.rate[i],
                              static_cast<double>(sinks.meanWeighted[i]), measured(sinks.normZ[i]),
                              measured(sinks.norm[i]), place(sinks.normLayer[i])});
    }
    return table;
}

double massOf(const std::vector<float>& values, const std::vector<int>& tokens) {
    double sum = 0;
    for (const int token : tokens)
        if (const float value = values[static_cast<std::size_t>(token)]; !std::isnan(value))
            sum += static_cast<double>(value);
    return sum;
}

Table headTable(const AttentionTrace& trace, const SiteChoice& choice, const Sinks& sinks,
                const nlohmann::json& params) {
    const SinkRule rule = chosenSinkRule(params);
    Table table{{{"layer", ""},
                 {"head", ""},
                 {"sinks of this head", ""},
                 {"mass on them", "probability"},
                 {"largest token", ""},
                 {"its mass", "probability"},
                 {"mass on the sinks", "probability"},
                 {"value-weighted mass on the sinks", "share"}},
                {}};
    for (std::size_t s = 0; s < choice.sites.size(); ++s) {
        const AttentionSite& site = trace.spec().sites[static_cast<std::size_t>(choice.sites[s])];
        const std::vector<int> heads = chosenHeads(site, params.at("heads").get<std::string>());
        const double limit = rule.of(trace.keys(choice.sites[s]));
        for (std::size_t h = 0; h < heads.size(); ++h) {
            const std::vector<float>& mass = sinks.mass[s].perHead[h];
            std::vector<int> own;
            int largest = -1;
            for (std::size_t token = 0; token < mass.size(); ++token) {
                if (std::isnan(mass[token])) continue;
                if (static_cast<double>(mass[token]) > limit) own.push_back(static_cast<int>(token));
                if (largest < 0 || mass[token] > mass[static_cast<std::size_t>(largest)])
                    largest = static_cast<int>(token);
            }
            table.rows.push_back(
                {static_cast<double>(site.block), static_cast<double>(heads[h]),
                 static_cast<double>(own.size()), massOf(mass, own), static_cast<double>(largest),
                 static_cast<double>(mass[static_cast<std::size_t>(largest)]), massOf(mass, sinks.tokens),
                 massOf(sinks.weighted[s].perHead[h], sinks.tokens)});
        }
    }
    return table;
}

Series layerCurves(const AttentionTrace& trace, const SiteChoice& choice, const Sinks& sinks) {
    Series series{
        "layer", "share", {{"incoming mass on the sinks", {}, {}}, {"value-weighted mass", {}, {}}}};
    for (std::size_t s = 0; s < choice.sites.size(); ++s) {
        const int block = trace.spec().sites[static_cast<std::size_t>(choice.sites[s])].block;
        for (Series::Line& line : series.lines) line.x.push_back(block);
        series.lines[0].y.push_back(massOf(sinks.mass[s].fused, sinks.tokens));
        series.lines[1].y.push_back(massOf(sinks.weighted[s].fused, sinks.tokens));
    }
    return series;
}

std::string ruleNote(const Sinks& sinks, const StageTokens& stage, const ModelSpec& spec,
                     const nlohmann::json& params) {
    const auto outliers =
        std::count_if(sinks.normZ.begin(), sinks.normZ.end(), [](double z) { return z > outlierZ; });
    std::string note = fmt::format(
        "sink: mean incoming attention {} in at least {:g} % of the chosen layers and heads; found {}",
        describe(chosenSinkRule(params), stage.size()), 100 * params.at("min_rate").get<double>(),
        sinks.tokens.size());
    if (params.at("norms").get<bool>())
        note += fmt::format("; {} tokens have a norm with robust z > 8", outliers);
    if (!spec.capabilities.forward)
        note += "; value-weighted masses take norms before the output projection, whose weights a trace does not hold";
    return note;
}

std::vector<Finding> computeSinks(AnalysisContext& context, const nlohmann::json& params) {
    const AttentionTrace& trace = context.trace();
    const SiteChoice choice = chosenSites(trace.spec(), params);
    const StageTokens& stage = trace.tokens().stage(choice.stage);
    const Sinks sinks = measure(context, choice, stage, params);
    const std::string where = describeSites(trace.spec(), choice), note = ruleNote(sinks, stage, trace.spec(), params);
    std::vector<Finding> findings;
    Table table = tokenTable(sinks, stage, params.at("rows").get<int>());
    const std::string left = table.rows.size() < static_cast<std::size_t>(stage.size())
                                 ? fmt::format("; {} of {} tokens listed", table.rows.size(), stage.size())
                                 : "";
    findings.push_back({"table", "Attention sinks, " + where, "", note + left, std::move(table)});
    for (Finding& finding :
         mapFindings(trace, choice, sinks.mass, params, {"Incoming attention, " + where, "", note}))
        findings.push_back(std::move(finding));
    findings.push_back({"sink_rate", "Sink rate, " + where, "share of layers and heads", note,
                        TokenScores{choice.stage, {sinks.rate.begin(), sinks.rate.end()}}});
    findings.push_back(
        {"value_weighted", "Value-weighted incoming attention, " + where, "share",
         "incoming attention times the norm of what the token contributes (A ||v W_O||), as a share",
         TokenScores{choice.stage, sinks.meanWeighted}});
    findings.push_back(
        {"heads", "Attention sinks by head, " + where, "", note, headTable(trace, choice, sinks, params)});
    findings.push_back(
        {"layers", "Mass on the sinks by layer, " + where, "share", note, layerCurves(trace, choice, sinks)});
    return findings;
}

std::vector<ParamSpec> sinksParams() {
    std::vector<ParamSpec> list = {layersParam("all"), headsParam()};
    for (ParamSpec& spec : sinkParams()) list.push_back(std::move(spec));
    list.push_back({.name = "min_rate",
                    .type = ParamType::Number,
                    .defaultValue = 0.4,
                    .help = "share of the chosen layers and heads in which a token must be a sink",
                    .minimum = 0,
                    .maximum = 1});
    list.push_back({.name = "rows",
                    .type = ParamType::Integer,
                    .defaultValue = 0,
                    .help = "rows of the table: all sinks and the tokens of largest mass up to so many; all (0) lists every token",
                    .minimum = 0,
                    .maximum = 100000,
                    .choices = {"all"}});
    list.push_back({.name = "norms",
                    .type = ParamType::Bool,
                    .defaultValue = true,
                    .help = "also record the residual stream and look for tokens of outlying norm "
                            "(arXiv:2309.16588)"});
    for (ParamSpec& spec : std::vector<ParamSpec>{planesParam(), stageParam(), pictureParam(), weightsParam("base")})
        list.push_back(std::move(spec));
    return list;
}

}  // namespace

void add_sinks(AnalysisCatalog& catalog) {
    catalog.add({{"sinks", "Attention sinks",
                  "Tokens that attract much attention whatever they show: incoming mass, sink rate, "
                  "value-weighted mass, "
                  "norm (arXiv:2406.15765, arXiv:2309.16588).",
                  sinksParams()},
                 [](const ModelSpec& spec, const nlohmann::json& given) {
                     Needs needs = needsOfSites(spec, given);
                     needs.capture.hidden = given.at("norms").get<bool>();
                     return needs;
                 },
                 computeSinks});
}

}  // namespace fovea
