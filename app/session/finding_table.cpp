#include "finding_table.h"

#include <algorithm>
#include <cmath>

namespace fovea {
namespace {

using Cell = Table::Cell;

const StageTokens* stageOf(const TokenMap* map, const std::string& stage) {
    if (!map) return nullptr;
    const auto found = std::find_if(map->stages.begin(), map->stages.end(),
                                    [&](const StageTokens& candidate) { return candidate.stage == stage; });
    return found == map->stages.end() ? nullptr : &*found;
}

Cell number(double value) {
    return value;
}

Cell place(int value) {
    return value >= 0 ? Cell(static_cast<double>(value)) : Cell(std::string());
}

const Token* tokenOf(const StageTokens* stage, std::size_t index) {
    return stage && index < stage->tokens.size() ? &stage->tokens[index] : nullptr;
}

std::vector<Cell> tokenCells(const Token* token) {
    if (!token) return {std::string(), std::string(), std::string()};
    const std::string name = token->text.empty() ? tokenKindName(token->kind) : token->text;
    return {name, place(token->row), place(token->column)};
}

struct ToTable {
    const Finding& finding;
    const TokenMap* tokens;

    Table operator()(const TokenScores& scores) const {
        Table table{{{"token", ""}, {"name", ""}, {"row", ""}, {"column", ""}, {"value", finding.unit}}, {}};
        const StageTokens* stage = stageOf(tokens, scores.stage);
        for (std::size_t i = 0; i < scores.values.size(); ++i) {
            std::vector<Cell> row = {number(static_cast<double>(i))};
            for (Cell& cell : tokenCells(tokenOf(stage, i))) row.push_back(std::move(cell));
            row.push_back(number(scores.values[i]));
            table.rows.push_back(std::move(row));
        }
        return table;
    }
    Table operator()(const PairMatrix& matrix) const {
        Table table{{{"query", ""}}, {}};
        const int columns = matrix.source->columns();
        for (int column = 0; column < columns; ++column)
            table.columns.push_back({"key " + std::to_string(column), ""});
        for (int row = 0; row < matrix.source->rows(); ++row) {
            const Array values = matrix.source->tile(row, row + 1, 0, columns);
            std::vector<Cell> cells = {number(row)};
            for (const float value : values.values) cells.push_back(number(value));
            table.rows.push_back(std::move(cells));
        }
        return table;
    }
    Table operator()(const Grid& grid) const {
        Table table{{{"plane", ""}, {"row", ""}, {"column", ""}, {"value", finding.unit}}, {}};
        for (int plane = 0; plane < grid.planeCount(); ++plane)
            for (int row = 0; row < grid.rows; ++row)
                for (int column = 0; column < grid.columns; ++column)
                    table.rows.push_back({grid.planes[static_cast<std::size_t>(plane)], number(row),
                                          number(column), number(grid.at(plane, row, column))});
        return table;
    }
    Table operator()(const Tree& tree) const {
        Table table{{{"node", ""},
                     {"token", ""},
                     {"name", ""},
                     {"row", ""},
                     {"column", ""},
                     {"parent node", ""},
                     {"weight", ""},
                     {"depth", ""},
                     {"score", finding.unit}},
                    {}};
        const StageTokens* stage = stageOf(tokens, tree.stage);
        for (std::size_t i = 0; i < tree.tokens.size(); ++i) {
            std::vector<Cell> row = {number(static_cast<double>(i)), number(tree.tokens[i])};
            for (Cell& cell : tokenCells(tokenOf(stage, static_cast<std::size_t>(tree.tokens[i]))))
                row.push_back(std::move(cell));
            row.push_back(number(tree.parent[i]));
            row.push_back(number(tree.weight[i]));
            row.push_back(number(tree.depth[i]));
            row.push_back(i < tree.score.size() ? number(tree.score[i]) : Cell(std::string()));
            table.rows.push_back(std::move(row));
        }
        return table;
    }
    Table operator()(const Path& path) const {
        Table table{
            {{"fixation", ""}, {"x", "px"}, {"y", "px"}, {"onset", "ms"}, {"duration", "ms"}, {"mass", ""}},
            {}};
        for (const Path::Fixation& f : path.fixations)
            table.rows.push_back({number(static_cast<double>(table.rows.size())), number(f.x), number(f.y),
                                  number(f.onset), number(f.duration), number(f.mass)});
        return table;
    }
    Table operator()(const Series& series) const {
        // Some labels name the unit for the axis of a chart.
        const bool named = series.yLabel.ends_with("(" + finding.unit + ")");
        Table table{{{"line", ""},
                     {series.xLabel.empty() ? "x" : series.xLabel, ""},
                     {series.yLabel.empty() ? "y" : series.yLabel, named ? "" : finding.unit}},
                    {}};
        for (const Series::Line& line : series.lines)
            for (std::size_t i = 0; i < line.x.size() && i < line.y.size(); ++i)
                table.rows.push_back({line.name, number(line.x[i]), number(line.y[i])});
        return table;
    }
    Table operator()(const Table& table) const { return table; }
};

}  // namespace

Table tableOf(const Finding& finding, const TokenMap* tokens) {
    return std::visit(ToTable{finding, tokens}, finding.data);
}

std::optional<std::vector<double>> numericColumn(const Table& table, std::size_t column) {
    std::vector<double> values;
    bool yes = false, others = false;
    for (const auto& row : table.rows) {
        if (column >= row.size()) return {};
        if (const auto* number = std::get_if<double>(&row[column])) {
            values.push_back(*number);
            others = true;
            continue;
        }
        const std::string& text = std::get<std::string>(row[column]);
        if (!text.empty() && text != "yes" && text != "no") return {};
        yes = yes || text == "yes";
        others = others || text == "no";
        values.push_back(text.empty() ? std::nan("") : text == "yes" ? 1 : 0);
    }
    if (yes && !others)
        for (double& value : values) value = std::isnan(value) ? 0 : value;
    return values;
}

}  // namespace fovea
