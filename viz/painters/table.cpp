#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>

#include "picture/figure.h"

namespace fovea::viz {
namespace {

constexpr double cellPadding = 8, widestText = 260, widestPicture = 1600;

std::string cellText(const Table::Cell& cell) {
    if (const double* number = std::get_if<double>(&cell)) {
        if (std::isnan(*number)) return "\u2013";
        if (*number == std::round(*number) && std::abs(*number) < 1e9)
            return fmt::format("{:.0f}", *number == 0 ? 0 : *number);
        return valueText(*number);
    }
    return printable(std::get<std::string>(cell));
}

/// The part of a number from its decimal point on, or from its exponent; numbers of a column stand with it aligned.
std::string_view fractionOf(const std::string& number) {
    return std::string_view(number).substr(std::min(number.find_first_of(".e"), number.size()));
}

struct Sheet {
    std::vector<double> width;
    std::vector<double> fraction;  ///< width of the widest part behind the decimal point
    std::vector<bool> numeric;
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
                                 textWidth(table.columns[c].unit, size * 0.85));
        bool numeric = true;
        double whole = 0, fraction = 0;
        for (std::size_t r = 0; r < sheet.rows; ++r) {
            if (c >= table.rows[r].size()) continue;
            const std::string text = cellText(table.rows[r][c]);
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
                                   [](const Table::Column& c) { return !c.unit.empty(); });
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
            if (!table.columns[c].unit.empty())
                put(c, x, y + size * 2.3, table.columns[c].unit, As::Unit);
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
            put(c, x, y + size * 1.2, cellText(cell), As::Cell);
            const double* number = std::get_if<double>(&cell);
            figure.hit({{x, y, sheet.width[c], rowHeight},
                        -1,
                        {},
                        number ? *number : std::nan(""),
                        fmt::format("{}: {}{}{}", table.columns[c].name, cellText(cell),
                                    table.columns[c].unit.empty() ? "" : " ", table.columns[c].unit),
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
