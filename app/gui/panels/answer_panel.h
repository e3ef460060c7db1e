#pragma once

#include <QWidget>
#include <array>
#include <memory>

#include "compute/compute_service.h"
#include "panels/token_flow.h"

class QLabel;
class QLineEdit;
class QScrollArea;
class QToolButton;

namespace fovea::gui {

class CandidatesView;
class ConversationView;
class ReaderBar;
class TokenFlow;

/// Prompt and answer below the views, token by token: an answer streams in while it is made, a click makes a token the
/// query. While comparing, both answers with the words that differ. Hidden while nothing was said.
class AnswerPanel : public QWidget {
    Q_OBJECT

public:
    explicit AnswerPanel(QWidget* parent = nullptr);
    /// The text stage of what the model reads; null hides the prompt.
    void setPrompt(const StageTokens* text);
    /// The conversation that the prompt goes on from.
    void setTurns(const std::vector<ChatTurn>& turns);
    void setComparing(bool on);
    /// What is shown of a side belongs to another question.
    void clear(Side side);
    /// A token as it comes; what stood at its place, and behind it where they differ, goes.
    void push(Side side, int position, const AnswerToken& token);
    void finish(Side side, std::shared_ptr<const TextAnswer> answer);
    /// The run was stopped: answers that were coming stay as they are.
    void stopped();
    /// The box whose readers the words' colours show; nothing: none. `several` pictures are told apart.
    void setBox(const std::optional<BoxQuery>& query, bool several);
    void setColors(const std::vector<viz::Color>& samples);
    void setReaders(Side side, std::shared_ptr<const BoxReaders> readers);
    /// The token of the text stage that is looked from; -1: none.
    void setChosen(int token);
    int chosen() const;
    /// Position of a token of the text stage in the answer of A, -1 when it is none.
    int positionOf(int token) const;
    const std::vector<AnswerToken>& answer(Side side) const { return of(side).tokens; }
    /// The answer as text.
    QString text(Side side) const;
    TokenFlow& flow(Side side) const { return *of(side).flow; }
    TokenFlow& prompt() const { return *m_prompt; }
    CandidatesView& candidates() const { return *m_candidates; }
    ConversationView& conversation() const { return *m_conversation; }
    QLineEdit& further() const { return *m_further; }
    QToolButton& startAgain() const { return *m_startAgain; }
    ReaderBar& readerBar() const { return *m_readerBar; }

Q_SIGNALS:
    void tokenChosen(int token);
    void boxRemoved();
    /// A question that goes on from the prompt and its answer.
    void askedFurther(const QString& question);
    void startAgainWanted();

protected:
    void resizeEvent(QResizeEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    enum class State { Empty, Coming, Done, Stopped };
    struct Row {
        QWidget* whole = nullptr;
        QLabel *name = nullptr, *note = nullptr;
        QScrollArea* scroll = nullptr;
        TokenFlow* flow = nullptr;
        std::vector<AnswerToken> tokens;
        State state = State::Empty;
        StopReason stop = StopReason::Length;
        std::shared_ptr<const BoxReaders> readers;
    };
    Row& of(Side side) { return m_rows[static_cast<std::size_t>(side)]; }
    const Row& of(Side side) const { return m_rows[static_cast<std::size_t>(side)]; }
    void buildRow(Row& row, const QString& name, const QString& tip);
    void showRow(Side side);
    void showPrompt();
    void showReaders();
    void buildFurther();
    void showCandidates();
    std::vector<FlowItem> heated(std::vector<FlowItem> items) const;
    /// The colour of a token's mass on the box; invalid without a box, and where the token was not asked.
    QColor heatOf(Side side, int token) const;
    void showAll();
    void fit();

    Row m_promptRow;
    TokenFlow* m_prompt = nullptr;
    std::array<Row, 2> m_rows;
    StageTokens m_text;  ///< of the prompt
    std::vector<ChatTurn> m_turns;
    ConversationView* m_conversation = nullptr;
    CandidatesView* m_candidates = nullptr;
    QWidget* m_furtherRow = nullptr;
    QLineEdit* m_further = nullptr;
    QToolButton* m_startAgain = nullptr;
    ReaderBar* m_readerBar = nullptr;
    bool m_comparing = false, m_asked = false, m_boxed = false;
};

}  // namespace fovea::gui
