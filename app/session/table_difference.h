#pragma once

#include "fovea/finding.h"

namespace fovea {

/// Two tables beside each other: rows that name the same (their texts, and numbers of steps, tokens, layers and heads) in
/// one row, with the values of A, those of B and B - A. Rows of one table alone have empty cells for the other. Throws
/// Error (Usage) where the tables have other columns, or no values with a unit.
Table difference(const Table& a, const Table& b);

}  // namespace fovea
