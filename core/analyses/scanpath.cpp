#include "common/scanpath_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/picture_sites.h"
#include "common/site_choice.h"
#include "fovea/catalog.h"
#include "fovea/error.h"
#include "fovea/selection.h"

namespace fovea {

// The generated table of all analyses: any of them that makes a map can be walked over.
void addAll_analyses(AnalysisCatalog& catalog);

namespace {

struct MapSource {
    AnalysisEntry entry;
    nlohmann::json params;
};

MapSource sourceOf(const nlohmann::json& params) {
    AnalysisCatalog all;
    addAll_analyses(all);
    const auto id = params.at("map").get<std::string>();
    if (id == "scanpath")
        throw Error("map: a scanpath is drawn from another analysis", "try rollout", ErrorCode::Usage);
    MapSource source{all.get(id), {}};
    const auto text = params.at("map_params").get<std::string>();
    nlohmann::json given = nlohmann::json::object();
    if (!text.empty()) given = nlohmann::json::parse(text, nullptr, false);
    if (!given.is_object())
        throw Error(
            fmt::format("map_params: expected a JSON object with parameters of {}, found {}", id, text),
            "for example {\"layers\": \"last\"}", ErrorCode::Usage);
    if (const auto queries = params.at("queries").get<std::string>(); !queries.empty()) {
        const std::vector<ParamSpec>& known = source.entry.info.params;
        if (std::none_of(known.begin(), known.end(), [](const ParamSpec& one) { return one.name == "queries"; }))
            throw Error(fmt::format("queries {}: the map of {} is about no chosen tokens", queries, id),
                        "leave queries empty, or walk over the map of another analysis (map=rollout)", ErrorCode::Usage);
        given["queries"] = queries;
    }
    source.params = checkedParams(source.entry.info, given);
    return source;
}

// Maps of a stage whose own tokens show none.
std::string otherMaps(const ModelSpec& spec, const nlohmann::json& params) {
    const SiteChoice cross = crossingSites(spec, {{"stage", params.value("stage", "")}});
    if (cross.sites.empty()) return "try rollout, attention_from or relevance";
    return fmt::format("try map=relevance, or map=attention_from with map_params={{\"site\":\"{}.*.cross\"}}", cross.stage);
}

Finding mapOf(const std::vector<Finding>& findings, const std::string& id, const std::string& hint) {
    for (const Finding& finding : findings)
        if (std::holds_alternative<Grid>(finding.data)) return finding;
    throw Error(fmt::format("map: {} makes no map of this model", id), hint, ErrorCode::Usage);
}

// Sums of the cells of a pixel map over a coarser grid.
SalienceMap pooled(const SalienceMap& fine, int rows, int columns) {
    SalienceMap out{rows, columns, {}};
    out.values.assign(static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns), 0.0);
    for (int row = 0; row < fine.rows; ++row)
        for (int column = 0; column < fine.columns; ++column)
            out.at(static_cast<int>(static_cast<std::int64_t>(row) * rows / fine.rows),
                   static_cast<int>(static_cast<std::int64_t>(column) * columns / fine.columns)) +=
                fine.at(row, column);
    return out;
}

// The chosen plane (or the mean of all) with negative and missing values at 0, on cells of about one patch.
SalienceMap salienceOf(const Grid& grid, const StageTokens& stage, int plane) {
    if (plane >= grid.planeCount())
        throw Error(fmt::format("plane {}: the map has {} planes, counted from 0", plane, grid.planeCount()),
                    {}, ErrorCode::Usage);
    SalienceMap map{grid.rows, grid.columns, {}};
    map.values.assign(static_cast<std::size_t>(grid.rows) * static_cast<std::size_t>(grid.columns), 0.0);
    const int first = std::max(plane, 0), last = plane < 0 ? grid.planeCount() : plane + 1;
    for (int p = first; p < last; ++p)
        for (int row = 0; row < grid.rows; ++row)
            for (int column = 0; column < grid.columns; ++column)
                if (const float value = grid.at(p, row, column); value > 0)
                    map.at(row, column) += static_cast<double>(value) / (last - first);
    const bool coarser =
        grid.pixels && stage.gridRows > 0 && stage.gridRows <= grid.rows && stage.gridColumns <= grid.columns;
    return coarser ? pooled(map, stage.gridRows, stage.gridColumns) : map;
}

void mask(SalienceMap& map, const std::vector<int>& tokens, const StageTokens& stage) {
    for (const int index : tokens) {
        const Token& token = stage.tokens[static_cast<std::size_t>(index)];
        if (token.row >= 0 && token.row < map.rows && token.column < map.columns)
            map.at(token.row, token.column) = 0;
    }
}

ScanpathRules rulesOf(const nlohmann::json& params, std::uint64_t sessionSeed) {
    const int factor = params.at("upsample").get<int>();
    const auto duration = params.at("duration").get<std::string>();
    ScanpathRules rules;
    rules.next = params.at("next") == "sample" ? NextFixation::Sample : NextFixation::WinnerTakeAll;
    rules.temperature = params.at("temperature").get<double>();
    rules.first = params.at("start") == "centre" ? FirstFixation::Centre : FirstFixation::Maximum;
    rules.shape = params.at("inhibition") == "disk" ? InhibitionShape::Disk : InhibitionShape::Gaussian;
    rules.sigma = params.at("sigma").get<double>() * factor;
    rules.strength = params.at("strength").get<double>();
    rules.recovery = params.at("recovery").get<double>();
    rules.saccadeLength = params.at("saccade_length").get<double>() * factor;
    rules.fixations = params.at("fixations").get<int>();
    rules.totalTime = params.at("total_time").get<double>();
    rules.minimumMass = params.at("minimum_mass").get<double>();
    rules.duration = duration == "mass"        ? DurationRule::Mass
                     : duration == "gamma"     ? DurationRule::Gamma
                     : duration == "lognormal" ? DurationRule::LogNormal
                                               : DurationRule::Constant;
    rules.meanDuration = params.at("mean_duration").get<double>();
    // Distinct streams for distinct pairs of seeds (the golden ratio in 64 bits spreads neighbours).
    rules.seed = sessionSeed * 0x9E3779B97F4A7C15ULL +
                 static_cast<std::uint64_t>(params.at("seed").get<std::int64_t>());
    return rules;
}

Table tableOf(const Path& path) {
    Table table{{{"fixation", ""},
                 {"x", "px"},
                 {"y", "px"},
                 {"onset", "ms"},
                 {"duration", "ms"},
                 {"saccade length", "px"},
                 {"mass", "share"}},
                {}};
    for (std::size_t i = 0; i < path.fixations.size(); ++i) {
        const Path::Fixation& f = path.fixations[i];
        const double jump =
            i == 0 ? 0 : std::hypot(f.x - path.fixations[i - 1].x, f.y - path.fixations[i - 1].y);
        table.rows.push_back({static_cast<double>(i + 1), f.x, f.y, f.onset, f.duration, jump, f.mass});
    }
    return table;
}

std::vector<Finding> computeScanpath(AnalysisContext& context, const nlohmann::json& params) {
    const MapSource source = sourceOf(params);
    const Finding walked = mapOf(source.entry.compute(context, source.params), source.entry.info.id,
                                 otherMaps(context.model().spec(), source.params));
    const Grid& grid = std::get<Grid>(walked.data);
    const std::string stageName = chosenStage(context.model().spec(), source.params);
    const StageTokens& stage = context.tokens().stage(stageName);
    SalienceMap map = salienceOf(grid, stage, params.at("plane").get<int>());
    mask(map, parseTokens(params.at("mask").get<std::string>(), context.tokens(), stageName), stage);
    const int factor = params.at("upsample").get<int>();
    const SalienceMap fine = prepared(upsampled(map, factor), params.at("percentile").get<double>());
    const std::vector<MapFixation> fixations = scanpath(fine, rulesOf(params, context.seed()));
    if (fixations.empty())
        throw Error("the map has no positive value to look at", "mask fewer tokens or lower the percentile",
                    ErrorCode::Usage);
    Path path;
    path.image = grid.image;
    for (const MapFixation& f : fixations)
        path.fixations.push_back({grid.area.x + (f.column + 0.5) * grid.area.width / fine.columns,
                                  grid.area.y + (f.row + 0.5) * grid.area.height / fine.rows, f.onset,
                                  f.duration, f.mass});
    const bool chosen = !params.at("queries").get<std::string>().empty();
    const std::string title = fmt::format("Scanpath from {}", chosen ? walked.title : source.entry.info.title);
    const std::string note = "a diagnostic of the model's map, not human gaze";
    return {{"path", title, "px", note, path}, {"table", title, "", note, tableOf(path)}};
}

std::vector<ParamSpec> scanpathParams() {
    const auto number = [](std::string name, double value, double low, double high, std::string help,
                           std::string unit = {}) {
        return ParamSpec{.name = std::move(name),
                         .type = ParamType::Number,
                         .defaultValue = value,
                         .help = std::move(help),
                         .minimum = low,
                         .maximum = high,
                         .unit = std::move(unit)};
    };
    const auto integer = [](std::string name, int value, double low, double high, std::string help,
                            std::vector<std::string> lowest = {}) {
        return ParamSpec{.name = std::move(name),
                         .type = ParamType::Integer,
                         .defaultValue = value,
                         .help = std::move(help),
                         .minimum = low,
                         .maximum = high,
                         .choices = std::move(lowest)};
    };
    const auto choice = [](std::string name, std::vector<std::string> choices, std::string help) {
        std::string first = choices.front();
        return ParamSpec{.name = std::move(name),
                         .type = ParamType::Choice,
                         .defaultValue = first,
                         .help = std::move(help),
                         .choices = std::move(choices)};
    };
    return {
        {.name = "map",
         .type = ParamType::Text,
         .defaultValue = "rollout",
         .help = "analysis whose map is walked over: rollout, attention_from, integrated_gradients, ..."},
        {.name = "map_params",
         .type = ParamType::Text,
         .defaultValue = "",
         .help = "its parameters as a JSON object; empty means its defaults"},
        {.name = "queries",
         .type = ParamType::Tokens,
         .defaultValue = "",
         .help = "tokens that the map is about, such as writing:2 (the answer's third); empty: what map_params say"},
        integer("plane", -1, -1, 1e6, "plane of the map; mean (-1): the mean of all", {"mean"}),
        {.name = "mask",
         .type = ParamType::Tokens,
         .defaultValue = "",
         .help = "tokens taken out of the map first, such as sinks"},
        choice("next", {"winner_take_all", "sample"}, "the largest value, or drawn with probability M^(1/T)"),
        number("temperature", 1, 0.05, 20, "T of sampling"),
        choice("start", {"centre", "maximum"}, "where the first fixation lies"),
        integer("fixations", 8, 1, 200, "stop after so many fixations"),
        number("total_time", 0, 0, 600000, "stop after this time; 0 means no limit", "ms"),
        number("minimum_mass", 0.05, 0, 1, "stop when less of the map is left uninhibited"),
        choice("inhibition", {"gaussian", "disk"}, "shape of the inhibition of return"),
        number("sigma", 1.5, 0.1, 100, "its standard deviation, or radius of the disk", "patches"),
        number("strength", 1, 0, 1, "inhibition at the fixated point"),
        number("recovery", 0, 0, 600000, "time constant by which inhibition fades; 0 means never", "ms"),
        number("saccade_length", 0, 0, 1000, "prefer near targets by exp(-d / length); 0 means no preference",
               "patches"),
        number("percentile", 50, 0, 99, "values below this percentile of the map count as nothing"),
        integer("upsample", 3, 1, 9, "cells per patch and side, interpolated bilinearly"),
        choice("duration", {"constant", "mass", "gamma", "lognormal"},
               "fixation durations: constant; 180 ms + 400 ms by captured mass; gamma(100); lognormal(0.4)"),
        number("mean_duration", 250, 10, 10000, "their mean (median of lognormal)", "ms"),
        integer("seed", 0, 0, 2147483647, "of sampling and random durations, beside the session's seed"),
    };
}

}  // namespace

void add_scanpath(AnalysisCatalog& catalog) {
    catalog.add({{"scanpath", "Scanpath from a map",
                  "Winner-take-all with inhibition of return over another analysis's map (Itti, Koch and "
                  "Niebur 1998), "
                  "or a random walk with a seed.",
                  scanpathParams()},
                 [](const ModelSpec& spec, const nlohmann::json& given) {
                     const MapSource source = sourceOf(given);
                     return source.entry.needs(spec, source.params);
                 },
                 computeScanpath});
}

}  // namespace fovea
