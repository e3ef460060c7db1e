#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>

#include "picture/figure.h"

namespace fovea::viz {
namespace {

constexpr double cellPadding = 8, widestText = 260, widestPicture = 1600;

/// A number that is written without an exponent.
bool isPlain(double number) {
    const double size = std::abs(number);
    return number == 0 || (size >= 1e-3 && size < 1e6) || (number == std::round(number) && size < 1e9);
}

/// Decimals that give a number three digits; none for a whole one.
int decimalsOf(double number) {
    if (number == std::round(number)) return 0;
    return std::clamp(2 - static_cast<int>(std::floor(std::log10(std::abs(number)))), 0, 5);
}

/// A number with the decimals of its column, or with its own where those would leave it less than two digits.
std::string numberText(double number, int decimals) {
    if (std::isnan(number)) return "\u2013";
    const bool tiny = number != std::round(number) && std::abs(number) < std::pow(10, 1 - decimals);
    if (!isPlain(number) || (tiny && decimalsOf(number) > decimals)) return valueText(number);
    return fmt::format("{:.{}f}", number == 0 ? 0 : number, decimals);
}

std::string cellText(const Table::Cell& cell, int decimals) {
    const double* number = std::get_if<double>(&cell);
    return number ? numberText(*number, decimals) : printable(std::get<std::string>(cell));
}

/// Decimals that all numbers of a column have: enough for three digits of each, but not more than six for the largest.
int columnDecimals(const Table& table, std::size_t column, std::size_t rows) {
    std::vector<double> numbers;
    for (std::size_t r = 0; r < rows; ++r) {
        if (column >= table.rows[r].size()) continue;
        const double* number = std::get_if<double>(&table.rows[r][column]);
        if (number && std::isfinite(*number) && isPlain(*number)) numbers.push_back(*number);
    }
    double largest = 0;
    int decimals = 0;
    for (const double number : numbers) {
        largest = std::max(largest, std::abs(number));
        decimals = std::max(decimals, decimalsOf(number));
    }
    if (largest >= 1) decimals = std::min(decimals, std::max(1, 5 - static_cast<int>(std::floor(std::log10(largest)))));
    const auto needless = [&](double number) {
        const double scaled = number * std::pow(10, decimals - 1);
        return std::abs(scaled - std::round(scaled)) < 1e-6;
    };
    while (decimals > 0 && std::all_of(numbers.begin(), numbers.end(), needless)) --decimals;
    return decimals;
}

/// A unit that only repeats the column's name says nothing.
std::string unitOf(const Table::Column& column) {
    return column.unit == column.name ? std::string() : column.unit;
}

/// The part of a number from its decimal point on, or from its exponent; numbers of a column stand with it aligned.
std::string_view fractionOf(const std::string& number) {
    return std::string_view(number).substr(std::min(number.find_first_of(".e"), number.size()));
}

struct Sheet {
    std::vector<double> width;
    std::vector<double> fraction;  ///< width of the widest part behind the decimal point
    std::vector<bool> numeric;
    std::vector<int> decimals;
    std::size_t columns = 0, rows = 0;  ///< shown
    double total() const {
        return std::accumulate(width.begin(), width.begin() + static_cast<std::ptrdiff_t>(columns), 0.0);
    }
};

Sheet measure(const Table& table, std::size_t maximumRows, double size, double limit) {
    Sheet sheet;
    sheet.rows = std::min(table.rows.size(), maximumRows);
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
        double widest = std::max(textWidth(printable(table.columns[c].name), size, Face::Bold),
                                 textWidth(unitOf(table.columns[c]), size * 0.85));
        const int decimals = columnDecimals(table, c, sheet.rows);
        bool numeric = true;
        double whole = 0, fraction = 0;
        for (std::size_t r = 0; r < sheet.rows; ++r) {
            if (c >= table.rows[r].size()) continue;
            const std::string text = cellText(table.rows[r][c], decimals);
            widest = std::max(widest, textWidth(text, size));
            if (text.empty()) continue;  // not measured: no reason to treat the column as text
            numeric = numeric && std::holds_alternative<double>(table.rows[r][c]);
            const double behind = textWidth(fractionOf(text), size);
            fraction = std::max(fraction, behind);
            whole = std::max(whole, textWidth(text, size) - behind);
        }
        if (numeric) widest = std::max(widest, whole + fraction);
        sheet.fraction.push_back(numeric ? fraction : 0);
        sheet.width.push_back(std::min(widest, widestText) + 2 * cellPadding);
        sheet.numeric.push_back(numeric);
        sheet.decimals.push_back(decimals);
    }
    sheet.columns = sheet.width.size();
    while (sheet.columns > 1 && sheet.total() > limit) --sheet.columns;
    return sheet;
}

Picture paintTable(const PaintInput& in, const nlohmann::json& params) {
    in.job.progress(0, "table");
    const Table& table = std::get<Table>(in.finding.data);
    const double size = in.display.fontSize * 0.95, rowHeight = size * 1.65;
    const Sheet sheet = measure(table, static_cast<std::size_t>(std::max(1, params.value("rows", 24))), size,
                                widestPicture - 2 * Figure::margin);
    Figure figure(in,
                  sheet.rows < table.rows.size()
                      ? fmt::format("{} of {} rows shown", sheet.rows, table.rows.size())
                      : fmt::format("{} row{}", table.rows.size(), table.rows.size() == 1 ? "" : "s"),
                  std::max(in.display.width, sheet.total() + 2 * Figure::margin));
    double y = figure.top();
    const double end = figure.left() + sheet.total();
    const bool units = std::any_of(table.columns.begin(), table.columns.end(),
                                   [](const Table::Column& c) { return !unitOf(c).empty(); });
    enum class As { Heading, Unit, Cell };
    const auto put = [&](std::size_t column, double x, double baseline, std::string text, As as) {
        const double textSize = as == As::Unit ? size * 0.85 : size;
        const bool bold = as == As::Heading, aligned = as == As::Cell && sheet.numeric[column];
        const double room = sheet.width[column] - 2 * cellPadding;
        text = elideText(text, room + 0.01, textSize, bold ? Face::Bold : Face::Regular);
        const bool right = sheet.numeric[column];
        const double inset = cellPadding + (aligned ? sheet.fraction[column] - textWidth(fractionOf(text), textSize) : 0);
        figure.add("labels", TextMark{{right ? x + sheet.width[column] - inset : x + cellPadding, baseline},
                                      std::move(text),
                                      textSize,
                                      as == As::Unit ? ink::faint : ink::text,
                                      right ? Anchor::End : Anchor::Start,
                                      bold,
                                      false,
                                      0});
    };
    const auto rule = [&](double at, double width) {
        figure.add(
            "grid",
            LineMark{{{figure.left(), at}, {end, at}}, {ink::faint, width, ink::none, false}, false, false});
    };
    if (sheet.columns > 0) {
        rule(y, 1.2);
        double x = figure.left();
        const double header = rowHeight + (units ? size * 1.15 : 0);
        for (std::size_t c = 0; c < sheet.columns; x += sheet.width[c++]) {
            put(c, x, y + size * 1.2, printable(table.columns[c].name), As::Heading);
            if (const std::string unit = unitOf(table.columns[c]); !unit.empty())
                put(c, x, y + size * 2.3, unit, As::Unit);
        }
        y += header;
        rule(y, 0.8);
    }
    for (std::size_t r = 0; r < sheet.rows; ++r) {
        in.job.progress(static_cast<double>(r) / static_cast<double>(sheet.rows), "table");
        if (r % 2 == 1)
            figure.add("grid", RectMark{{figure.left(), y, end - figure.left(), rowHeight},
                                        {ink::none, 0, Color{0, 0, 0, 10}, false},
                                        0});
        double x = figure.left();
        for (std::size_t c = 0; c < sheet.columns; x += sheet.width[c++]) {
            if (c >= table.rows[r].size()) continue;
            const Table::Cell& cell = table.rows[r][c];
            put(c, x, y + size * 1.2, cellText(cell, sheet.decimals[c]), As::Cell);
            const double* number = std::get_if<double>(&cell);
            figure.hit({{x, y, sheet.width[c], rowHeight},
                        -1,
                        {},
                        number ? *number : std::nan(""),
                        fmt::format("{}: {}{}{}", table.columns[c].name,
                                    number && !std::isnan(*number) ? fmt::format("{:.6g}", *number) : cellText(cell, 0),
                                    unitOf(table.columns[c]).empty() ? "" : " ", unitOf(table.columns[c])),
                        {}});
        }
        y += rowHeight;
    }
    if (sheet.columns > 0) rule(y, 1.2);
    if (table.rows.size() > sheet.rows)
        figure.notice(fmt::format("\u2026 {} more rows: the numbers as CSV, NPZ or JSON hold all {}.",
                                  table.rows.size() - sheet.rows, table.rows.size()));
    if (table.columns.size() > sheet.columns) {
        std::string names;
        for (std::size_t c = sheet.columns; c < table.columns.size(); ++c)
            names += (names.empty() ? "" : ", ") + printable(table.columns[c].name);
        figure.notice(fmt::format("\u2026 {} more columns: {}", table.columns.size() - sheet.columns, names));
    }
    if (table.rows.empty()) figure.notice("There are no rows to draw.");
    in.job.progress(1, "table");
    return figure.finish(y);
}

}  // namespace

void add_table(PainterCatalog& catalog) {
    PainterEntry entry;
    entry.info = {"table",
                  "Table",
                  "Aligned columns with units",
                  {{"rows",
                    ParamType::Integer,
                    24,
                    "rows that are shown at most; the number of the others is said",
                    1,
                    400,
                    {},
                    ""}}};
    entry.kinds = {"Table"};
    entry.priority = 10;
    entry.paint = paintTable;
    catalog.add(std::move(entry));
}

}  // namespace fovea::viz
