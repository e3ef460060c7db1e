#pragma once

#include <QWidget>
#include <nlohmann/json.hpp>
#include <vector>

#include "forms/form_context.h"
#include "fovea/param.h"

class QFormLayout;

namespace fovea::gui {

class ParamEditor;

/// A form generated from the declarations of a catalogue entry.
class ParamForm : public QWidget {
    Q_OBJECT

public:
    explicit ParamForm(QWidget* parent = nullptr);

    /// Shows the entry's parameters; the same declarations keep their controls, and with them the focus.
    void setEntry(const EntryInfo* entry);
    /// Shows values: the defaults, overridden by the object `given`.
    void setValues(const nlohmann::json& given);
    void setContext(const FormContext& context);
    /// What the form says for a parameter, and its default; null for a name that is none.
    nlohmann::json value(const std::string& name) const;
    nlohmann::json standard(const std::string& name) const;
    /// Only what differs from the defaults.
    nlohmann::json values() const;

Q_SIGNALS:
    void edited(const QString& param);

private:
    EntryInfo m_entry;
    FormContext m_context;
    QFormLayout* m_layout;
    std::vector<ParamEditor*> m_editors;
};

}  // namespace fovea::gui
