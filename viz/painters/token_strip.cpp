#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "picture/grid_view.h"
#include "picture/sink_policy.h"
#include "picture/token_runs.h"

namespace fovea::viz {
namespace {

constexpr double gap = 3, padding = 5, widestCell = 220;
constexpr double smallestImageCell = 3, largestImageCell = 26;
constexpr int numberedCells = 48, maximumTextCells = 6000;

/// A run of image tokens, drawn as the grid they make or, among text, as one cell with their sum; or a single token.
struct Piece {
    int begin = 0, end = 0;
    bool grid = false;
    std::string block;  ///< what stands in the one cell; empty: none
};

std::vector<Piece> blocksOf(const StageTokens& stage, int count) {
    const std::vector<TokenRun> runs = tokenRuns(stage);
    const bool several = std::any_of(runs.begin(), runs.end(), [](const TokenRun& run) { return run.image > 0; });
    std::vector<Piece> pieces;
    for (const TokenRun& run : runs) {
        if (run.end > count) break;
        const bool block = run.isImage() && run.end - run.begin > 1;
        pieces.push_back({run.begin, run.end, false, block ? runName(run, several) : std::string()});
    }
    for (int i = pieces.empty() ? 0 : pieces.back().end; i < count; ++i) pieces.push_back({i, i + 1, false, {}});
    return pieces;
}

std::vector<Piece> piecesOf(const StageTokens* stage, int count) {
    if (stage && readsText(*stage)) return blocksOf(*stage, count);
    std::vector<Piece> pieces;
    for (int i = 0; i < count;) {
        int end = i + 1;
        if (stage && i < stage->size() && stage->tokens[i].row >= 0) {
            while (end < count && end < stage->size() && stage->tokens[end].row >= 0 &&
                   stage->tokens[end].image == stage->tokens[i].image)
                ++end;
        }
        const bool grid = end - i > 1;
        pieces.push_back({i, grid ? end : i + 1, grid, {}});
        i = pieces.back().end;
    }
    return pieces;
}

class Strip {
public:
    Strip(Figure& figure, const PaintInput& in, const TokenScores& scores, const StageTokens* stage,
          std::vector<float> values, const ValueScale& scale, const ColorMap& map, double right)
        : m_figure(figure),
          m_in(in),
          m_scores(scores),
          m_stage(stage),
          m_values(std::move(values)),
          m_scale(scale),
          m_map(map),
          m_right(right),
          m_x(figure.left()),
          m_y(figure.top()),
          m_size(figure.fontSize()),
          m_pieces(piecesOf(stage, static_cast<int>(m_values.size()))),
          m_numbers(numbered()) {}

    double draw() {
        int cells = 0, left = 0;
        for (const Piece& piece : m_pieces) {
            m_in.job.progress(static_cast<double>(piece.begin) / static_cast<double>(m_values.size()),
                              "tokens");
            if (piece.grid)
                addGrid(piece);
            else if (!piece.block.empty())
                addBlock(piece);
            else if (++cells <= maximumTextCells)
                addCell(piece.begin);
            else
                ++left;
        }
        if (m_blocks)
            m_figure.notice(m_beyond ? "A picture's cell has the sum over its tokens; beyond the colour bar's end it has no colour."
                                     : "A picture's cell has the sum over its tokens.");
        if (left > 0) m_figure.notice(fmt::format("\u2026 {} more tokens", left));
        return m_x > m_figure.left() ? m_y + cellHeight() : m_y;
    }
    bool missing() const { return m_missing; }

private:
    // Numbers in all cells, where there are few of them; the tokens of a picture are one cell, or none.
    bool numbered() const {
        const bool blocks =
            std::any_of(m_pieces.begin(), m_pieces.end(), [](const Piece& p) { return !p.block.empty(); });
        return static_cast<int>(blocks ? m_pieces.size() : m_values.size()) <= numberedCells;
    }

    double cellHeight() const { return m_size * (m_numbers ? 2.6 : 1.6); }

    bool isIn(const std::vector<int>& list, int token) const {
        return std::find(list.begin(), list.end(), token) != list.end();
    }

    Color colorOf(int token) const { return colorOfValue(m_values[token]); }

