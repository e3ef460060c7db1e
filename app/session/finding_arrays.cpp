#include <algorithm>

#include "finding_file.h"
#include "finding_table.h"
#include "fovea/error.h"

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

}  // namespace

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
