#include "forms/selection_editor.h"

#include <QLineEdit>
#include <QMenu>
#include <QToolButton>

#include "forms/described.h"
#include "fovea/error.h"
#include "fovea/selection.h"
#include "models/index_text.h"
#include "theme/theme.h"

namespace fovea::gui {

namespace {

std::string textOf(const nlohmann::json& value) {
    return value.is_string() ? value.get<std::string>() : value.is_null() ? "" : value.dump();
}

}  // namespace

SelectionEditor::SelectionEditor(const ParamSpec& spec, QWidget* parent)
    : ParamEditor(spec, parent), m_line(new QLineEdit(this)), m_menu(new QToolButton(this)) {
    adopt(m_line);
    m_menu->setIcon(themedIcon("down"));
    m_menu->setAutoRaise(true);
    m_menu->setPopupMode(QToolButton::InstantPopup);
    m_menu->setMenu(new QMenu(m_menu));
    m_menu->setFocusPolicy(Qt::TabFocus);
    m_menu->setObjectName("menu_" + QString::fromStdString(spec.name));
    adopt(m_menu);
    described(m_menu, tr("Usual choices for %1").arg(labelOf(spec.name).toLower()),
              tr("Usual choices for %1").arg(labelOf(spec.name).toLower()));
    connect(m_line, &QLineEdit::textEdited, this, &SelectionEditor::check);
    connect(m_line, &QLineEdit::editingFinished, this, &SelectionEditor::commit);
    fillMenu();
}

nlohmann::json SelectionEditor::value() const {
    const std::string text = m_line->text().trimmed().toStdString();
    return text == textOf(spec().defaultValue) ? spec().defaultValue : nlohmann::json(text);
}

void SelectionEditor::setValue(const nlohmann::json& value) {
    m_line->setText(QString::fromStdString(textOf(value)));
    m_line->setModified(false);
    check();
}

void SelectionEditor::setContext(const FormContext& context) {
    m_context = context;
    fillMenu();
    check();
}

QString SelectionEditor::problem() const {
    const std::string text = m_line->text().trimmed().toStdString();
    try {
        if (spec().type == ParamType::Tokens) {
            if (const StageTokens* stage = m_context.stageTokens()) parseTokens(text, *m_context.tokens(), stage->stage);
        } else if (spec().type == ParamType::Layers) {
            if (const StageSpec* stage = m_context.stage()) parseIndices(text, stage->layers, "layer");
        } else if (m_context.heads() > 0) {
            parseIndices(text, m_context.heads(), "head");
        }
    } catch (const Error& error) {
        return QString::fromStdString(error.what());
    }
    return {};
}

void SelectionEditor::check() {
    const QString wrong = problem();
    QPalette look = palette();
    if (!wrong.isEmpty())
        look.setColor(QPalette::Text, isDark(look) ? QColor(0xff, 0x8a, 0x80) : QColor(0xb0, 0x1e, 0x1e));
    m_line->setPalette(look);
    m_line->setToolTip(wrong.isEmpty() ? tooltipOf(spec()) : wrong + "\n" + tooltipOf(spec()));
    m_line->setAccessibleDescription(wrong);
}

void SelectionEditor::commit() {
    if (!m_line->isModified() || !problem().isEmpty()) return;
    m_line->setModified(false);
    Q_EMIT edited();
}

void SelectionEditor::fillMenu() {
    QMenu* menu = m_menu->menu();
    menu->clear();
    std::vector<std::pair<QString, QString>> usual;
    if (spec().type == ParamType::Tokens) {
        const StageTokens* stage = m_context.stageTokens();
        const bool text = stage && stage->stage == "text";
        if (text)
            usual = {{tr("All answer tokens"), "answer"}, {tr("The prompt's text"), "text"}};
        else
            usual = {{tr("Class token"), "cls"}};
        if (text && looksFrom(spec())) usual.insert(usual.begin(), {tr("While writing the answer"), "writing"});
        usual.insert(usual.end(), {{tr("All image tokens"), "patches"},
                                   {tr("All prefix tokens"), "prefix"},
                                   {tr("All tokens"), "all"}});
        if (!text && stage && stage->prefixTokens() > 1) usual.emplace_back(tr("Registers"), "registers");
    } else {
        const bool layers = spec().type == ParamType::Layers;
        usual = {{layers ? tr("All layers") : tr("All heads"), "all"},
                 {layers ? tr("Last layer") : tr("Last head"), "last"}};
        if (const StageSpec* stage = m_context.stage(); layers && stage && stage->layers >= 4)
            usual.emplace_back(tr("Second half"),
                               QString("%1-%2").arg(stage->layers / 2).arg(stage->layers - 1));
    }
    for (const auto& [title, text] : usual)
        menu->addAction(QString("%1  (%2)").arg(title, text), this, [this, text = text] {
            m_line->setText(text);
            check();
            Q_EMIT edited();
        });
}

}  // namespace fovea::gui
