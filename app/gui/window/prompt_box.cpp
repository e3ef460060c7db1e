#include "window/prompt_box.h"

#include <QHBoxLayout>
#include <QLineEdit>
#include <QSignalBlocker>
#include <QSpinBox>
#include <algorithm>

#include "forms/described.h"

namespace fovea::gui {

namespace {

constexpr int mostTokens = 4096;

}  // namespace

PromptBox::PromptBox(SessionController& controller, QWidget* parent)
    : QWidget(parent), m_controller(controller), m_line(new QLineEdit(this)), m_tokens(new QSpinBox(this)) {
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(4);
    row->addWidget(m_line, 1);
    row->addWidget(m_tokens);
    m_line->setMinimumWidth(120);
    setMaximumWidth(440);
    m_line->setPlaceholderText(tr("Prompt"));
    m_line->setEnabled(false);
    described(m_line, tr("Prompt"), tr("What the model is asked; open a model that takes text (Alt+P)"));
    m_tokens->setRange(0, mostTokens);
    m_tokens->setPrefix(tr("Tokens "));
    m_tokens->setSpecialValueText(tr("No answer"));
    m_tokens->setKeyboardTracking(false);
    m_tokens->hide();
    described(m_tokens, tr("Tokens"), tr("The longest answer in tokens; 0: none, only the prompt is run"));
    connect(m_line, &QLineEdit::returnPressed, this, [this] {
        commit();
        Q_EMIT runWanted();
    });
    connect(m_line, &QLineEdit::editingFinished, this, &PromptBox::commit);
    connect(m_tokens, &QSpinBox::valueChanged, this, [this](int count) {
        m_controller.change(tr("change answer length"), "tokens of answer",
                            [count](Session& session) { session.input.maxNewTokens = count; });
    });
    connect(&m_controller, &SessionController::changed, this, &PromptBox::showSession);
}

void PromptBox::setSpec(const ModelSpec& spec) {
    m_answers = spec.capabilities.generate;
    const int own = spec.generation.maxNewTokens;
    m_usual = own > 0 ? std::min(own, mostTokens) : usualTokens;
    m_reads = m_answers || std::find(spec.inputs.begin(), spec.inputs.end(), "input_ids") != spec.inputs.end();
    m_line->setPlaceholderText(m_answers ? tr("Ask something") : m_reads ? tr("Prompt") : tr("This model takes no text"));
    m_line->setToolTip(m_reads ? tr("What the model is asked; Return runs it (Alt+P)")
                               : tr("No prompt: %1 reads pictures only").arg(QString::fromStdString(spec.architecture)));
    m_tokens->setVisible(m_answers);
    enable();
}

void PromptBox::enable() {
    // A prompt that came from another model can be taken out.
    m_line->setEnabled(m_reads || !m_controller.session().input.prompt.empty());
}

void PromptBox::showSession() {
    const SessionInput& input = m_controller.session().input;
    const QString prompt = QString::fromStdString(input.prompt);
    // What is being typed is not taken away; an undo is shown.
    if (!m_line->isModified() && m_line->text() != prompt) m_line->setText(prompt);
    const QSignalBlocker quiet(m_tokens);
    m_tokens->setValue(input.maxNewTokens);
    enable();
}

void PromptBox::commit() {
    m_line->setModified(false);
    const std::string prompt = m_line->text().toStdString();
    if (prompt == m_controller.session().input.prompt) return;
    m_controller.change(tr("change prompt"), "prompt", [&](Session& session) {
        session.input.prompt = prompt;
        // Beside a picture an empty prompt is one: a caption, for instance.
        const bool sees = !session.input.images.empty() || !session.input.video.empty();
        if (prompt.empty())
            session.input.maxNewTokens = m_answers && sees ? session.input.maxNewTokens : 0;
        else if (m_answers && session.input.maxNewTokens == 0)
            session.input.maxNewTokens = m_usual;
    });
}

}  // namespace fovea::gui
