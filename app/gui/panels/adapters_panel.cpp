#include "panels/adapters_panel.h"

#include <QAction>
#include <QCheckBox>
#include <QDir>
#include <QDoubleSpinBox>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QSignalBlocker>
#include <QSlider>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "forms/described.h"
#include "theme/theme.h"

namespace fovea::gui {

namespace {

constexpr double strongest = 2;  // of the slider; the number box goes further
constexpr int stepsPerUnit = 50;

QToolButton* buttonOf(QAction* action, QWidget* parent) {
    auto* button = new QToolButton(parent);
    button->setDefaultAction(action);
    button->setAutoRaise(true);
    button->setFocusPolicy(Qt::TabFocus);
    button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    button->setAccessibleName(action->text());
    return button;
}

QString nameOf(const std::string& folder) {
    const QString path = QDir::cleanPath(QString::fromStdString(folder));
    const QString name = QFileInfo(path).fileName();
    return name.isEmpty() ? path : name;
}

}  // namespace

AdaptersPanel::AdaptersPanel(SessionController& controller, QAction* add, QAction* compare, QWidget* parent)
    : QWidget(parent), m_controller(controller), m_compare(compare), m_rows(new QVBoxLayout) {
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 0, 8, 6);
    layout->setSpacing(4);
    auto* head = new QHBoxLayout;
    auto* title = new QLabel(tr("Adapters"), this);
    title->setProperty("role", "heading");
    head->addWidget(title);
    head->addStretch(1);
    head->addWidget(buttonOf(compare, this));
    head->addWidget(buttonOf(add, this));
    layout->addLayout(head);
    m_rows->setSpacing(2);
    layout->addLayout(m_rows);
    connect(&m_controller, &SessionController::changed, this, &AdaptersPanel::showSession);
    showSession();
}

AdaptersPanel::Row AdaptersPanel::makeRow(int at, const AdapterChoice& adapter) {
    const QString name = nameOf(adapter.folder);
    Row row;
    row.whole = new QWidget(this);
    auto* column = new QVBoxLayout(row.whole);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(2);
    auto* upper = new QHBoxLayout;
    auto* lower = new QHBoxLayout;
    row.on = new QCheckBox(row.whole->fontMetrics().elidedText(name, Qt::ElideMiddle, 200), row.whole);
    row.on->setObjectName(QString("adapter%1_on").arg(at));
    described(row.on, tr("Adapter %1").arg(name), tr("Uses %1; off, the model is as without it").arg(QString::fromStdString(adapter.folder)));
    auto* remove = new QToolButton(row.whole);
    remove->setObjectName(QString("adapter%1_remove").arg(at));
    remove->setIcon(themedIcon("remove"));
    remove->setAutoRaise(true);
    remove->setFocusPolicy(Qt::TabFocus);
    described(remove, tr("Remove adapter %1").arg(name), tr("Takes the adapter out of the session"));
    row.slider = new QSlider(Qt::Horizontal, row.whole);
    row.slider->setObjectName(QString("adapter%1_slider").arg(at));
    row.slider->setRange(0, static_cast<int>(strongest * stepsPerUnit));
    row.slider->setPageStep(stepsPerUnit / 10);
    row.slider->setTickPosition(QSlider::TicksBelow);
    row.slider->setTickInterval(stepsPerUnit);
    described(row.slider, tr("Strength of %1").arg(name), tr("0: the base model, 1: as trained, 2: twice as far"));
    row.box = new QDoubleSpinBox(row.whole);
    row.box->setObjectName(QString("adapter%1_strength").arg(at));
    row.box->setRange(-kMaxAdapterStrength, kMaxAdapterStrength);
    row.box->setDecimals(2);
    row.box->setSingleStep(0.1);
    row.box->setKeyboardTracking(false);
    described(row.box, tr("Strength of %1").arg(name), tr("Also below 0 and above 2"));
    upper->addWidget(row.on, 1);
    upper->addWidget(remove);
    lower->addWidget(row.slider, 1);
    lower->addWidget(row.box);
    column->addLayout(upper);
    column->addLayout(lower);
    const QString merge = QString("adapter%1").arg(at);
    connect(row.slider, &QSlider::valueChanged, this,
            [this, at, merge](int value) { setStrength(at, value / static_cast<double>(stepsPerUnit), merge); });
    connect(row.box, &QDoubleSpinBox::valueChanged, this, [this, at, merge](double value) { setStrength(at, value, merge); });
    connect(row.on, &QCheckBox::toggled, this, [this, at](bool on) {
        const AdapterChoice& now = m_controller.session().model.adapters[static_cast<std::size_t>(at)];
        const auto last = m_lastStrength.find(now.folder);
        setStrength(at, !on ? 0 : last != m_lastStrength.end() ? last->second : 1, {});
    });
    connect(remove, &QToolButton::clicked, this, [this, at] {
        m_controller.change(tr("remove adapter"), {}, [&](Session& session) {
            session.model.adapters.erase(session.model.adapters.begin() + at);
        });
    });
    return row;
}

void AdaptersPanel::setStrength(int at, double strength, const QString& merge) {
    m_controller.change(strength == 0 ? tr("turn adapter off") : tr("change adapter strength"), merge, [&](Session& session) {
        session.model.adapters[static_cast<std::size_t>(at)].strength = strength;
    });
}

void AdaptersPanel::showSession() {
    const std::vector<AdapterChoice>& adapters = m_controller.session().model.adapters;
    m_compare->setEnabled(!adapters.empty());
    std::vector<std::string> folders;
    for (const AdapterChoice& adapter : adapters) folders.push_back(adapter.folder);
    if (folders != m_folders) {
        // The button that was clicked may be in one of them.
        for (const Row& row : m_made) row.whole->hide(), row.whole->deleteLater();
        m_made.clear();
        m_folders = folders;
        for (std::size_t i = 0; i < adapters.size(); ++i) {
            m_made.push_back(makeRow(static_cast<int>(i), adapters[i]));
            m_rows->addWidget(m_made.back().whole);
        }
    }
    for (std::size_t i = 0; i < adapters.size(); ++i) {
        const Row& row = m_made[i];
        const double strength = adapters[i].strength;
        if (strength != 0) m_lastStrength[adapters[i].folder] = strength;
        const QSignalBlocker one(row.on), two(row.slider), three(row.box);
        row.on->setChecked(strength != 0);
        row.slider->setValue(static_cast<int>(std::lround(std::clamp(strength, 0.0, strongest) * stepsPerUnit)));
        row.box->setValue(strength);
    }
}

void addAdapter(Session& session, const std::string& folder) {
    auto& adapters = session.model.adapters;
    const bool known = std::any_of(adapters.begin(), adapters.end(),
                                   [&](const AdapterChoice& adapter) { return adapter.folder == folder; });
    if (!known) adapters.push_back({folder, 1});
}

}  // namespace fovea::gui
