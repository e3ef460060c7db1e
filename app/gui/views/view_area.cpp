#include "views/view_area.h"

#include <QHBoxLayout>
#include <QMenu>
#include <QTabBar>
#include <QTabWidget>
#include <QToolButton>

#include "forms/described.h"
#include "theme/theme.h"
#include "views/view_page.h"

namespace fovea::gui {

ViewArea::ViewArea(const Offer& offer, QWidget* parent)
    : QWidget(parent), m_kinds(viewKinds(offer)), m_tabs(new QTabWidget(this)) {
    m_tabs->setDocumentMode(true);
    m_tabs->setUsesScrollButtons(true);
    described(m_tabs, tr("Views"), tr("Views of the analysis"));
    described(m_tabs->tabBar(), tr("Views"), tr("Choose a view; Ctrl+1 to Ctrl+9 by key"));
    for (const ViewKind& kind : m_kinds) {
        auto* page = new ViewPage(kind, m_tabs);
        const int tab = m_tabs->addTab(page, kind.title);
        m_tabs->setTabToolTip(tab, kind.tip);
        m_pages[kind.id] = page;
        connect(page, &ViewPage::readOutChanged, this, &ViewArea::readOutChanged);
        connect(page, &ViewPage::tokenChosen, this, &ViewArea::tokenChosen);
        connect(page, &ViewPage::tokensChosen, this, &ViewArea::tokensChosen);
        connect(page, &ViewPage::boxChosen, this, &ViewArea::boxChosen);
        connect(page, &ViewPage::boxRemoved, this, &ViewArea::boxRemoved);
        connect(page, &ViewPage::suggestionTaken, this, &ViewArea::suggestionTaken);
        connect(page, &ViewPage::exportWanted, this, &ViewArea::exportWanted);
        connect(page, &ViewPage::copyWanted, this, &ViewArea::copyWanted);
    }
    m_tabs->setCornerWidget(buildCorner(), Qt::TopRightCorner);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(m_tabs);
    showView("overlay");
    connect(m_tabs, &QTabWidget::currentChanged, this, [this] { Q_EMIT viewChanged(currentView()); });
}

QWidget* ViewArea::buildCorner() {
    auto* corner = new QWidget(m_tabs);
    auto* row = new QHBoxLayout(corner);
    row->setContentsMargins(4, 0, 6, 0);
    row->setSpacing(2);
    m_all = new QToolButton(corner);
    m_all->setIcon(themedIcon("down"));
    m_all->setAutoRaise(true);
    m_all->setPopupMode(QToolButton::InstantPopup);
    m_all->setFocusPolicy(Qt::TabFocus);
    m_all->setObjectName("all_views");
    described(m_all, tr("All views"), tr("Lists all views: some tabs do not fit here"));
    auto* menu = new QMenu(m_all);
    m_all->setMenu(menu);
    for (const ViewKind& kind : m_kinds) {
        QAction* action = menu->addAction(kind.title, this, [this, id = kind.id] { showView(id); });
        action->setToolTip(kind.tip);
        action->setCheckable(true);
        connect(menu, &QMenu::aboutToShow, action,
                [this, action, id = kind.id] { action->setChecked(currentView() == id); });
    }
    row->addWidget(m_all);
    const auto add = [&](const QString& icon, const QString& name, const QString& tip, auto act) {
        auto* button = new QToolButton(corner);
        button->setIcon(themedIcon(icon));
        button->setAutoRaise(true);
        button->setFocusPolicy(Qt::TabFocus);
        described(button, name, tip);
        row->addWidget(button);
        connect(button, &QToolButton::clicked, this, act);
    };
    add("zoom_out", tr("Zoom out"), tr("Smaller (- in the view)"), [this] { currentPage().zoomBy(0.8); });
    add("zoom_in", tr("Zoom in"), tr("Larger (+ in the view)"), [this] { currentPage().zoomBy(1.25); });
    add("zoom_fit", tr("Fit"), tr("The whole picture (0 in the view)"), [this] { currentPage().fit(); });
    return corner;
}

void ViewArea::showMenuIfNeeded() {
    const QWidget* corner = m_tabs->cornerWidget(Qt::TopRightCorner);
    int tabs = 0;
    for (int i = 0; i < m_tabs->count(); ++i) tabs += m_tabs->tabBar()->tabRect(i).width();
    const int menu = m_all->isHidden() ? m_all->sizeHint().width() : 0;
    m_all->setVisible(tabs > width() - corner->sizeHint().width() - menu);
}

void ViewArea::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    showMenuIfNeeded();
}

void ViewArea::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    showMenuIfNeeded();
}

QString ViewArea::currentView() const {
    const int tab = m_tabs->currentIndex();
    return tab < 0 ? QString() : m_kinds[static_cast<std::size_t>(tab)].id;
}

bool ViewArea::showView(const QString& id) {
    for (std::size_t i = 0; i < m_kinds.size(); ++i)
        if (m_kinds[i].id == id) {
            m_tabs->setCurrentIndex(static_cast<int>(i));
            return true;
        }
    return false;
}

std::vector<ViewWish> ViewArea::wishes() const {
    const ViewKind& kind = m_kinds[static_cast<std::size_t>(m_tabs->currentIndex())];
    if (kind.painters.empty()) return {};
    return {{kind.id, kind.painters}};
}

QStringList ViewArea::viewIds() const {
    QStringList ids;
    for (const ViewKind& kind : m_kinds) ids << kind.id;
    return ids;
}

}  // namespace fovea::gui
