#include "table_difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string>

#include "finding_table.h"
#include "fovea/error.h"

namespace fovea {
namespace {

using Row = std::vector<Table::Cell>;
using Columns = std::vector<std::size_t>;

constexpr const char* kNames[] = {"step",   "token",    "id",  "layer", "head",        "row",
                                  "column", "position", "key", "query", "after layers"};

std::string nameOf(const Row& row, const Columns& keys) {
    std::string name;
    for (const std::size_t i : keys) {
        const auto* text = std::get_if<std::string>(&row[i]);
        name += (text ? *text : fmt::format("{}", std::get<double>(row[i]))) + '\n';
    }
    return name;
}

bool tellApart(const Table& table, const Columns& keys) {
    std::set<std::string> names;
    return std::all_of(table.rows.begin(), table.rows.end(),
                       [&](const Row& row) { return names.insert(nameOf(row, keys)).second; });
}

bool isText(const Table& a, const Table& b, std::size_t column) {
    return !numericColumn(a, column) || !numericColumn(b, column);
}

Columns keysOf(const Table& a, const Table& b, std::size_t columns) {
    Columns keys;
    for (std::size_t i = 0; i < columns; ++i)
        if (std::find(std::begin(kNames), std::end(kNames), b.columns[i].name) != std::end(kNames)) keys.push_back(i);
    if (!keys.empty() && tellApart(a, keys) && tellApart(b, keys)) return keys;
    for (std::size_t i = 0; i < columns; ++i)
        if (isText(a, b, i) && std::find(keys.begin(), keys.end(), i) == keys.end()) keys.push_back(i);
    std::sort(keys.begin(), keys.end());
    if (keys.empty() && columns > 0) keys.push_back(0);
    return keys;
}

// What both tables say, which stands first: a session with edits may have more to say.
std::size_t commonColumns(const Table& a, const Table& b) {
    const std::size_t common = std::min(a.columns.size(), b.columns.size());
    for (std::size_t i = 0; i < common; ++i)
        if (a.columns[i].name != b.columns[i].name)
            throw Error("the tables cannot be compared: they have other columns",
                        "compare the same analysis of both sessions", ErrorCode::Usage);
    return common;
}

Row beside(const Row* a, const Row* b, const Columns& named, const Columns& values) {
    Row out;
    for (const std::size_t i : named) out.push_back((b ? *b : *a)[i]);
    for (const std::size_t i : values) {
        const auto* left = a ? std::get_if<double>(&(*a)[i]) : nullptr;
        const auto* right = b ? std::get_if<double>(&(*b)[i]) : nullptr;
        out.push_back(left ? Table::Cell(*left) : Table::Cell(std::string()));
        out.push_back(right ? Table::Cell(*right) : Table::Cell(std::string()));
        out.push_back(left && right ? Table::Cell(*right - *left) : Table::Cell(std::string()));
    }
    return out;
}

}  // namespace

JoinedRows joinedRows(const Table& a, const Table& b) {
    JoinedRows out;
    out.columns = commonColumns(a, b);
    out.keys = keysOf(a, b, out.columns);
    // Rows of the same name, should there be any, find each other in their order.
    std::multimap<std::string, std::size_t> known;
    for (std::size_t i = 0; i < a.rows.size(); ++i) known.emplace(nameOf(a.rows[i], out.keys), i);
    std::vector<bool> matched(a.rows.size(), false);
    for (std::size_t i = 0; i < b.rows.size(); ++i) {
        const std::string name = nameOf(b.rows[i], out.keys);
        const auto found = known.lower_bound(name);
        if (found == known.end() || found->first != name) {
            out.rows.push_back({{}, i});
            continue;
        }
        out.rows.push_back({found->second, i});
        matched[found->second] = true;
        known.erase(found);
    }
    for (std::size_t i = 0; i < a.rows.size(); ++i)
        if (!matched[i]) out.rows.push_back({i, {}});
    return out;
}

Table difference(const Table& a, const Table& b) {
    const JoinedRows joined = joinedRows(a, b);
    Columns named, values;
    for (std::size_t i = 0; i < joined.columns; ++i) {
        const bool key = std::find(joined.keys.begin(), joined.keys.end(), i) != joined.keys.end();
        if (key || isText(a, b, i))
            named.push_back(i);
        else if (!b.columns[i].unit.empty())
            values.push_back(i);
    }
    if (values.empty())
        throw Error("the tables cannot be compared: they have no values with a unit", "choose another result", ErrorCode::Usage);
    Table out;
    for (const std::size_t i : named) out.columns.push_back(b.columns[i]);
    for (const std::size_t i : values) {
        const Table::Column& column = b.columns[i];
        out.columns.push_back({column.name + ", A", column.unit});
        out.columns.push_back({column.name + ", B", column.unit});
        out.columns.push_back({"B - A", column.unit});
    }
    for (const JoinedRows::Pair& pair : joined.rows)
        out.rows.push_back(beside(pair.a ? &a.rows[*pair.a] : nullptr, pair.b ? &b.rows[*pair.b] : nullptr, named, values));
    return out;
}

}  // namespace fovea
