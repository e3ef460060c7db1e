#pragma once

#include <optional>
#include <vector>

#include "fovea/finding.h"

namespace fovea {

/// Which rows of two tables name the same.
struct JoinedRows {
    struct Pair {
        std::optional<std::size_t> a, b;  ///< row of either table; nothing where the other one has no partner
    };
    std::size_t columns = 0;           ///< that both tables have, from the first on
    std::vector<std::size_t> keys;     ///< columns that say what a row is of
    std::vector<Pair> rows;            ///< in the order of B, then what A alone has
};

/// Joins rows by what they name: steps, tokens, layers, heads and places; where a table has no such columns or they do not
/// tell its rows apart, by its texts, too; failing that by the first column. Throws Error (Usage) where the tables have
/// other columns.
JoinedRows joinedRows(const Table& a, const Table& b);

/// Two tables beside each other: joined rows with what they name, and with the values of A, those of B and B - A. Rows of
/// one table alone have empty cells for the other. Throws Error (Usage) where the tables have other columns, or no values
/// with a unit.
Table difference(const Table& a, const Table& b);

}  // namespace fovea
