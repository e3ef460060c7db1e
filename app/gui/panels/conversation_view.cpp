#include "panels/conversation_view.h"

#include <QGridLayout>
#include <QLabel>
#include <QScrollBar>
#include <algorithm>

#include "forms/described.h"

namespace fovea::gui {

ConversationView::ConversationView(QWidget* parent) : QScrollArea(parent) {
    auto* content = new QWidget(this);
    m_grid = new QGridLayout(content);
    m_grid->setContentsMargins(0, 0, 0, 0);
    m_grid->setHorizontalSpacing(8);
    m_grid->setVerticalSpacing(2);
    m_grid->setColumnStretch(1, 1);
    setWidget(content);
    setWidgetResizable(true);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setFocusPolicy(Qt::NoFocus);
    described(this, tr("Conversation"), tr("What was said before; it stays in the prompt. A click looks from a token"));
    hide();
}

void ConversationView::setTurns(const std::vector<ChatTurn>& turns, const std::vector<std::vector<FlowItem>>& items) {
    if (turns != m_turns) {
        for (QWidget* widget : m_names) widget->deleteLater();
        for (QWidget* widget : m_flows) widget->deleteLater();
        m_names.clear();
        m_flows.clear();
        m_turns = turns;
        for (std::size_t i = 0; i < turns.size(); ++i) {
            const QString who = turns[i].role == "user" ? tr("You") : turns[i].role == "assistant" ? tr("Model") : tr("System");
            auto* name = new QLabel(who, widget());
            name->setProperty("role", "quiet");
            name->setContentsMargins(0, TokenFlow::textTop, 0, 0);
            auto* flow = new TokenFlow(widget());
            described(flow, tr("Turn %1, %2").arg(i + 1).arg(who), tr("A click looks from a token of this turn"));
            flow->setAccessibleDescription(QString::fromStdString(turns[i].text));
            connect(flow, &TokenFlow::tokenChosen, this, &ConversationView::tokenChosen);
            m_grid->addWidget(name, static_cast<int>(i), 0, Qt::AlignTop);
            m_grid->addWidget(flow, static_cast<int>(i), 1);
            m_names.push_back(name);
            m_flows.push_back(flow);
        }
    }
    for (std::size_t i = 0; i < m_flows.size(); ++i) m_flows[i]->setItems(items[i]);
    setVisible(!turns.empty());
}

void ConversationView::setChosen(int token) {
    for (TokenFlow* flow : m_flows) flow->setChosen(token);
}

void ConversationView::fit(int lines) {
    if (m_flows.empty()) return;
    int names = 0, height = 0;
    for (const QWidget* name : m_names) names = std::max(names, name->sizeHint().width());
    const int width = std::max(80, viewport()->width() - names - m_grid->horizontalSpacing());
    for (const TokenFlow* flow : m_flows) height += flow->heightForWidth(width) + m_grid->verticalSpacing();
    setFixedHeight(std::min(height, lines * m_flows.front()->lineHeight()) + 2);
    // The latest turn is what one goes on from.
    verticalScrollBar()->setValue(verticalScrollBar()->maximum());
}

}  // namespace fovea::gui
