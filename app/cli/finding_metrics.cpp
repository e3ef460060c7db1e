#include "finding_metrics.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace fovea::cli {
namespace {

constexpr std::size_t kMostCurves = 16;

using Metrics = std::vector<std::pair<std::string, double>>;

const std::vector<float>* valuesOf(const Finding& finding) {
    if (const auto* grid = std::get_if<Grid>(&finding.data)) return &grid->values;
    if (const auto* scores = std::get_if<TokenScores>(&finding.data)) return &scores->values;
    return nullptr;
}

struct Summary {
    double low = INFINITY, high = -INFINITY, mean = 0;
};

// Of the finite values; nothing where there are none.
template <typename T>
std::optional<Summary> summaryOf(const std::vector<T>& values) {
    Summary summary;
    std::size_t count = 0;
    for (const T value : values) {
        if (!std::isfinite(value)) continue;
        summary.low = std::min(summary.low, static_cast<double>(value));
        summary.high = std::max(summary.high, static_cast<double>(value));
        summary.mean += static_cast<double>(value);
        ++count;
    }
    if (count == 0) return {};
    summary.mean /= static_cast<double>(count);
    return summary;
}

void addMean(const std::string& name, const std::optional<Summary>& summary, Metrics& out) {
    if (summary) out.emplace_back(name + " mean", summary->mean);
}

// How many rows say "yes"; nothing for columns of other texts, and of numbers.
std::optional<double> countedYes(const Table& table, std::size_t column) {
    double yes = 0;
    bool answers = false;
    for (const auto& row : table.rows) {
        const auto* text = column < row.size() ? std::get_if<std::string>(&row[column]) : nullptr;
        if (!text || (!text->empty() && *text != "yes" && *text != "no")) return {};
        answers = answers || !text->empty();
        yes += *text == "yes" ? 1 : 0;
    }
    return answers ? std::optional(yes) : std::nullopt;
}

struct Plainly {
    const std::string& name;
    Metrics& out;

    void operator()(const Tree& tree) const {
        out.emplace_back(name + " nodes", static_cast<double>(tree.tokens.size()));
        out.emplace_back(name + " roots", static_cast<double>(std::count(tree.parent.begin(), tree.parent.end(), -1)));
        if (const auto depth = summaryOf(tree.depth)) {
            out.emplace_back(name + " depth mean", depth->mean);
            out.emplace_back(name + " depth max", depth->high);
        }
        addMean(name + " weight", summaryOf(tree.weight), out);
    }
    void operator()(const Path& path) const {
        double duration = 0, mass = 0;
        for (const Path::Fixation& fixation : path.fixations) duration += fixation.duration, mass += fixation.mass;
        out.emplace_back(name + " fixations", static_cast<double>(path.fixations.size()));
        out.emplace_back(name + " duration", duration);
        out.emplace_back(name + " mass", mass);
    }
    void operator()(const Series& series) const {
        for (std::size_t i = 0; i < std::min(kMostCurves, series.lines.size()); ++i)
            addMean(name + (series.lines[i].name.empty() ? "" : " " + series.lines[i].name), summaryOf(series.lines[i].y), out);
    }
    template <typename Other>
    void operator()(const Other&) const {}
};

}  // namespace

Metrics metricsOf(const std::vector<Finding>& findings) {
    Metrics out;
    for (const Finding& finding : findings) {
        const std::vector<float>* values = valuesOf(finding);
        const auto summary = values ? summaryOf(*values) : std::nullopt;
        if (!summary) continue;
        out.emplace_back(finding.name + " min", summary->low);
        out.emplace_back(finding.name + " mean", summary->mean);
        out.emplace_back(finding.name + " max", summary->high);
    }
    const bool plain = out.empty();
    for (const Finding& finding : findings) {
        if (plain) std::visit(Plainly{finding.name, out}, finding.data);
        const auto* table = std::get_if<Table>(&finding.data);
        for (std::size_t column = 0; table && column < table->columns.size(); ++column)
            if (const auto yes = countedYes(*table, column))
                out.emplace_back(finding.name + " " + table->columns[column].name + " yes", *yes);
    }
    return out;
}

}  // namespace fovea::cli
