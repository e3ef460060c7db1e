#include "fovea/finding.h"

#include <algorithm>

namespace fovea {
namespace {

using nlohmann::json;

constexpr int jsonMatrixSide = 512;

json cellJson(const Table::Cell& cell) {
    return std::visit([](const auto& value) { return json(value); }, cell);
}

json rectJson(const Rect& rect) { return json::array({rect.x, rect.y, rect.width, rect.height}); }

// NaN is written as null: JSON has no other word for "no value".
struct ToJson {
    json operator()(const TokenScores& scores) const {
        return {{"stage", scores.stage}, {"values", scores.values}};
    }
    json operator()(const PairMatrix& matrix) const {
        json out = {{"row_stage", matrix.rowStage}, {"column_stage", matrix.columnStage}};
        const int rows = matrix.source ? matrix.source->rows() : 0;
        const int columns = matrix.source ? matrix.source->columns() : 0;
        const int block = std::max(1, (std::max(rows, columns) + jsonMatrixSide - 1) / jsonMatrixSide);
        out["rows"] = rows;
        out["columns"] = columns;
        out["pooled_by"] = block;
        out["values"] = json::array();
        if (rows == 0 || columns == 0) return out;
        const Array values =
            block == 1 ? matrix.source->tile(0, rows, 0, columns) : matrix.source->pooled(block);
        for (std::int64_t row = 0; row < values.size(0); ++row) {
            const auto begin = values.values.begin() + row * values.size(1);
            out["values"].push_back(std::vector<float>(begin, begin + values.size(1)));
        }
        return out;
    }
    json operator()(const Grid& grid) const {
        return {{"image", grid.image},   {"rows", grid.rows},     {"columns", grid.columns},
                {"area", rectJson(grid.area)}, {"planes", grid.planes}, {"pixels", grid.pixels},
                {"signed", grid.signedValues}, {"values", grid.values}};
    }
    json operator()(const Tree& tree) const {
        return {{"stage", tree.stage},   {"tokens", tree.tokens}, {"parent", tree.parent},
                {"weight", tree.weight}, {"depth", tree.depth},   {"score", tree.score}};
    }
    json operator()(const Path& path) const {
        json fixations = json::array();
        for (const Path::Fixation& f : path.fixations)
            fixations.push_back({{"x", f.x},
                                 {"y", f.y},
                                 {"onset_ms", f.onset},
                                 {"duration_ms", f.duration},
                                 {"mass", f.mass}});
        return {{"image", path.image}, {"fixations", fixations}};
    }
    json operator()(const Series& series) const {
        json lines = json::array();
        for (const Series::Line& line : series.lines)
            lines.push_back({{"name", line.name}, {"x", line.x}, {"y", line.y}});
        return {{"x_label", series.xLabel}, {"y_label", series.yLabel}, {"lines", lines}};
    }
    json operator()(const Table& table) const {
        json columns = json::array(), rows = json::array();
        for (const Table::Column& column : table.columns)
            columns.push_back({{"name", column.name}, {"unit", column.unit}});
        for (const auto& row : table.rows) {
            json cells = json::array();
            for (const Table::Cell& cell : row) cells.push_back(cellJson(cell));
            rows.push_back(cells);
        }
        return {{"columns", columns}, {"rows", rows}};
    }
};

}  // namespace

const char* findingKindName(const Finding& finding) {
    static constexpr const char* names[] = {"TokenScores", "PairMatrix", "Grid", "Tree",
                                            "Path",        "Series",     "Table"};
    static_assert(std::size(names) == std::variant_size_v<Finding::Data>);
    return names[finding.data.index()];
}

json toJson(const Finding& finding) {
    return {{"name", finding.name},
            {"title", finding.title},
            {"unit", finding.unit},
            {"note", finding.note},
            {"kind", findingKindName(finding)},
            {"data", std::visit(ToJson{}, finding.data)}};
}

}  // namespace fovea
