#include <algorithm>
#include <cmath>
#include <limits>

#include "fovea/viz/painter.h"

namespace fovea::viz {

void addAll_painters(PainterCatalog& catalog);  // generated from the files of viz/painters

namespace {

constexpr int overviewCells = 512;

struct RangeOf {
    double low = std::numeric_limits<double>::infinity();
    double high = -std::numeric_limits<double>::infinity();

    void add(double value) {
        if (!std::isfinite(value)) return;
        low = std::min(low, value);
        high = std::max(high, value);
    }
    template <typename Values>
    void addAll(const Values& values) {
        for (const auto value : values) add(value);
    }

    void operator()(const TokenScores& scores) { addAll(scores.values); }
    void operator()(const PairMatrix& matrix) {
        if (!matrix.source) return;
        const int longest = std::max(matrix.source->rows(), matrix.source->columns());
        addAll(matrix.source->pooled(std::max(1, (longest + overviewCells - 1) / overviewCells)).values);
    }
    void operator()(const Grid& grid) { addAll(grid.values); }
    void operator()(const Tree& tree) { addAll(tree.weight); }
    void operator()(const Path& path) {
        for (const Path::Fixation& fixation : path.fixations) add(fixation.duration);
    }
    void operator()(const Series& series) {
        for (const Series::Line& line : series.lines) addAll(line.y);
    }
    void operator()(const Table& table) {
        for (const auto& row : table.rows)
            for (const Table::Cell& cell : row)
                if (const double* number = std::get_if<double>(&cell)) add(*number);
    }
};

bool draws(const PainterEntry& entry, const std::string& kind) {
    return std::find(entry.kinds.begin(), entry.kinds.end(), kind) != entry.kinds.end();
}

bool knows(const PainterEntry& entry, const nlohmann::json& params) {
    if (!params.is_object()) return true;
    return std::all_of(params.items().begin(), params.items().end(), [&](const auto& given) {
        return std::any_of(entry.info.params.begin(), entry.info.params.end(),
                           [&](const ParamSpec& spec) { return spec.name == given.key(); });
    });
}

bool better(const PainterEntry& entry, const PainterEntry& than, const Finding& finding) {
    const bool prefers = entry.prefers && entry.prefers(finding), other = than.prefers && than.prefers(finding);
    return prefers != other ? prefers : entry.priority > than.priority;
}

}  // namespace

PainterCatalog makePainterCatalog() {
    PainterCatalog catalog("painter");
    addAll_painters(catalog);
    return catalog;
}

const PainterEntry& painterFor(const PainterCatalog& catalog, const Finding& finding, const std::string& id,
                               const nlohmann::json& params) {
    const std::string kind = findingKindName(finding);
    if (!id.empty()) {
        const PainterEntry& entry = catalog.get(id);
        if (draws(entry, kind)) return entry;
        std::string able;
        for (const PainterEntry& other : catalog.all())
            if (draws(other, kind)) able += (able.empty() ? "" : ", ") + other.info.id;
        throw Error("painter \"" + id + "\" cannot draw \"" + finding.name + "\": it is a " + kind,
                    "painters for it: " + able, ErrorCode::Usage);
    }
    const PainterEntry *best = nullptr, *knowing = nullptr;
    for (const PainterEntry& entry : catalog.all()) {
        if (!draws(entry, kind)) continue;
        if (!best || better(entry, *best, finding)) best = &entry;
        if (knows(entry, params) && (!knowing || better(entry, *knowing, finding))) knowing = &entry;
    }
    if (!best) throw Error("there is no painter for a " + kind, {}, ErrorCode::Internal);
    return knowing ? *knowing : *best;
}

std::pair<double, double> valueRange(const Finding& finding) {
    RangeOf range;
    std::visit(range, finding.data);
    if (!(range.low <= range.high)) return {0, 0};
    return {range.low, range.high};
}

}  // namespace fovea::viz
