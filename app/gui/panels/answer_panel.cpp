#include "panels/answer_panel.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QScrollArea>
#include <QScrollBar>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <set>

#include "forms/described.h"
#include "models/index_text.h"
#include "models/turn_tokens.h"
#include "models/word_difference.h"
#include "panels/candidates_view.h"
#include "panels/conversation_view.h"
#include "panels/reader_bar.h"
#include "panels/token_flow.h"
#include "picture/text_metrics.h"
#include "picture/token_runs.h"
#include "theme/theme.h"

namespace fovea::gui {

namespace {

constexpr int conversationLines = 5, promptLines = 2, answerLines = 4;

QString shown(const std::string& text) {
    return QString::fromStdString(viz::printable(text));
}

/// For read-outs: broken characters by their bytes.
QString exact(const std::string& text) {
    return QString::fromStdString(viz::printable(text, viz::BrokenBytes::Names));
}

QString tipOf(const AnswerToken& token, std::size_t position) {
    QStringList lines{QObject::tr("answer token %1: \"%2\", %3")
                          .arg(position + 1)
                          .arg(exact(token.spelling), percentText(token.probability))};
    for (const auto& [spelling, probability] : token.candidates)
        if (spelling != token.spelling) lines << QString("    \"%1\"  %2").arg(exact(spelling), percentText(probability));
    if (token.index >= 0)
        lines << QObject::tr("Click: where the model looked while writing it (token %1)").arg(token.index);
    else
        lines << QObject::tr("The model did not go on from here.");
    return lines.join("\n");
}

FlowItem itemOf(const AnswerToken& token, std::size_t position) {
    FlowItem item;
    const bool blank = token.piece.find_first_not_of(" \n\t") == std::string::npos;
    item.text = blank ? shown(token.spelling) : shown(token.piece).trimmed();
    item.quiet = blank;
    item.spaced = blank || token.piece.front() == ' ' || token.piece.front() == '\n';
    item.tip = tipOf(token, position);
    item.token = token.index;
    item.level = token.probability;
    return item;
}

/// Of the tokens [begin, end).
std::vector<FlowItem> promptItems(const StageTokens& text, int begin, int end) {
    const std::vector<viz::TokenRun> runs = viz::tokenRuns(text);
    const bool several = std::any_of(runs.begin(), runs.end(), [](const viz::TokenRun& run) { return run.image > 0; });
    std::vector<FlowItem> items;
    for (const viz::TokenRun& run : runs) {
        if (run.begin < begin || run.begin >= end) continue;
        FlowItem item;
        const Token& token = text.tokens[static_cast<std::size_t>(run.begin)];
        if (run.isImage()) {
            item.text = QString::fromStdString(viz::runName(run, several));
            item.tip = QObject::tr("tokens %1 to %2: a picture").arg(run.begin).arg(run.end - 1);
        } else {
            item.text = shown(token.text);
            if (item.text.trimmed().size() > 0) item.text = item.text.trimmed();
            if (item.text.isEmpty()) item.text = QString::number(token.index);
            item.tip = QObject::tr("token %1: \"%2\"").arg(token.index).arg(exact(token.text));
            item.token = token.index;
        }
        item.quiet = run.isImage() || token.kind != TokenKind::Text;
        item.spaced = item.quiet || token.text.starts_with(" ");
        items.push_back(std::move(item));
    }
    return items;
}

std::vector<std::string> piecesOf(const std::vector<AnswerToken>& tokens) {
    std::vector<std::string> pieces;
    for (const AnswerToken& token : tokens) pieces.push_back(token.piece);
    return pieces;
}

void setHeight(QScrollArea& scroll, const TokenFlow& flow, int lines) {
    const int width = std::max(80, scroll.viewport()->width());
    scroll.setFixedHeight(std::min(flow.heightForWidth(width), lines * flow.lineHeight()) + 2);
}

}  // namespace

AnswerPanel::AnswerPanel(QWidget* parent) : QWidget(parent) {
    auto* whole = new QHBoxLayout(this);
    whole->setContentsMargins(10, 6, 10, 2);
    whole->setSpacing(14);
    auto* column = new QVBoxLayout;
    column->setSpacing(2);
    whole->addLayout(column, 1);
    m_candidates = new CandidatesView(this);
    whole->addWidget(m_candidates, 0, Qt::AlignTop);
    m_conversation = new ConversationView(this);
    column->addWidget(m_conversation);
    connect(m_conversation, &ConversationView::tokenChosen, this, &AnswerPanel::tokenChosen);
    buildRow(m_promptRow, tr("Prompt"), tr("What the model reads, token by token; a click looks from a token"));
    m_prompt = m_promptRow.flow;
    m_readerBar = new ReaderBar(this);
    connect(m_readerBar, &ReaderBar::removed, this, &AnswerPanel::boxRemoved);
    buildRow(m_rows[0], tr("Answer"), tr("What the model answers; a click shows where it looked while writing a token"));
    buildRow(m_rows[1], tr("Answer B"), tr("What B answers; a click shows where it looked while writing a token"));
    for (const Row* row : {&m_promptRow, &m_rows[0], &m_rows[1]}) {
        column->addWidget(row->whole);
        connect(row->flow, &TokenFlow::tokenChosen, this, &AnswerPanel::tokenChosen);
    }
    column->addWidget(m_readerBar);
    buildFurther();
    column->addWidget(m_furtherRow);
    column->addStretch(1);
    hide();
    showAll();
}

void AnswerPanel::setBox(const std::optional<BoxQuery>& query, bool several) {
    m_boxed = query.has_value();
    m_readerBar->setQuery(query, several);
    showReaders();
}

void AnswerPanel::setColors(const std::vector<viz::Color>& samples) {
    m_readerBar->setColors(samples);
    showReaders();
}

void AnswerPanel::setReaders(Side side, std::shared_ptr<const BoxReaders> readers) {
    of(side).readers = std::move(readers);
    showReaders();
}

QColor AnswerPanel::heatOf(Side side, int token) const {
    const auto& readers = of(side).readers;
    if (!m_boxed || !readers || readers->stage != "text" || token < 0) return {};
    const auto at = static_cast<std::size_t>(token);
    // Tokens that were not asked have 0.
    return at < readers->scores.size() && readers->scores[at] > 0 ? m_readerBar->colorOf(readers->scores[at]) : QColor();
}

void AnswerPanel::showReaders() {
    double largest = 0;
    for (const Row& row : m_rows)
        if (row.readers)
            for (const float score : row.readers->scores) largest = std::max(largest, static_cast<double>(score));
    m_readerBar->setLargest(largest);
    showPrompt();
    for (const Side side : {Side::A, Side::B}) showRow(side);
}

std::vector<FlowItem> AnswerPanel::heated(std::vector<FlowItem> items) const {
    for (FlowItem& item : items) item.heat = heatOf(Side::A, item.token);
    return items;
}

void AnswerPanel::showPrompt() {
    const std::vector<std::pair<int, int>> spans = turnTokens(m_text, m_turns);
    std::vector<std::vector<FlowItem>> turns;
    for (std::size_t i = 0; i < m_turns.size(); ++i) {
        if (i < spans.size()) {
            turns.push_back(heated(promptItems(m_text, spans[i].first, spans[i].second)));
            continue;
        }
        // A template may write a text otherwise: it is read, but not clicked, here; the prompt's tokens have it, too.
        FlowItem whole;
        whole.text = QString::fromStdString(m_turns[i].text).simplified();
        whole.tip = tr("The tokens of this turn are in the prompt below");
        turns.push_back({whole});
    }
    m_conversation->setTurns(m_turns, turns);
    m_prompt->setItems(heated(promptItems(m_text, spans.empty() ? 0 : spans.back().second, m_text.size())));
}

void AnswerPanel::buildFurther() {
    m_furtherRow = new QWidget(this);
    auto* row = new QHBoxLayout(m_furtherRow);
    row->setContentsMargins(0, 2, 0, 2);
    row->setSpacing(6);
    m_further = new QLineEdit(m_furtherRow);
    m_further->setPlaceholderText(tr("Ask further"));
    described(m_further, tr("Ask further"),
              tr("Return asks; the conversation so far stays in the prompt (Alt+F). The box above asks anew"));
    m_startAgain = new QToolButton(m_furtherRow);
    m_startAgain->setIcon(themedIcon("reset"));
    m_startAgain->setText(tr("Start again"));
    m_startAgain->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    m_startAgain->setAutoRaise(true);
    m_startAgain->setFocusPolicy(Qt::TabFocus);
    described(m_startAgain, tr("Start again"), tr("Back to the first question, without what was said since"));
    row->addWidget(m_further, 1);
    row->addWidget(m_startAgain);
    connect(m_further, &QLineEdit::returnPressed, this, [this] {
        const QString question = m_further->text().trimmed();
        if (question.isEmpty() || text(Side::A).isEmpty()) return;
        m_further->clear();
        Q_EMIT askedFurther(question);
    });
    connect(m_startAgain, &QToolButton::clicked, this, &AnswerPanel::startAgainWanted);
}

void AnswerPanel::showCandidates() {
    m_candidates->setPlace(m_rows[0].tokens, m_comparing ? &m_rows[1].tokens : nullptr, positionOf(chosen()));
}

void AnswerPanel::setTurns(const std::vector<ChatTurn>& turns) {
    if (turns == m_turns) return;
    m_turns = turns;
    showPrompt();
    showAll();
}

void AnswerPanel::buildRow(Row& row, const QString& name, const QString& tip) {
    row.whole = new QWidget(this);
    auto* line = new QHBoxLayout(row.whole);
    line->setContentsMargins(0, 0, 0, 0);
    line->setSpacing(8);
    row.name = new QLabel(name, row.whole);
    row.name->setProperty("role", "heading");
    row.name->setContentsMargins(0, TokenFlow::textTop, 0, 0);
    row.scroll = new QScrollArea(row.whole);
    row.scroll->setWidgetResizable(true);
    row.scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    row.scroll->setFocusPolicy(Qt::NoFocus);
    row.flow = new TokenFlow(row.scroll);
    described(row.flow, name, tip);
    row.scroll->setWidget(row.flow);
    row.note = new QLabel(row.whole);
    row.note->setProperty("role", "quiet");
    line->addWidget(row.name, 0, Qt::AlignTop);
    line->addWidget(row.scroll, 1);
    line->addWidget(row.note, 0, Qt::AlignTop);
}

void AnswerPanel::setPrompt(const StageTokens* text) {
    m_asked = text != nullptr && viz::readsText(*text);
    m_text = m_asked ? *text : StageTokens();
    showPrompt();
    showAll();
}

void AnswerPanel::setComparing(bool on) {
    if (on == m_comparing) return;
    m_comparing = on;
    if (!on) clear(Side::B);
    showAll();
}

void AnswerPanel::clear(Side side) {
    of(side).tokens.clear();
    of(side).readers = nullptr;
    of(side).state = State::Empty;
    showAll();
}

void AnswerPanel::push(Side side, int position, const AnswerToken& token) {
    Row& row = of(side);
    const auto at = static_cast<std::size_t>(position);
    if (at > row.tokens.size()) return;
    if (at < row.tokens.size()) {
        if (row.tokens[at].id == token.id) return;
        row.tokens.resize(at);
    }
    row.tokens.push_back(token);
    row.state = State::Coming;
    showRow(side);
    row.scroll->verticalScrollBar()->setValue(row.scroll->verticalScrollBar()->maximum());
}

void AnswerPanel::finish(Side side, std::shared_ptr<const TextAnswer> answer) {
    Row& row = of(side);
    row.tokens = answer->tokens;
    row.stop = answer->stop;
    row.state = State::Done;
    showAll();
}

void AnswerPanel::stopped() {
    for (Row& row : m_rows)
        if (row.state == State::Coming) row.state = State::Stopped;
    showAll();
}

void AnswerPanel::setChosen(int token) {
    for (TokenFlow* flow : {m_prompt, m_rows[0].flow, m_rows[1].flow}) flow->setChosen(token);
    m_conversation->setChosen(token);
    showCandidates();
}

int AnswerPanel::chosen() const {
    return m_prompt->chosen();
}

int AnswerPanel::positionOf(int token) const {
    const auto& tokens = of(Side::A).tokens;
    const auto found = std::find_if(tokens.begin(), tokens.end(),
                                    [&](const AnswerToken& t) { return t.index >= 0 && t.index == token; });
    return found == tokens.end() ? -1 : static_cast<int>(found - tokens.begin());
}

QString AnswerPanel::text(Side side) const {
    std::string text;
    for (const AnswerToken& token : of(side).tokens) text += token.piece;
    return QString::fromStdString(text).trimmed();
}

void AnswerPanel::showRow(Side side) {
    Row& row = of(side);
    std::set<int> differing;
    // Half an answer differs from a whole one by what is still to come.
    const auto whole = [](const Row& one) { return one.state == State::Done || one.state == State::Stopped; };
    if (m_comparing && whole(m_rows[0]) && whole(m_rows[1])) {
        const auto [a, b] = differingTokens(piecesOf(m_rows[0].tokens), piecesOf(m_rows[1].tokens));
        differing = side == Side::A ? a : b;
    }
    std::vector<FlowItem> items;
    for (std::size_t i = 0; i < row.tokens.size(); ++i) {
        items.push_back(itemOf(row.tokens[i], i));
        items.back().different = differing.count(static_cast<int>(i)) > 0;
        items.back().heat = heatOf(side, items.back().token);
    }
    row.flow->setItems(std::move(items));
    row.flow->setAccessibleDescription(text(side));
    row.note->setText(row.state == State::Coming                                      ? tr("answering ...")
                      : row.state == State::Stopped                                   ? tr("stopped")
                      : row.state == State::Done && row.stop == StopReason::Cancelled ? tr("stopped")
                      : row.state == State::Done && row.stop == StopReason::Length    ? tr("cut at its length")
                                                                                      : QString());
    fit();
}

void AnswerPanel::showAll() {
    m_rows[0].name->setText(m_comparing ? tr("Answer A") : tr("Answer"));
    const bool any = !m_rows[0].tokens.empty() || !m_rows[1].tokens.empty();
    m_promptRow.whole->setVisible(m_asked);
    m_startAgain->setVisible(!m_turns.empty());
    m_furtherRow->setVisible(any && m_asked);
    m_rows[1].whole->setVisible(m_comparing);
    for (const Side side : {Side::A, Side::B}) showRow(side);
    const int widest = std::max({m_promptRow.name->sizeHint().width(), m_rows[0].name->sizeHint().width(),
                                 m_comparing ? m_rows[1].name->sizeHint().width() : 0});
    for (const Row* row : {&m_promptRow, &m_rows[0], &m_rows[1]}) row->name->setMinimumWidth(widest);
    showCandidates();
    setVisible(m_asked || any);
}

void AnswerPanel::fit() {
    m_conversation->fit(conversationLines);
    setHeight(*m_promptRow.scroll, *m_prompt, promptLines);
    for (const Row& row : m_rows) setHeight(*row.scroll, *row.flow, answerLines);
}

void AnswerPanel::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    fit();
}

void AnswerPanel::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::FontChange && m_prompt) fit();
}

}  // namespace fovea::gui
