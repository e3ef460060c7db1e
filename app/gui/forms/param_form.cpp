#include "forms/param_form.h"

#include <QFormLayout>
#include <QLabel>

#include "forms/param_editor.h"

namespace fovea::gui {

ParamForm::ParamForm(QWidget* parent) : QWidget(parent), m_layout(new QFormLayout(this)) {
    m_layout->setContentsMargins(0, 0, 0, 0);
    m_layout->setHorizontalSpacing(10);
    m_layout->setVerticalSpacing(6);
    m_layout->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    m_layout->setLabelAlignment(Qt::AlignLeft | Qt::AlignVCenter);
}

void ParamForm::setEntry(const EntryInfo* entry) {
    if (entry && entry->id == m_entry.id && entry->params.size() == m_editors.size()) return;
    while (m_layout->rowCount() > 0) m_layout->removeRow(0);
    m_editors.clear();
    m_entry = entry ? *entry : EntryInfo();
    for (const ParamSpec& spec : m_entry.params) {
        ParamEditor* editor = makeParamEditor(spec, this);
        editor->setContext(m_context);
        auto* label = new QLabel(labelOf(spec.name), this);
        label->setToolTip(tooltipOf(spec));
        label->setBuddy(editor->focusProxy());
        m_layout->addRow(label, editor);
        m_editors.push_back(editor);
        connect(editor, &ParamEditor::edited, this,
                [this, name = QString::fromStdString(spec.name)] { Q_EMIT edited(name); });
    }
    setValues(nlohmann::json::object());
}

void ParamForm::setValues(const nlohmann::json& given) {
    for (ParamEditor* editor : m_editors) {
        const auto found = given.is_object() ? given.find(editor->spec().name) : given.end();
        const nlohmann::json& value = found != given.end() ? *found : editor->spec().defaultValue;
        if (editor->value() != value) editor->setValue(value);
    }
}

void ParamForm::setContext(const FormContext& context) {
    m_context = context;
    for (ParamEditor* editor : m_editors) editor->setContext(context);
}

nlohmann::json ParamForm::value(const std::string& name) const {
    for (const ParamEditor* editor : m_editors)
        if (editor->spec().name == name) return editor->value();
    return nullptr;
}

nlohmann::json ParamForm::standard(const std::string& name) const {
    for (const ParamEditor* editor : m_editors)
        if (editor->spec().name == name) return editor->spec().defaultValue;
    return nullptr;
}

nlohmann::json ParamForm::values() const {
    nlohmann::json values = nlohmann::json::object();
    for (const ParamEditor* editor : m_editors) {
        const nlohmann::json value = editor->value();
        if (value != editor->spec().defaultValue) values[editor->spec().name] = value;
    }
    return values;
}

}  // namespace fovea::gui
