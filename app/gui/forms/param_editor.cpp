#include "forms/param_editor.h"

#include <QHBoxLayout>
#include <cmath>

#include "forms/described.h"

namespace fovea::gui {

ParamEditor::ParamEditor(ParamSpec spec, QWidget* parent) : QWidget(parent), m_spec(std::move(spec)) {
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
}

void ParamEditor::adopt(QWidget* control) {
    described(control, labelOf(m_spec.name), tooltipOf(m_spec));
    control->setObjectName("param_" + QString::fromStdString(m_spec.name));
    layout()->addWidget(control);
    if (!focusProxy()) setFocusProxy(control);
}

QString labelOf(const std::string& name) {
    QString label = QString::fromStdString(name).replace('_', ' ');
    if (!label.isEmpty()) label[0] = label[0].toUpper();
    return label;
}

QString tooltipOf(const ParamSpec& spec) {
    QString tip = QString::fromStdString(spec.help);
    QStringList facts;
    if (std::isfinite(spec.minimum) && std::isfinite(spec.maximum))
        facts << QObject::tr("%1 to %2").arg(spec.minimum).arg(spec.maximum);
    else if (std::isfinite(spec.minimum))
        facts << QObject::tr("at least %1").arg(spec.minimum);
    if (!spec.unit.empty()) facts << QString::fromStdString(spec.unit);
    if (const std::string word = wordOf(spec, spec.defaultValue); !word.empty())
        facts << QObject::tr("default %1").arg(QString::fromStdString(word));
    else if (!spec.defaultValue.is_null())
        facts << QObject::tr("default %1")
                     .arg(QString::fromStdString(spec.defaultValue.is_string()
                                                     ? spec.defaultValue.get<std::string>()
                                                     : spec.defaultValue.dump()));
    return facts.isEmpty() ? tip : tip + "\n" + facts.join(", ");
}

}  // namespace fovea::gui
