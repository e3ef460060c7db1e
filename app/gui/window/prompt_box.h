#pragma once

#include <QWidget>

#include "fovea/model.h"
#include "window/session_controller.h"

class QLineEdit;
class QSpinBox;

namespace fovea::gui {

/// The question to the model and the longest answer in tokens; changes of both can be undone. Return runs.
class PromptBox : public QWidget {
    Q_OBJECT

public:
    /// Length of an answer where a prompt is given and nothing else is said.
    static constexpr int usualTokens = 32;
    /// The same of the model that setSpec() named: its own max_new_tokens where it has one.
    int usualLength() const { return m_usual; }

    PromptBox(SessionController& controller, QWidget* parent = nullptr);
    void setSpec(const ModelSpec& spec);
    QLineEdit& line() { return *m_line; }
    QSpinBox& tokens() { return *m_tokens; }

Q_SIGNALS:
    void runWanted();

private:
    void showSession();
    void commit();
    void enable();

    SessionController& m_controller;
    QLineEdit* m_line;
    QSpinBox* m_tokens;
    bool m_reads = false, m_answers = false;
    int m_usual = usualTokens;
};

}  // namespace fovea::gui
