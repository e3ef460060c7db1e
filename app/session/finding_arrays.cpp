#include <algorithm>
#include <numeric>

#include "common/site_choice.h"
#include "finding_file.h"
#include "finding_table.h"
#include "fovea/error.h"
#include "io/csv.h"

namespace fovea {
namespace {

constexpr std::int64_t kMaxMatrixValues = std::int64_t{1} << 28;

using Named = std::vector<std::pair<std::string, Array>>;

template <typename T>
Array vectorOf(const std::vector<T>& values) {
    Array array({static_cast<std::int64_t>(values.size())});
    std::transform(values.begin(), values.end(), array.values.begin(),
                   [](T v) { return static_cast<float>(v); });
    return array;
}

struct ToArrays {
    const std::string& name;

    Named operator()(const TokenScores& scores) const { return {{name, vectorOf(scores.values)}}; }
    Named operator()(const PairMatrix& matrix) const {
        const std::int64_t rows = matrix.source->rows(), columns = matrix.source->columns();
        if (rows * columns > kMaxMatrixValues)
            throw Error("the matrix \"" + name + "\" has " + std::to_string(rows) + " x " +
                            std::to_string(columns) + " values: too many for one array",
                        "write JSON, which pools it, or choose fewer tokens", ErrorCode::Memory);
        return {{name, matrix.source->tile(0, static_cast<int>(rows), 0, static_cast<int>(columns))}};
    }
    Named operator()(const Grid& grid) const {
        Array array({grid.planeCount(), grid.rows, grid.columns});
        array.values = grid.values;
        return {{name, std::move(array)}};
    }
    Named operator()(const Tree& tree) const {
        return {{name + "/tokens", vectorOf(tree.tokens)},
                {name + "/parent", vectorOf(tree.parent)},
                {name + "/weight", vectorOf(tree.weight)},
                {name + "/depth", vectorOf(tree.depth)},
                {name + "/score", vectorOf(tree.score)}};
    }
    Named operator()(const Path& path) const {
        Array array({static_cast<std::int64_t>(path.fixations.size()), 5});
        auto out = array.values.begin();
        for (const Path::Fixation& f : path.fixations)
            for (const double value : {f.x, f.y, f.onset, f.duration, f.mass})
                *out++ = static_cast<float>(value);
        return {{name, std::move(array)}};
    }
    Named operator()(const Series& series) const {
        Named arrays;
        for (const Series::Line& line : series.lines) {
            const std::string own =
                name + "/" + (line.name.empty() ? std::to_string(arrays.size() / 2) : line.name);
            arrays.emplace_back(own + "/x", vectorOf(line.x));
            arrays.emplace_back(own + "/y", vectorOf(line.y));
        }
        return arrays;
    }
    Named operator()(const Table& table) const {
        Named arrays;
        for (std::size_t column = 0; column < table.columns.size(); ++column) {
            const auto values = numericColumn(table, column);
            if (values) arrays.emplace_back(name + "/" + table.columns[column].name, vectorOf(*values));
        }
        return arrays;
    }
};

struct ToLabels {
    const std::string& name;
    const TokenMap* map;
    FindingLabels out = {};

    void operator()(const TokenScores& scores) { addAxis("", scores.stage, scores.values.size()); }
    void operator()(const PairMatrix& matrix) {
        addAxis("row_", matrix.rowStage, static_cast<std::size_t>(matrix.source->rows()));
        addAxis("column_", matrix.columnStage, static_cast<std::size_t>(matrix.source->columns()));
    }
    void operator()(const Grid& grid) { out.texts.emplace_back(name + "/planes", grid.planes); }
    void operator()(const Tree& tree) { addLabels("", tree.stage, tree.tokens); }
    void operator()(const Path&) {}
    void operator()(const Series&) {}
    void operator()(const Table& table) {
        for (std::size_t column = 0; column < table.columns.size(); ++column) {
            if (numericColumn(table, column)) continue;
            std::vector<std::string> cells;
            for (const auto& row : table.rows) cells.push_back(column < row.size() ? textOf(row[column]) : "");
            out.texts.emplace_back(name + "/" + table.columns[column].name, std::move(cells));
        }
    }

    static std::string textOf(const Table::Cell& cell) {
        const auto* number = std::get_if<double>(&cell);
        return number ? csvNumber(*number) : std::get<std::string>(cell);
    }

    // An axis that has a place for every token of a stage; rows of pooling attention are no tokens.
    void addAxis(const std::string& axis, const std::string& stage, std::size_t count) {
        if (stage.empty()) return;
        std::vector<int> all(count);
        std::iota(all.begin(), all.end(), 0);
        out.tokens.emplace_back(name + "/" + axis + "tokens", vectorOf(all));
        addLabels(axis, stage, all);
    }

    void addLabels(const std::string& axis, const std::string& stageName, const std::vector<int>& tokens) {
        if (!map) return;
        const auto stage = std::find_if(map->stages.begin(), map->stages.end(),
                                        [&](const StageTokens& known) { return known.stage == stageName; });
        if (stage == map->stages.end()) return;
        std::vector<std::string> labels;
        for (const int token : tokens)
            labels.push_back(token >= 0 && token < stage->size()
                                 ? labelOf(stage->tokens[static_cast<std::size_t>(token)])
                                 : "");
        out.texts.emplace_back(name + "/" + axis + "labels", std::move(labels));
    }

    std::string labelOf(const Token& token) const {
        const bool ofOne = token.image >= 0 && token.text.empty() && map->images.size() > 1;
        return (ofOne ? "picture " + std::to_string(token.image) + ", " : "") + tokenName(token);
    }
};

}  // namespace

FindingLabels labelsOf(const Finding& finding, const TokenMap* tokens) {
    ToLabels labels{.name = finding.name, .map = tokens};
    std::visit(labels, finding.data);
    return std::move(labels.out);
}

Named arraysOf(const Finding& finding) {
    return std::visit(ToArrays{finding.name}, finding.data);
}

std::vector<std::string> columnsLeftOut(const Finding& finding) {
    std::vector<std::string> names;
    if (const auto* table = std::get_if<Table>(&finding.data))
        for (std::size_t column = 0; column < table->columns.size(); ++column)
            if (!numericColumn(*table, column)) names.push_back(finding.name + "/" + table->columns[column].name);
    return names;
}

}  // namespace fovea
