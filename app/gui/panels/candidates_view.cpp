#include "panels/candidates_view.h"

#include <QPainter>
#include <algorithm>

#include "forms/described.h"
#include "models/index_text.h"
#include "picture/text_metrics.h"
#include "theme/theme.h"

namespace fovea::gui {

namespace {

constexpr std::size_t mostLines = 6;
constexpr int gap = 8;

void addSide(std::vector<CandidatesView::Line>& lines, const AnswerToken& token, std::size_t side) {
    const auto add = [&](const std::string& spelling, double probability, bool chosen) {
        const QString text = QString::fromStdString(viz::printable(spelling));
        auto line = std::find_if(lines.begin(), lines.end(), [&](const auto& known) { return known.text == text; });
        if (line == lines.end()) {
            lines.emplace_back().text = text;
            line = lines.end() - 1;
        }
        line->probability[side] = probability;
        line->chosen[side] = line->chosen[side] || chosen;
    };
    add(token.spelling, token.probability, true);
    for (const auto& [spelling, probability] : token.candidates) add(spelling, probability, spelling == token.spelling);
}

/// Below which all tokens are that a side does not list.
double limitOf(const AnswerToken& token) {
    double least = 1;
    for (const auto& [spelling, probability] : token.candidates) least = std::min(least, probability);
    return least;
}

bool sameBeginning(const std::vector<AnswerToken>& a, const std::vector<AnswerToken>& b, int length) {
    for (int i = 0; i < length; ++i)
        if (a[static_cast<std::size_t>(i)].id != b[static_cast<std::size_t>(i)].id) return false;
    return true;
}

}  // namespace

QString CandidatesView::Line::likelihood(int side) const {
    const auto at = static_cast<std::size_t>(side);
    return probability[at] >= 0 ? percentText(probability[at]) : belowText(limit[at]);
}

QString CandidatesView::Line::change() const {
    return changeText(Likelihood{probability[0], limit[0]}, Likelihood{probability[1], limit[1]});
}

CandidatesView::CandidatesView(QWidget* parent) : QWidget(parent) {
    setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Preferred);
    described(this, tr("Next token"), tr("The likeliest tokens at this place of the answer, before sampling. The analysis "
                                         "\"Next token\" lists all places, and what edits change while the words stay the same"));
    hide();
}

void CandidatesView::setPlace(const std::vector<AnswerToken>& a, const std::vector<AnswerToken>* b, int position) {
    const auto at = static_cast<std::size_t>(position);
    const bool known = position >= 0 && at < a.size();
    setVisible(known);
    if (!known) return;
    m_lines.clear();
    m_note.clear();
    m_both = b && at < b->size();
    addSide(m_lines, a[at], 0);
    if (m_both) addSide(m_lines, (*b)[at], 1);
    for (Line& line : m_lines) line.limit = {limitOf(a[at]), m_both ? limitOf((*b)[at]) : 1};
    if (m_both && !sameBeginning(a, *b, position)) m_note = tr("B has read other words before");
    if (b && !m_both) m_note = tr("B has no token here");
    std::stable_sort(m_lines.begin(), m_lines.end(), [](const Line& x, const Line& y) {
        return std::max(x.probability[0], x.probability[1]) > std::max(y.probability[0], y.probability[1]);
    });
    if (m_lines.size() > mostLines) m_lines.resize(mostLines);
    m_title = tr("Next token at place %1").arg(position + 1);
    QStringList words{m_title};
    for (const Line& line : m_lines) {
        QString text = line.text;
        for (int side = 0; side < (m_both ? 2 : 1); ++side) text += " " + line.likelihood(side);
        words << text;
    }
    setAccessibleDescription(words.join(", "));
    updateGeometry();
    update();
}

int CandidatesView::columnWidth() const {
    return fontMetrics().horizontalAdvance("100.0 %") + fontMetrics().horizontalAdvance('m') * 4;
}

QSize CandidatesView::sizeHint() const {
    const QFontMetrics metrics = fontMetrics();
    const int lines = static_cast<int>(m_lines.size()) + 1 + (m_both ? 1 : 0) + (m_note.isEmpty() ? 0 : 1);
    int text = metrics.horizontalAdvance('m') * 6;
    for (const Line& line : m_lines) text = std::max(text, metrics.horizontalAdvance(line.text));
    text = std::min(text, metrics.horizontalAdvance('m') * 11);
    const int columns = m_both ? 2 * columnWidth() + metrics.horizontalAdvance("> +100.0 %") + gap : columnWidth();
    const int width = std::max({text + gap + columns, metrics.horizontalAdvance(m_title), metrics.horizontalAdvance(m_note)});
    return {width + 2, lines * (metrics.height() + 1)};
}

void CandidatesView::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    const QFontMetrics metrics = fontMetrics();
    const int height = metrics.height() + 1, column = columnWidth();
    const int change = m_both ? metrics.horizontalAdvance("> +100.0 %") + gap : 0;
    const int names = width() - (m_both ? 2 : 1) * column - change - gap;
    const QColor quiet = secondaryText(palette()), ink = palette().color(QPalette::WindowText);
    QFont bold = font();
    bold.setBold(true);
    painter.setFont(bold);
    painter.setPen(ink);
    painter.drawText(QRect(0, 0, width(), height), Qt::AlignLeft | Qt::AlignVCenter, m_title);
    painter.setFont(font());
    int y = height;
    const auto columnAt = [&](int side) { return names + gap + side * column; };
    if (m_both) {
        painter.setPen(quiet);
        for (int side = 0; side < 2; ++side)
            painter.drawText(QRect(columnAt(side), y, column, height), Qt::AlignRight | Qt::AlignVCenter, side == 0 ? "A" : "B");
        painter.drawText(QRect(width() - change, y, change, height), Qt::AlignRight | Qt::AlignVCenter, "B - A");
        y += height;
    }
    for (const Line& line : m_lines) {
        painter.setPen(line.chosen[0] || line.chosen[1] ? ink : quiet);
        painter.drawText(QRect(0, y, names, height), Qt::AlignLeft | Qt::AlignVCenter,
                         metrics.elidedText(line.text.trimmed(), Qt::ElideRight, names));
        for (int side = 0; side < (m_both ? 2 : 1); ++side) {
            const double p = line.probability[static_cast<std::size_t>(side)];
            QColor bar = palette().color(QPalette::Highlight);
            bar.setAlpha(line.chosen[static_cast<std::size_t>(side)] ? 150 : 70);
            const double room = column - 6;
            if (p >= 0) painter.fillRect(QRectF(columnAt(side) + 6 + room * (1 - p), y + 1, room * p, height - 3), bar);
            painter.setPen(p >= 0 ? ink : quiet);
            painter.drawText(QRect(columnAt(side), y, column - 3, height), Qt::AlignRight | Qt::AlignVCenter, line.likelihood(side));
        }
        if (m_both) {
            painter.setPen(quiet);
            painter.drawText(QRect(width() - change, y, change, height), Qt::AlignRight | Qt::AlignVCenter, line.change());
        }
        y += height;
    }
    painter.setPen(quiet);
    if (!m_note.isEmpty()) painter.drawText(QRect(0, y, width(), height), Qt::AlignLeft | Qt::AlignVCenter, m_note);
}

}  // namespace fovea::gui
