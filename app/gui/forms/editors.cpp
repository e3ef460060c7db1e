// The editors of plain values: check box, numbers, choice, text.
#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QLineEdit>
#include <QSignalBlocker>
#include <QSpinBox>
#include <algorithm>
#include <cmath>

#include "forms/described.h"
#include "forms/param_editor.h"
#include "forms/selection_editor.h"

namespace fovea::gui {

namespace {

class BoolEditor : public ParamEditor {
public:
    BoolEditor(const ParamSpec& spec, QWidget* parent)
        : ParamEditor(spec, parent), m_box(new QCheckBox(this)) {
        adopt(m_box);
        connect(m_box, &QCheckBox::toggled, this, &ParamEditor::edited);
    }
    nlohmann::json value() const override { return m_box->isChecked(); }
    void setValue(const nlohmann::json& value) override {
        const QSignalBlocker quiet(m_box);
        m_box->setChecked(value.is_boolean() && value.get<bool>());
    }

private:
    QCheckBox* m_box;
};

class IntegerEditor : public ParamEditor {
public:
    IntegerEditor(const ParamSpec& spec, QWidget* parent)
        : ParamEditor(spec, parent), m_box(new QSpinBox(this)) {
        m_box->setRange(static_cast<int>(std::max(-1e9, spec.minimum)),
                        static_cast<int>(std::min(1e9, spec.maximum)));
        m_box->setKeyboardTracking(false);
        if (!spec.unit.empty()) m_box->setSuffix(" " + QString::fromStdString(spec.unit));
        if (!spec.choices.empty()) m_box->setSpecialValueText(labelOf(spec.choices.front()));
        m_box->setMinimumWidth(72);
        adopt(m_box);
        connect(m_box, &QSpinBox::valueChanged, this, &ParamEditor::edited);
    }
    nlohmann::json value() const override { return m_box->value(); }
    void setValue(const nlohmann::json& value) override {
        const QSignalBlocker quiet(m_box);
        if (value.is_number()) m_box->setValue(value.get<int>());
    }

private:
    QSpinBox* m_box;
};

class NumberEditor : public ParamEditor {
public:
    NumberEditor(const ParamSpec& spec, QWidget* parent)
        : ParamEditor(spec, parent), m_box(new QDoubleSpinBox(this)) {
        const double low = std::max(-1e9, spec.minimum), high = std::min(1e9, spec.maximum);
        const double span = high - low;
        m_box->setRange(low, high);
        m_box->setDecimals(span <= 1 ? 3 : span <= 100 ? 2 : 1);
        m_box->setSingleStep(span <= 1 ? 0.05 : span <= 10 ? 0.1 : 1);
        m_box->setKeyboardTracking(false);
        if (!spec.unit.empty()) m_box->setSuffix(" " + QString::fromStdString(spec.unit));
        if (!spec.choices.empty()) m_box->setSpecialValueText(labelOf(spec.choices.front()));
        m_box->setMinimumWidth(72);
        adopt(m_box);
        connect(m_box, &QDoubleSpinBox::valueChanged, this, &ParamEditor::edited);
    }
    nlohmann::json value() const override { return m_box->value(); }
    void setValue(const nlohmann::json& value) override {
        const QSignalBlocker quiet(m_box);
        if (!value.is_number()) return;
        const double number = value.get<double>();
        // A value from a file may be finer than the box's usual steps; show it as it is.
        while (m_box->decimals() < 9 && std::abs(number * std::pow(10, m_box->decimals()) -
                                                 std::round(number * std::pow(10, m_box->decimals()))) > 1e-6)
            m_box->setDecimals(m_box->decimals() + 1);
        m_box->setValue(number);
    }

private:
    QDoubleSpinBox* m_box;
};

class ChoiceEditor : public ParamEditor {
public:
    ChoiceEditor(const ParamSpec& spec, QWidget* parent)
        : ParamEditor(spec, parent), m_box(new QComboBox(this)) {
        for (const std::string& choice : spec.choices)
            m_box->addItem(labelOf(choice), QString::fromStdString(choice));
        adopt(m_box);
        connect(m_box, &QComboBox::currentIndexChanged, this, &ParamEditor::edited);
    }
    nlohmann::json value() const override { return m_box->currentData().toString().toStdString(); }
    void setValue(const nlohmann::json& value) override {
        const QSignalBlocker quiet(m_box);
        if (value.is_string())
            m_box->setCurrentIndex(m_box->findData(QString::fromStdString(value.get<std::string>())));
    }

private:
    QComboBox* m_box;
};

class TextEditor : public ParamEditor {
public:
    TextEditor(const ParamSpec& spec, QWidget* parent)
        : ParamEditor(spec, parent), m_line(new QLineEdit(this)) {
        adopt(m_line);
        if (spec.defaultValue == "") m_line->setPlaceholderText(tr("as usual"));
        connect(m_line, &QLineEdit::editingFinished, this, [this] {
            if (m_line->isModified()) Q_EMIT edited();
            m_line->setModified(false);
        });
    }
    nlohmann::json value() const override { return m_line->text().toStdString(); }
    void setValue(const nlohmann::json& value) override {
        const std::string text = value.is_string() ? value.get<std::string>()
                                 : value.is_null() ? ""
                                                   : value.dump();
        m_line->setText(QString::fromStdString(text));
    }
    void setContext(const FormContext& context) override {
        if (spec().defaultValue != "") return;
        const StageSpec* stage = context.usualStage();
        if (spec().name == "stage" && stage)
            m_line->setPlaceholderText(tr("%1 (usual)").arg(QString::fromStdString(stage->id)));
        if (spec().name == "site") m_line->setPlaceholderText(tr("by stage and layers (usual)"));
    }

private:
    QLineEdit* m_line;
};

/// A class by name or index; the declared -1 or "top" is the predicted one.
class ClassEditor : public ParamEditor {
public:
    ClassEditor(const ParamSpec& spec, QWidget* parent)
        : ParamEditor(spec, parent), m_box(new QComboBox(this)) {
        m_box->setEditable(true);
        m_box->setInsertPolicy(QComboBox::NoInsert);
        m_box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
        m_box->setMinimumContentsLength(10);
        m_box->addItem(tr("Predicted class"), -1);
        adopt(m_box);
        described(m_box->lineEdit(), labelOf(spec.name), tooltipOf(spec));
        connect(m_box, &QComboBox::activated, this, &ParamEditor::edited);
        connect(m_box->lineEdit(), &QLineEdit::editingFinished, this, [this] {
            if (m_box->lineEdit()->isModified()) Q_EMIT edited();
            m_box->lineEdit()->setModified(false);
        });
    }
    nlohmann::json value() const override {
        const int known = m_box->findText(m_box->currentText());
        if (known == 0) return spec().defaultValue;
        if (known > 0) return m_box->itemData(known).toInt();
        bool number = false;
        const int index = m_box->currentText().toInt(&number);
        return number ? nlohmann::json(index) : nlohmann::json(m_box->currentText().toStdString());
    }
    void setValue(const nlohmann::json& value) override {
        const QSignalBlocker quiet(m_box);
        m_value = value;
        int row = -1;
        if (value == spec().defaultValue || value.is_null())
            row = 0;
        else if (value.is_number())
            row = m_box->findData(value.get<int>());
        else if (value.is_string())
            row = m_box->findText(QString::fromStdString(value.get<std::string>()));
        if (row >= 0)
            m_box->setCurrentIndex(row);
        else
            m_box->setEditText(
                QString::fromStdString(value.is_string() ? value.get<std::string>() : value.dump()));
    }
    void setContext(const FormContext& context) override {
        const QSignalBlocker quiet(m_box);
        while (m_box->count() > 1) m_box->removeItem(1);
        if (context.spec)
            for (std::size_t i = 0; i < context.spec->labels.size(); ++i)
                m_box->addItem(QString::fromStdString(context.spec->labels[i]), static_cast<int>(i));
        setValue(m_value);
    }

private:
    QComboBox* m_box;
    nlohmann::json m_value;
};

}  // namespace

ParamEditor* makeParamEditor(const ParamSpec& spec, QWidget* parent) {
    switch (spec.type) {
        case ParamType::Bool:
            return new BoolEditor(spec, parent);
        case ParamType::Integer:
            return new IntegerEditor(spec, parent);
        case ParamType::Number:
            return new NumberEditor(spec, parent);
        case ParamType::Choice:
            return new ChoiceEditor(spec, parent);
        case ParamType::Class:
            return new ClassEditor(spec, parent);
        case ParamType::Tokens:
        case ParamType::Layers:
        case ParamType::Heads:
            return new SelectionEditor(spec, parent);
        case ParamType::Text:
            break;
    }
    return new TextEditor(spec, parent);
}

}  // namespace fovea::gui
