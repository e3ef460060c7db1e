#include "window/session_controller.h"

#include <QElapsedTimer>
#include <QUndoCommand>
#include <algorithm>

namespace fovea::gui {

namespace {

constexpr int mergeableId = 1;
constexpr qint64 mergeWithinMs = 1000;
constexpr const char* demoVlm = "demo:vlm";

}  // namespace

class SessionController::Step : public QUndoCommand {
public:
    /// `other`: what becomes of the session that is not edited, nothing where it stays.
    Step(SessionController& controller, Session after, std::optional<Session> other, const QString& text, QString merge)
        : QUndoCommand(text),
          m_controller(controller),
          m_index(controller.m_active),
          m_before(controller.session()),
          m_after(std::move(after)),
          m_otherAfter(std::move(other)),
          m_merge(std::move(merge)) {
        if (m_otherAfter) m_otherBefore = controller.m_sessions[1 - m_index];
        m_age.start();
    }
    void undo() override { assign(m_before, m_otherBefore); }
    void redo() override { assign(m_after, m_otherAfter); }
    int id() const override { return m_merge.isEmpty() ? -1 : mergeableId; }
    bool mergeWith(const QUndoCommand* other) override {
        const auto* next = static_cast<const Step*>(other);
        if (next->m_merge != m_merge || next->m_index != m_index || m_age.elapsed() > mergeWithinMs)
            return false;
        if (next->m_otherAfter.has_value() != m_otherAfter.has_value()) return false;
        m_after = next->m_after;
        m_otherAfter = next->m_otherAfter;
        m_age.restart();
        setObsolete(m_after == m_before && m_otherAfter == m_otherBefore);
        return true;
    }

private:
    void assign(const Session& own, const std::optional<Session>& other) {
        if (other) m_controller.m_sessions[1 - m_index] = *other;
        m_controller.assign(m_index, own);
    }

