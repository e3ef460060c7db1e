#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <numeric>

#include "common/attention_distance.h"
#include "common/attention_maps.h"
#include "common/linear_algebra.h"
#include "fovea/catalog.h"

namespace fovea {
namespace {

constexpr double unmeasured = std::numeric_limits<double>::quiet_NaN();

// One measured quantity of a (layer, head).
struct Measure {
    const char* name;
    const char* unit;
};

constexpr Measure entropyMeasure{"entropy", "nats"};
constexpr Measure shareMeasure{"normalised entropy", "share of ln N"};
constexpr Measure classMeasure{"class token entropy", "nats"};
constexpr Measure distanceMeasure{"mean distance", "patches"};
constexpr Measure prefixMeasure{"prefix mass", "probability"};
constexpr Measure diagonalMeasure{"diagonal mass", "probability"};
constexpr Measure maximumMeasure{"max weight", "probability"};
constexpr Measure rankMeasure{"effective rank", ""};

struct HeadRow {
    int layer = 0, head = 0;
    std::vector<std::pair<Measure, double>> values;
};

std::vector<AttentionDistance::Cell> cellsOf(const StageTokens& stage, const std::vector<int>& tokens) {
    std::vector<AttentionDistance::Cell> cells;
    for (const int token : tokens) {
        const Token& t = stage.tokens[static_cast<std::size_t>(token)];
        cells.emplace_back(t.row, t.column);
    }
    return cells;
}

// Sums over rows that need the probabilities themselves.
struct RowSums {
    double distance = 0, diagonal = 0;
    int placed = 0, onDiagonal = 0;
};

std::vector<RowSums> rowSums(const AttentionTrace& trace, int site, const StageTokens& stage, Weights weights,
                             const JobContext& job) {
    const int heads = trace.spec().sites[static_cast<std::size_t>(site)].heads;
    const std::vector<int>&queries = trace.queryTokens(site), &keys = trace.keyTokens(site);
    const AttentionDistance distance(cellsOf(stage, queries), cellsOf(stage, keys));
    const std::vector<int> diagonal = positionsIn(keys, queries);
    std::vector<RowSums> sums(static_cast<std::size_t>(heads));
    std::vector<int> all(queries.size());
    std::iota(all.begin(), all.end(), 0);
    forRuns(all, blockLength(heads, static_cast<std::int64_t>(keys.size())), [&](int begin, int end) {
        job.progress(static_cast<double>(begin) / static_cast<double>(all.size()), "head_statistics");
        const Array block = trace.probabilities(site, {.queryBegin = begin, .queryEnd = end}, weights);
        for (int head = 0; head < heads; ++head)
            for (int query = begin; query < end; ++query) {
                const float* row = &block.values[static_cast<std::size_t>(
                    (head * block.size(1) + (query - begin)) * block.size(2))];
                RowSums& sum = sums[static_cast<std::size_t>(head)];
                if (const double d = distance.ofRow(static_cast<std::size_t>(query), row); !std::isnan(d))
                    sum.distance += d, ++sum.placed;
                if (diagonal.size() == queries.size())
                    sum.diagonal += static_cast<double>(row[diagonal[static_cast<std::size_t>(query)]]),
                        ++sum.onDiagonal;
            }
    });
    return sums;
}

std::vector<double> ranksOf(const AttentionTrace& trace, int site, int limit, Weights weights) {
    const int queries = trace.queries(site);
    if (queries <= limit) return effectiveRanks(trace.probabilities(site, {}, weights));
    std::vector<int> sample;
    for (int i = 0; i < limit; ++i)
        sample.push_back(static_cast<int>(static_cast<std::int64_t>(i) * queries / limit));
    return effectiveRanks(trace.rows(site, sample, weights));
}

double meanOfRow(const Array& array, int head) {
    const std::int64_t count = array.size(1);
    const auto begin = array.values.begin() + head * count;
    return std::accumulate(begin, begin + count, 0.0) / static_cast<double>(count);
}

std::vector<HeadRow> measureSite(const AttentionTrace& trace, int index, const nlohmann::json& params,
                                 const JobContext& job) {
    const AttentionSite& site = trace.spec().sites[static_cast<std::size_t>(index)];
    const StageTokens& stage = trace.tokens().stage(site.stage);
    const Weights weights = chosenWeights(params);
    const SiteStatistics statistics =
        trace.statistics(index, {.topk = 1, .pooledBlock = 64, .weights = weights});
    const std::vector<RowSums> sums = rowSums(trace, index, stage, weights, job);
    const int rankRows = params.at("rank_rows").get<int>();
    const std::vector<double> ranks =
        rankRows > 0 ? ranksOf(trace, index, rankRows, weights) : std::vector<double>();
    const std::vector<int>& keys = trace.keyTokens(index);
    const bool hasClass = stage.tokens.front().kind == TokenKind::Special;
    const std::vector<int> classRow = positionsIn(trace.queryTokens(index), {0});
    std::vector<HeadRow> rows;
    for (const int head : chosenHeads(site, params.at("heads").get<std::string>())) {
        const RowSums& sum = sums[static_cast<std::size_t>(head)];
        HeadRow row{site.block, head, {}};
        const double entropy = meanOfRow(statistics.entropy, head);
        row.values.emplace_back(entropyMeasure, entropy);
        row.values.emplace_back(shareMeasure, keys.size() > 1 ? entropy / std::log(keys.size()) : 0);
        if (hasClass)
            row.values.emplace_back(
                classMeasure,
                classRow.empty() ? unmeasured : static_cast<double>(statistics.entropy.at(head, classRow.front())));
        if (stage.gridRows > 0)
            row.values.emplace_back(distanceMeasure, sum.placed ? sum.distance / sum.placed : unmeasured);
        if (stage.prefixTokens() > 0) {
            double mass = 0;
            for (std::size_t key = 0; key < keys.size(); ++key)
                if (keys[key] < stage.prefixTokens())
                    mass += static_cast<double>(statistics.colsum.at(head, static_cast<std::int64_t>(key)));
            row.values.emplace_back(prefixMeasure, mass / trace.queries(index));
        }
        row.values.emplace_back(diagonalMeasure, sum.onDiagonal ? sum.diagonal / sum.onDiagonal : unmeasured);
        row.values.emplace_back(maximumMeasure, meanOfRow(statistics.rowmax, head));
        if (!ranks.empty()) row.values.emplace_back(rankMeasure, ranks[static_cast<std::size_t>(head)]);
        rows.push_back(std::move(row));
    }
    return rows;
}

Table tableOf(const std::vector<HeadRow>& rows) {
    Table table{{{"layer", ""}, {"head", ""}}, {}};
    for (const auto& [measure, value] : rows.front().values)
        table.columns.push_back({measure.name, measure.unit});
    for (const HeadRow& row : rows) {
        table.rows.push_back({static_cast<double>(row.layer), static_cast<double>(row.head)});
        for (const auto& [measure, value] : row.values) table.rows.back().emplace_back(value);
    }
    return table;
}

// Mean, lowest and highest head of one measure, layer by layer.
Series curveOf(const std::vector<HeadRow>& rows, std::size_t which) {
    const Measure measure = rows.front().values[which].first;
    const std::string unit = *measure.unit ? fmt::format(" ({})", measure.unit) : "";
    Series series{"layer",
                  measure.name + unit,
                  {{"mean of heads", {}, {}}, {"lowest head", {}, {}}, {"highest head", {}, {}}}};
    for (std::size_t i = 0; i < rows.size();) {
        double sum = 0, low = rows[i].values[which].second, high = low;
        std::size_t end = i;
        for (; end < rows.size() && rows[end].layer == rows[i].layer; ++end) {
            const double value = rows[end].values[which].second;
            sum += value, low = std::min(low, value), high = std::max(high, value);
        }
        const double values[] = {sum / static_cast<double>(end - i), low, high};
        for (std::size_t line = 0; line < 3; ++line) {
            series.lines[line].x.push_back(rows[i].layer);
            series.lines[line].y.push_back(values[line]);
        }
        i = end;
    }
    return series;
}

std::vector<Finding> computeHeadStatistics(AnalysisContext& context, const nlohmann::json& params) {
    const AttentionTrace& trace = context.trace();
    const SiteChoice choice = chosenSites(trace.spec(), params);
    std::vector<HeadRow> rows;
    int queries = 0;
    for (std::size_t i = 0; i < choice.sites.size(); ++i) {
        const double count = static_cast<double>(choice.sites.size()), done = static_cast<double>(i);
        queries = std::max(queries, trace.queries(choice.sites[i]));
        const std::vector<HeadRow> more =
            measureSite(trace, choice.sites[i], params, context.job().part(done / count, (done + 1) / count));
        rows.insert(rows.end(), more.begin(), more.end());
    }
    const int rankRows = params.at("rank_rows").get<int>();
    std::string note =
        "entropy, diagonal and max weight are means over queries; distance leaves out tokens without a "
        "place and renormalises; effective rank is exp of the entropy of the singular values";
    if (rankRows > 0 && queries > rankRows)
        note += fmt::format(", here of {} evenly spaced rows of {}", rankRows, queries);
    const std::string where = describeSites(trace.spec(), choice);
    std::vector<Finding> findings;
    findings.push_back({"table", "Head statistics, " + where, "", note, tableOf(rows)});
    for (std::size_t i = 0; i < rows.front().values.size(); ++i) {
        const Measure measure = rows.front().values[i].first;
        std::string name = measure.name;
        std::replace(name.begin(), name.end(), ' ', '_');
        std::string title = fmt::format("{} by layer, {}", measure.name, where);
        title.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(title.front())));
        findings.push_back({name, title, measure.unit, "", curveOf(rows, i)});
    }
    return findings;
}

}  // namespace

void add_head_statistics(AnalysisCatalog& catalog) {
    catalog.add({{"head_statistics",
                  "Head statistics",
                  "Entropy, mean attention distance, prefix mass, diagonal mass, largest weight and "
                  "effective rank of "
                  "every head.",
                  {layersParam("all"),
                   headsParam(),
                   stageParam(),
                   weightsParam("base"),
                   {.name = "rank_rows",
                    .type = ParamType::Integer,
                    .defaultValue = 256,
                    .help = "rows that the effective rank looks at, evenly spaced; none (0) leaves it out",
                    .minimum = 0,
                    .maximum = 2048,
                    .choices = {"none"}}}},
                 needsOfSites,
                 computeHeadStatistics});
}

}  // namespace fovea
