#pragma once

#include <QWidget>

#include "forms/form_context.h"
#include "models/edit_list.h"
#include "window/session_controller.h"

class QBoxLayout;
class QLabel;
class QListView;
class QToolButton;

namespace fovea::gui {

class ParamForm;

/// The ordered interventions, with a form for the selected one.
class EditsPanel : public QWidget {
    Q_OBJECT

public:
    EditsPanel(SessionController& controller, const Offer& offer, QWidget* parent = nullptr);
    void setContext(const FormContext& context);
    void setCounts(const std::vector<int>& counts) { m_list.setCounts(counts); }
    QListView& view() { return *m_view; }

private:
    void buildButtons(QBoxLayout* row);
    void add(const std::string& id);
    void move(int by);
    void remove();
    void showSession();
    void showForm();
    int row() const;

    SessionController& m_controller;
    const Offer& m_offer;
    EditList m_list;
    QListView* m_view;
    QLabel* m_help;
    ParamForm* m_form;
    QToolButton *m_add, *m_remove, *m_up, *m_down;
};

}  // namespace fovea::gui
