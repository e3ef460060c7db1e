#pragma once

#include "forms/param_editor.h"

class QLineEdit;
class QToolButton;

namespace fovea::gui {

/// Tokens, layers or heads as text ("cls", "0-5,9", "grid:2,3"), checked while typing against the open model
/// and input, with a menu of the usual selections.
class SelectionEditor : public ParamEditor {
    Q_OBJECT

public:
    SelectionEditor(const ParamSpec& spec, QWidget* parent);
    nlohmann::json value() const override;
    void setValue(const nlohmann::json& value) override;
    void setContext(const FormContext& context) override;
    /// What is wrong with the text; empty when nothing is.
    QString problem() const;

private:
    void check();
    void commit();
    void fillMenu();

    FormContext m_context;
    QLineEdit* m_line;
    QToolButton* m_menu;
};

}  // namespace fovea::gui
