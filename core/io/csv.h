#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "fovea/finding.h"

namespace fovea {

/// A field as RFC 4180 wants it: in quotes, with quotes doubled, where it holds a comma, quote or line end.
std::string csvField(std::string_view text);
/// The shortest text that reads back as the same number; "nan", "inf", "-inf".
std::string csvNumber(double value);
/// One line with its CRLF.
std::string csvLine(std::span<const Table::Cell> cells);
/// A table: a header line with units in parentheses, then the rows.
std::string csvText(const Table& table);
/// Writes a table, complete or not at all.
void writeCsv(const std::filesystem::path& path, const Table& table);

}  // namespace fovea
