#include "io/csv.h"

#include <array>
#include <charconv>
#include <cmath>

#include "io/atomic_file.h"

namespace fovea {

std::string csvField(std::string_view text) {
    if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
    std::string out = "\"";
    for (char c : text) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + '"';
}

std::string csvNumber(double value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    return {digits.data(), end};
}

std::string csvLine(std::span<const Table::Cell> cells) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        if (i != 0) line += ',';
        const auto* number = std::get_if<double>(&cells[i]);
        line += number != nullptr ? csvNumber(*number) : csvField(std::get<std::string>(cells[i]));
    }
    return line + "\r\n";
}

std::string csvText(const Table& table) {
    std::vector<Table::Cell> header;
    for (const auto& column : table.columns)
        header.emplace_back(column.unit.empty() ? column.name : column.name + " (" + column.unit + ")");
    std::string text = csvLine(header);
    for (const auto& row : table.rows) text += csvLine(row);
    return text;
}

void writeCsv(const std::filesystem::path& path, const Table& table) {
    writeFileAtomically(path, csvText(table));
}

}  // namespace fovea