    SessionController& m_controller;
    int m_index;
    Session m_before, m_after;
    std::optional<Session> m_otherBefore, m_otherAfter;
    QString m_merge;
    QElapsedTimer m_age;
};

SessionController::SessionController(QObject* parent) : QObject(parent) {}

std::optional<Session> SessionController::sessionB() const {
    return m_comparing ? std::optional<Session>(m_sessions[1]) : std::nullopt;
}

int SessionController::pictureIndex() const {
    const Session& now = session();
    const auto found = now.views.find("picture");
    const int index = found != now.views.end() && found->is_number_integer() ? found->get<int>() : 0;
    return std::clamp(index, 0, std::max(0, static_cast<int>(now.pictures.size()) - 1));
}

const PictureRequest* SessionController::picture() const {
    const Session& now = session();
    return now.pictures.empty() ? nullptr : &now.pictures[static_cast<std::size_t>(pictureIndex())];
}

const AnalysisRequest* SessionController::analysis() const {
    const PictureRequest* shown = picture();
    const auto& list = session().analyses;
    if (!shown || shown->analysis < 0 || shown->analysis >= static_cast<int>(list.size())) return nullptr;
    return &list[static_cast<std::size_t>(shown->analysis)];
}

void SessionController::change(const QString& text, const QString& merge,
                               const std::function<void(Session&)>& edit) {
    Session after = session();
    edit(after);
    if (after == session()) return;
    m_undo.push(new Step(*this, std::move(after), {}, text, merge));
}

void SessionController::changeSides(const QString& text, const QString& merge,
                                    const std::function<void(Session&, int)>& edit) {
    if (!m_comparing) {
        change(text, merge, [&](Session& session) { edit(session, m_active); });
        return;
    }
    const int other = 1 - m_active;
    Session after = session(), otherAfter = m_sessions[other];
    edit(after, m_active);
    edit(otherAfter, other);
    if (after == session() && otherAfter == m_sessions[other]) return;
    m_undo.push(new Step(*this, std::move(after), std::move(otherAfter), text, merge));
}

void SessionController::show(const std::function<void(Session&)>& edit) {
    bool any = false;
    for (int i = 0; i <= (m_comparing ? 1 : 0); ++i) {
        Session after = m_sessions[i];
        edit(after);
        if (after == m_sessions[i]) continue;
        m_sessions[i] = std::move(after);
        any = true;
    }
    if (any) Q_EMIT changed();
}

void SessionController::open(Session session, const QString& file) {
    const std::optional<Session> other = comparedWith(session);
    session.notices.clear();
    session.views.erase("compare");
    m_comparing = other.has_value();
    m_active = m_comparing ? 1 : 0;
    m_undo.clear();
    m_sessions[0] = std::move(session);
    m_sessions[1] = other.value_or(Session());
    setFile(file);
    Q_EMIT opened();
    Q_EMIT changed();
}

void SessionController::setFile(const QString& file) {
    m_file = file;
    m_savedComparing = m_comparing;
    m_undo.setClean();
    Q_EMIT fileChanged();
}

bool SessionController::modified() const {
    if (!m_undo.isClean()) return true;
    // A copy that nothing was changed in is no loss.
    return m_savedComparing != m_comparing && (m_savedComparing || m_sessions[0] != m_sessions[1]);
}

void SessionController::setComparing(bool on) {
    if (on == m_comparing) return;
    m_comparing = on;
    if (on) m_sessions[1] = m_sessions[0];
    m_active = on ? 1 : 0;
    Q_EMIT changed();
}

void SessionController::setActive(int index) {
    if (index == m_active || (index == 1 && !m_comparing)) return;
    m_active = index;
    Q_EMIT changed();
}

void SessionController::assign(int index, const Session& session) {
    m_sessions[index] = session;
    // An undo of a step in B may come after comparing ended: bring the comparison back so that the step
    // shows.
    if (index == 1) m_comparing = true;
    m_active = index;
    Q_EMIT changed();
}

AnalysisRequest* drawnAnalysis(Session& session, int picture, const std::string& id) {
    if (picture < 0 || picture >= static_cast<int>(session.pictures.size())) return nullptr;
    const int at = session.pictures[static_cast<std::size_t>(picture)].analysis;
    if (at < 0 || at >= static_cast<int>(session.analyses.size())) return nullptr;
    AnalysisRequest& request = session.analyses[static_cast<std::size_t>(at)];
    return request.id == id ? &request : nullptr;
}

void chooseAnalysis(Session& session, int picture, const std::string& id) {
    if (session.pictures.empty()) session.pictures.emplace_back();
    PictureRequest& drawn = session.pictures[static_cast<std::size_t>(picture)];
    const auto found = std::find_if(session.analyses.begin(), session.analyses.end(),
                                    [&](const AnalysisRequest& request) { return request.id == id; });
    drawn.analysis = static_cast<int>(found - session.analyses.begin());
    if (found == session.analyses.end()) session.analyses.push_back({id, nlohmann::json::object()});
    drawn.finding.clear();
    drawn.painter.clear();
}

void askFurther(Session& session, const std::string& answer, const std::string& question) {
    session.input.turns.push_back({"user", session.input.prompt});
    session.input.turns.push_back({"assistant", answer});
    session.input.prompt = question;
}

void startAgain(Session& session) {
    auto& turns = session.input.turns;
    const auto first = std::find_if(turns.begin(), turns.end(), [](const ChatTurn& turn) { return turn.role == "user"; });
    if (first == turns.end()) return;
    session.input.prompt = first->text;
    turns.erase(first, turns.end());
}

Session startingSession(const std::string& model, const std::string& image) {
    Session session;
    session.model.reference = model;
    if (!image.empty()) session.input.images = {image};
    session.analyses.push_back({"attention_from", nlohmann::json::object()});
    PictureRequest picture;
    picture.analysis = 0;
    session.pictures.push_back(picture);
    session.views["picture"] = 0;
    if (model == demoVlm) {
        session.input.prompt = "Name all objects.";
        session.input.maxNewTokens = 64;
        // The layer that looks at what it names (the model's card).
        session.analyses.front().params["layers"] = "4";
    }
    return session;
}

}  // namespace fovea::gui