    Color colorOfValue(double shown) const {
        const double position = m_scale.position(shown);
        if (std::isnan(position)) return ink::missing;
        return m_scale.shows(position, m_in.display.threshold) ? m_map.at(position) : ink::white;
    }

    void addHit(int token, const Rect& rect) {
        const float raw = m_scores.values[token];
        HitArea hit{rect, token, m_scores.stage, raw, {}, {}};
        if (m_stage && token < m_stage->size()) hit.source = m_stage->tokens[token].rect;
        hit.label = fmt::format("{}: {} {}", tokenName(m_stage, token, BrokenBytes::Names), valueText(raw), m_in.finding.unit);
        m_figure.hit(std::move(hit));
    }

    void addOutlines(int token, const Rect& cell) {
        if (isIn(m_in.display.sinkTokens, token)) addCellOutline(m_figure, cell, ink::sink, true);
        if (isIn(m_in.selectedTokens, token)) addCellOutline(m_figure, cell, ink::selected, false);
    }

    void addCell(int token) {
        std::string text =
            m_stage && token < m_stage->size() ? printable(m_stage->tokens[token].text) : std::string();
        if (text.empty()) text = std::to_string(token);
        const Rect cell = addLabelled(text, m_values[token]);
        addOutlines(token, cell);
        addHit(token, cell);
    }

    /// All tokens of a picture as one cell.
    void addBlock(const Piece& piece) {
        double sum = 0, raw = 0;
        bool chosen = false;
        for (int i = piece.begin; i < piece.end; ++i) {
            if (!std::isnan(m_values[i])) sum += m_values[i];
            if (!std::isnan(m_scores.values[i])) raw += m_scores.values[i];
            chosen = chosen || isIn(m_in.selectedTokens, i);
        }
        // The last colour would say that it is as much as the bar's end.
        const double low = m_scale.valueAt(0), high = m_scale.valueAt(1), slack = 1e-6 * (high - low);
        const bool beyond = sum > high + slack || sum < low - slack;
        m_beyond = m_beyond || beyond;
        const std::string name = beyond && !m_numbers ? piece.block + " " + valueText(sum) : piece.block;
        const Rect cell = addLabelled(name, static_cast<float>(sum), beyond);
        if (chosen) addCellOutline(m_figure, cell, ink::selected, false);
        m_figure.hit({cell,
                      -1,
                      m_scores.stage,
                      raw,
                      fmt::format("tokens {}\u2013{}, {}: sum {} {}", piece.begin, piece.end - 1, piece.block,
                                  valueText(raw), m_in.finding.unit),
                      {}});
        m_blocks = true;
    }

    /// The next cell of the line, with a text and a value.
    Rect addLabelled(std::string text, float shown, bool plain = false) {
        const bool missing = std::isnan(shown);
        const std::string value = missing ? "\u2013" : valueText(shown);
        text = elideText(text, widestCell, m_size);
        double width = textWidth(text, m_size);
        if (m_numbers) width = std::max(width, textWidth(value, m_size * 0.75));
        width = std::max(width + 2 * padding, m_size);
        if (m_x > m_figure.left() && m_x + width > m_right) newLine(cellHeight());
        const Rect cell{m_x, m_y, width, cellHeight()};
        const Color fill = plain ? ink::white : colorOfValue(shown);
        if (missing) {
            addMissingCell(m_figure, "heat", cell);
            m_missing = true;
        }
        m_figure.add("heat", RectMark{cell, {ink::hair, 0.7, missing ? ink::none : fill, false}, 2});
        m_figure.add("labels", TextMark{{m_x + width / 2, m_y + m_size * 1.15},
                                        text,
                                        m_size,
                                        readableOn(fill),
                                        Anchor::Middle,
                                        false,
                                        false,
                                        0});
        if (m_numbers)
            m_figure.add("labels", TextMark{{m_x + width / 2, m_y + m_size * 2.2},
                                            value,
                                            m_size * 0.75,
                                            readableOn(fill),
                                            Anchor::Middle,
                                            false,
                                            false,
                                            0});
        m_x += width + gap;
        return cell;
    }

