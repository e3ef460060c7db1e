#pragma once

#include <QObject>
#include <QString>
#include <QUndoStack>
#include <functional>
#include <optional>

#include "session/session.h"

namespace fovea::gui {

/// The document of the window: session A, and B while comparing. Every change is an undo step that holds the
/// old and the new Session; the same kind of change in quick succession (a slider being dragged) is one step.
class SessionController : public QObject {
    Q_OBJECT

public:
    explicit SessionController(QObject* parent = nullptr);

    /// The session that the panels edit.
    const Session& session() const { return m_sessions[m_active]; }
    const Session& sessionA() const { return m_sessions[0]; }
    std::optional<Session> sessionB() const;
    int active() const { return m_active; }
    bool comparing() const { return m_comparing; }
    QUndoStack& undoStack() { return m_undo; }
    /// Where A was opened from or saved to; empty when nowhere yet.
    const QString& file() const { return m_file; }

    /// Index of the picture that the window shows.
    int pictureIndex() const;
    const PictureRequest* picture() const;
    const AnalysisRequest* analysis() const;

    /// Applies `edit` to a copy of the active session and pushes it as an undo step called `text`. Steps with
    /// the same non-empty `merge` key that follow each other within a second become one. Does nothing when
    /// nothing changes.
    void change(const QString& text, const QString& merge, const std::function<void(Session&)>& edit);
    /// Like change(), while comparing for both sessions in one step: what is chosen by clicking is about both
    /// sides. `edit` is told which session it has, 0 for A and 1 for B.
    void changeSides(const QString& text, const QString& merge, const std::function<void(Session&, int)>& edit);
    /// Changes what is shown, in both sessions, without an undo step: another view is not another document.
    void show(const std::function<void(Session&)>& edit);
    /// Replaces the document, with the session that it is compared with; forgets the undo steps. Throws Error
    /// when what it is compared with is no session.
    void open(Session session, const QString& file);
    /// The document is in this file now, as it is.
    void setFile(const QString& file);
    /// Whether something would be lost if the document were replaced now.
    bool modified() const;

    /// Starts comparing with a copy of A as B, or ends it.
    void setComparing(bool on);
    /// 0: the panels edit A; 1: B.
    void setActive(int index);

Q_SIGNALS:
    /// Either session, or which one is edited, changed.
    void changed();
    /// Another document was opened.
    void opened();
    void fileChanged();

private:
    class Step;
    void assign(int index, const Session& session);

    Session m_sessions[2];
    int m_active = 0;
    bool m_comparing = false, m_savedComparing = false;
    QUndoStack m_undo;
    QString m_file;
};

/// The request that picture `picture` draws; null where that is no analysis `id`.
AnalysisRequest* drawnAnalysis(Session& session, int picture, const std::string& id);

/// Makes analysis `id` the one that picture `picture` draws, with the parameters it had last; a session
/// without pictures gets one.
void chooseAnalysis(Session& session, int picture, const std::string& id);

/// Goes on from the prompt and what was answered to it with another question.
void askFurther(Session& session, const std::string& answer, const std::string& question);
/// Back to the first question of the conversation.
void startAgain(Session& session);

/// The session that a model opens with: one analysis, drawn over the picture; the demo of a model that answers has its
/// question, too.
Session startingSession(const std::string& model, const std::string& image);

}  // namespace fovea::gui
