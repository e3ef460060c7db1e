#pragma once

#include <QWidget>
#include <nlohmann/json.hpp>

#include "forms/form_context.h"
#include "fovea/param.h"

namespace fovea::gui {

/// One value of a form: a control made from a parameter's declaration.
class ParamEditor : public QWidget {
    Q_OBJECT

public:
    ParamEditor(ParamSpec spec, QWidget* parent);
    const ParamSpec& spec() const { return m_spec; }
    virtual nlohmann::json value() const = 0;
    /// Shows a value without announcing it.
    virtual void setValue(const nlohmann::json& value) = 0;
    virtual void setContext(const FormContext&) {}

Q_SIGNALS:
    /// The user chose another value, and it is valid.
    void edited();

protected:
    /// Adds the control that fills the editor and takes focus; gives it name and tooltip.
    void adopt(QWidget* control);

private:
    ParamSpec m_spec;
};

/// The editor that suits the declaration's type and range.
ParamEditor* makeParamEditor(const ParamSpec& spec, QWidget* parent);

/// "start_layer" -> "Start layer".
QString labelOf(const std::string& name);

/// The declaration's help with its range, choices and default, for tooltips.
QString tooltipOf(const ParamSpec& spec);

}  // namespace fovea::gui
