#include "panels/edits_panel.h"

#include <QLabel>
#include <QListView>
#include <QMenu>
#include <QToolButton>
#include <QVBoxLayout>

#include "forms/described.h"
#include "forms/param_form.h"
#include "theme/theme.h"

namespace fovea::gui {

namespace {

constexpr const char* addTip =
    QT_TRANSLATE_NOOP("EditsPanel", "Adds an edit of the attention at the end of the list");

QToolButton* button(QWidget* parent, const QString& icon, const QString& name, const QString& tip) {
    auto* made = new QToolButton(parent);
    made->setIcon(themedIcon(icon));
    made->setAutoRaise(true);
    made->setFocusPolicy(Qt::TabFocus);
    return described(made, name, tip);
}

}  // namespace

EditsPanel::EditsPanel(SessionController& controller, const Offer& offer, QWidget* parent)
    : QWidget(parent),
      m_controller(controller),
      m_offer(offer),
      m_list(offer),
      m_view(new QListView(this)),
      m_help(new QLabel(this)),
      m_form(new ParamForm(this)) {
    m_view->setModel(&m_list);
    m_view->setAlternatingRowColors(true);
    m_view->setMinimumHeight(60);
    m_view->setSpacing(1);
    described(m_view, tr("Edits"), tr("Edits are applied from top to bottom; uncheck one to leave it out"));
    m_help->setWordWrap(true);
    m_help->setProperty("role", "quiet");

    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 6, 8, 8);
    layout->setSpacing(6);
    auto* buttons = new QHBoxLayout;
    buildButtons(buttons);
    layout->addLayout(buttons);
    layout->addWidget(m_view, 1);
    layout->addWidget(m_help);
    layout->addWidget(m_form);

    connect(&m_list, &EditList::enabledChosen, this, [this](int at, bool on) {
        m_controller.change(on ? tr("turn edit on") : tr("turn edit off"), {},
                            [&](Session& s) { s.edits[static_cast<std::size_t>(at)].enabled = on; });
    });
    connect(m_view->selectionModel(), &QItemSelectionModel::currentChanged, this, &EditsPanel::showForm);
    connect(m_form, &ParamForm::edited, this, [this](const QString& param) {
        const int at = row();
        if (at < 0) return;
        m_controller.change(tr("change edit"), QString("edit%1/%2").arg(at).arg(param), [&](Session& s) {
            s.edits[static_cast<std::size_t>(at)].params = m_form->values();
        });
    });
    connect(&m_controller, &SessionController::changed, this, &EditsPanel::showSession);
    showSession();
}

void EditsPanel::buildButtons(QBoxLayout* row) {
    m_add = button(this, "add", tr("Add an edit"), tr(addTip));
    m_add->setText(tr("Add"));
    m_add->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    m_add->setPopupMode(QToolButton::InstantPopup);
    auto* menu = new QMenu(m_add);
    menu->setToolTipsVisible(true);
    for (const EntryInfo& entry : m_offer.interventions) {
        QAction* action =
            menu->addAction(QString::fromStdString(entry.title), this, [this, id = entry.id] { add(id); });
        action->setToolTip(QString::fromStdString(entry.help));
    }
    m_add->setMenu(menu);
    m_remove = button(this, "remove", tr("Remove the edit"), tr("Removes the selected edit"));
    m_up = button(this, "up", tr("Move the edit up"), tr("Applies the selected edit earlier"));
    m_down = button(this, "down", tr("Move the edit down"), tr("Applies the selected edit later"));
    connect(m_remove, &QToolButton::clicked, this, &EditsPanel::remove);
    connect(m_up, &QToolButton::clicked, this, [this] { move(-1); });
    connect(m_down, &QToolButton::clicked, this, [this] { move(1); });
    row->addWidget(m_add);
    row->addStretch(1);
    row->addWidget(m_up);
    row->addWidget(m_down);
    row->addWidget(m_remove);
}

void EditsPanel::setContext(const FormContext& context) {
    m_form->setContext(context);
    const bool can = !context.spec || context.spec->capabilities.edit;
    m_add->setEnabled(can);
    m_add->setToolTip(can ? tr(addTip) : tr("This model's attention cannot be edited"));
}

int EditsPanel::row() const {
    return m_view->currentIndex().isValid() ? m_view->currentIndex().row() : -1;
}

void EditsPanel::add(const std::string& id) {
    m_controller.change(tr("add edit"), {}, [&](Session& s) {
        s.edits.push_back({id, nlohmann::json::object(), true});
    });
    m_view->setCurrentIndex(m_list.index(m_list.rowCount() - 1));
}

void EditsPanel::remove() {
    const int at = row();
    if (at < 0) return;
    m_controller.change(tr("remove edit"), {}, [&](Session& s) { s.edits.erase(s.edits.begin() + at); });
    m_view->setCurrentIndex(m_list.index(std::min(at, m_list.rowCount() - 1)));
}

void EditsPanel::move(int by) {
    const int at = row(), to = at + by;
    if (at < 0 || to < 0 || to >= m_list.rowCount()) return;
    m_controller.change(tr("reorder edits"), {}, [&](Session& s) { std::swap(s.edits[at], s.edits[to]); });
    m_view->setCurrentIndex(m_list.index(to));
}

void EditsPanel::showSession() {
    m_list.setEdits(m_controller.session().edits);
    showForm();
}

void EditsPanel::showForm() {
    const int at = row();
    const auto& edits = m_controller.session().edits;
    const bool any = at >= 0 && at < static_cast<int>(edits.size());
    const EntryInfo* entry = any ? m_offer.intervention(edits[static_cast<std::size_t>(at)].id) : nullptr;
    m_form->setEntry(entry);
    if (entry) m_form->setValues(edits[static_cast<std::size_t>(at)].params);
    m_help->setText(entry           ? QString::fromStdString(entry->help)
                    : edits.empty() ? tr("No edits: the model runs as it is.")
                                    : tr("Select an edit to change it."));
    m_remove->setEnabled(any);
    m_up->setEnabled(any && at > 0);
    m_down->setEnabled(any && at + 1 < static_cast<int>(edits.size()));
}

}  // namespace fovea::gui
