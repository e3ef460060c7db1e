#pragma once

#include <QScrollArea>
#include <vector>

#include "panels/token_flow.h"
#include "session/session.h"

class QGridLayout;

namespace fovea::gui {

/// The earlier turns of a conversation, one below the other; their tokens can be clicked. Hidden without any.
class ConversationView : public QScrollArea {
    Q_OBJECT

public:
    explicit ConversationView(QWidget* parent = nullptr);
    /// The turns with the items of each, as many.
    void setTurns(const std::vector<ChatTurn>& turns, const std::vector<std::vector<FlowItem>>& items);
    void setChosen(int token);
    const std::vector<TokenFlow*>& flows() const { return m_flows; }
    /// Height that shows at most `lines` lines.
    void fit(int lines);

Q_SIGNALS:
    void tokenChosen(int token);

private:
    QGridLayout* m_grid;
    std::vector<ChatTurn> m_turns;
    std::vector<QWidget*> m_names;
    std::vector<TokenFlow*> m_flows;
};

}  // namespace fovea::gui
