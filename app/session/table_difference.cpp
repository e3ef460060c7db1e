#include "table_difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "fovea/error.h"

namespace fovea {
namespace {

using Row = std::vector<Table::Cell>;

constexpr const char* kNames[] = {"step", "token", "id", "layer", "head", "row", "column", "position"};

struct Columns {
    std::vector<std::size_t> names, values;
};

bool isText(const Table& table, std::size_t column) {
    return std::any_of(table.rows.begin(), table.rows.end(), [&](const Row& row) {
        const auto* text = std::get_if<std::string>(&row[column]);
        return text && !text->empty() && *text != "yes";
    });
}

Columns columnsOf(const Table& a, const Table& b) {
    Columns out;
    for (std::size_t i = 0; i < b.columns.size(); ++i) {
        const bool named = std::find(std::begin(kNames), std::end(kNames), b.columns[i].name) != std::end(kNames);
        if (named || isText(a, i) || isText(b, i))
            out.names.push_back(i);
        else if (!b.columns[i].unit.empty())
            out.values.push_back(i);
    }
    return out;
}

std::string nameOf(const Row& row, const Columns& columns) {
    std::string name;
    for (const std::size_t i : columns.names) {
        const auto* text = std::get_if<std::string>(&row[i]);
        name += (text ? *text : fmt::format("{}", std::get<double>(row[i]))) + '\n';
    }
    return name;
}

Row joined(const Row* a, const Row* b, const Columns& columns) {
    Row out;
    for (const std::size_t i : columns.names) out.push_back((b ? *b : *a)[i]);
    for (const std::size_t i : columns.values) {
        const auto* left = a ? std::get_if<double>(&(*a)[i]) : nullptr;
        const auto* right = b ? std::get_if<double>(&(*b)[i]) : nullptr;
        out.push_back(left ? Table::Cell(*left) : Table::Cell(std::string()));
        out.push_back(right ? Table::Cell(*right) : Table::Cell(std::string()));
        out.push_back(left && right ? Table::Cell(*right - *left) : Table::Cell(std::string()));
    }
    return out;
}

}  // namespace

Table difference(const Table& a, const Table& b) {
    const auto names = [](const Table& table) {
        std::vector<std::string> list;
        for (const Table::Column& column : table.columns) list.push_back(column.name);
        return list;
    };
    // A session with edits may have more to say: what both say stands first.
    const std::size_t common = std::min(a.columns.size(), b.columns.size());
    std::vector<std::string> left = names(a), right = names(b);
    left.resize(common);
    right.resize(common);
    if (left != right)
        throw Error("the tables cannot be compared: they have other columns", "compare the same analysis of both sessions",
                    ErrorCode::Usage);
    Table first = a, second = b;
    for (Table* table : {&first, &second}) {
        table->columns.resize(common);
        for (Row& row : table->rows) row.resize(common);
    }
    const Columns columns = columnsOf(first, second);
    if (columns.values.empty())
        throw Error("the tables cannot be compared: they have no values with a unit", "choose another result", ErrorCode::Usage);
    Table out;
    for (const std::size_t i : columns.names) out.columns.push_back(second.columns[i]);
    for (const std::size_t i : columns.values) {
        const Table::Column& column = second.columns[i];
        out.columns.push_back({column.name + ", A", column.unit});
        out.columns.push_back({column.name + ", B", column.unit});
        out.columns.push_back({"B - A", column.unit});
    }
    std::multimap<std::string, const Row*> known;
    for (const Row& row : first.rows) known.emplace(nameOf(row, columns), &row);
    std::set<const Row*> matched;
    for (const Row& row : second.rows) {
        const auto found = known.find(nameOf(row, columns));
        out.rows.push_back(joined(found == known.end() ? nullptr : found->second, &row, columns));
        if (found == known.end()) continue;
        matched.insert(found->second);
        known.erase(found);
    }
    for (const Row& row : first.rows)
        if (!matched.contains(&row)) out.rows.push_back(joined(&row, nullptr, columns));
    return out;
}

}  // namespace fovea