    /// The image's tokens as the grid they are, on lines of its own.
    void addGrid(const Piece& piece) {
        if (m_x > m_figure.left()) newLine(cellHeight());
        int rows = 0, columns = 0;
        for (int i = piece.begin; i < piece.end; ++i) {
            rows = std::max(rows, m_stage->tokens[i].row + 1);
            columns = std::max(columns, m_stage->tokens[i].column + 1);
        }
        const double side =
            std::clamp(std::min((m_right - m_figure.left()) / columns, 0.6 * m_figure.bodyWidth() / rows),
                       smallestImageCell, largestImageCell);
        m_y += m_size * 1.2;
        m_figure.text(
            "labels", {m_figure.left(), m_y - 3},
            fmt::format("image tokens {}\u2013{}, {} x {}", piece.begin, piece.end - 1, rows, columns),
            Anchor::Start, m_size * 0.85, ink::faint);
        for (int i = piece.begin; i < piece.end; ++i) {
            const Token& token = m_stage->tokens[i];
            const Rect cell{m_figure.left() + token.column * side, m_y + token.row * side, side, side};
            const bool missing = std::isnan(m_values[i]);
            m_missing = m_missing || missing;
            if (missing) addMissingCell(m_figure, "heat", cell);
            m_figure.add("heat", RectMark{cell,
                                          {side >= 6 ? ink::hair : ink::none, 0.5,
                                           missing ? ink::none : colorOf(i), false},
                                          0});
            addHit(i, cell);
        }
        for (int i = piece.begin; i < piece.end; ++i)
            addOutlines(i, {m_figure.left() + m_stage->tokens[i].column * side,
                            m_y + m_stage->tokens[i].row * side, side, side});
        m_y += rows * side + gap * 2;
    }

    void newLine(double height) {
        m_x = m_figure.left();
        m_y += height + gap;
    }

    Figure& m_figure;
    const PaintInput& m_in;
    const TokenScores& m_scores;
    const StageTokens* m_stage;
    std::vector<float> m_values;
    const ValueScale& m_scale;
    const ColorMap& m_map;
    double m_right, m_x, m_y, m_size;
    std::vector<Piece> m_pieces;
    bool m_numbers, m_missing = false, m_blocks = false, m_beyond = false;
};

Picture paintTokenStrip(const PaintInput& in, const nlohmann::json&) {
    in.job.progress(0, "tokens");
    const TokenScores& scores = std::get<TokenScores>(in.finding.data);
    const StageTokens* stage = findStage(in.tokens, scores.stage);
    std::vector<float> values = scores.values;
    const bool isSigned = std::any_of(values.begin(), values.end(), [](float v) { return v < 0; });
    applySinkPolicy(values, in.display.sinkTokens, in.display.sinks, isSigned);
    const ColorMap& map = colorMapFor(in.display, isSigned);
    const ValueScale scale(in.display.scale, values, isSigned);
    Figure figure(in, fmt::format("{} tokens of {}", scores.values.size(), scores.stage));
    if (values.empty()) {
        figure.notice("There are no tokens to draw.");
        return figure.finish(figure.top());
    }
    const ColorBar bar{map, scale, in.finding.unit, in.display.threshold};
    const double right = figure.right() - colorBarWidth(figure, bar);
    Strip strip(figure, in, scores, stage, std::move(values), scale, map, right);
    double bottom = strip.draw();
    bottom = std::max(bottom,
                      addColorBar(figure, bar, right, figure.top(), std::min(bottom - figure.top(), 320.0)));
    if (strip.missing()) legendMissing(figure);
    legendSelections(figure, in, stage, Outlined::EveryToken);
    if (in.display.threshold > 0)
        figure.notice(fmt::format("Not coloured: values {} ({:.0f} % of the scale).",
                                  scale.hiddenText(in.display.threshold), 100 * in.display.threshold));
    in.job.progress(1, "tokens");
    return figure.finish(bottom);
}

}  // namespace

void add_token_strip(PainterCatalog& catalog) {
    PainterEntry entry;
    entry.info = {
        "token_strip",
        "Tokens",
        "Every token of a sequence in reading order, coloured by its score; image tokens as their grid",
        {}};
    entry.kinds = {"TokenScores"};
    entry.priority = 20;
    entry.paint = paintTokenStrip;
    catalog.add(std::move(entry));
}

}  // namespace fovea::viz
