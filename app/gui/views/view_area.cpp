#include "views/view_area.h"

#include <QMenu>
#include <QSplitter>
#include <QTabBar>
#include <QTabWidget>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "forms/described.h"
#include "theme/theme.h"
#include "views/beside_pane.h"
#include "views/picture_view.h"
#include "views/view_page.h"

namespace fovea::gui {

ViewArea::ViewArea(const Offer& offer, QWidget* parent)
    : QWidget(parent),
      m_kinds(viewKinds(offer)),
      m_halves(new QSplitter(Qt::Horizontal, this)),
      m_tabs(new QTabWidget(m_halves)),
      m_beside(new BesidePane(m_halves)) {
    m_tabs->setDocumentMode(true);
    m_tabs->setUsesScrollButtons(true);
    described(m_tabs, tr("Views"), tr("Views of the analysis"));
    described(m_tabs->tabBar(), tr("Views"), tr("Choose a view; Ctrl+1 to Ctrl+9 by key"));
    for (const ViewKind& kind : m_kinds) {
        auto* page = new ViewPage(kind, m_tabs);
        m_pages[kind.id] = page;
        putTab(page);
        connectPage(page);
    }
    m_tabs->setCornerWidget(buildCorner(), Qt::TopRightCorner);
    m_halves->setChildrenCollapsible(false);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(m_halves);
    showView("overlay");
    connect(m_tabs, &QTabWidget::currentChanged, this, [this] { Q_EMIT viewChanged(currentView()); });
    connect(m_beside, &BesidePane::frontWanted, this, [this] { showView(besideView()); });
    connect(m_beside, &BesidePane::closeWanted, this, [this] { showBeside({}); });
}

void ViewArea::connectPage(ViewPage* page) {
    connect(page, &ViewPage::readOutChanged, this, &ViewArea::readOutChanged);
    connect(page, &ViewPage::tokenChosen, this, &ViewArea::tokenChosen);
    connect(page, &ViewPage::tokensChosen, this, &ViewArea::tokensChosen);
    connect(page, &ViewPage::boxChosen, this, &ViewArea::boxChosen);
    connect(page, &ViewPage::boxRemoved, this, &ViewArea::boxRemoved);
    connect(page, &ViewPage::suggestionTaken, this, &ViewArea::suggestionTaken);
    connect(page, &ViewPage::exportWanted, this, &ViewArea::exportWanted);
    connect(page, &ViewPage::copyWanted, this, &ViewArea::copyWanted);
    connect(page, &ViewPage::tokenHovered, this, [this, page](const std::string& stage, int token) {
        for (const auto& [id, other] : m_pages)
            if (other != page && isShown(id)) other->linkToken(stage, token);
    });
}

QMenu* ViewArea::buildViewMenu(QToolButton* button, const std::function<QString()>& shown,
                               const std::function<void(const QString&)>& choose) {
    auto* menu = new QMenu(button);
    menu->setToolTipsVisible(true);
    for (const ViewKind& kind : m_kinds) {
        QAction* action = menu->addAction(kind.title, this, [choose, id = kind.id] { choose(id); });
        action->setToolTip(kind.tip);
        action->setCheckable(true);
        connect(menu, &QMenu::aboutToShow, action,
                [action, shown, id = kind.id] { action->setChecked(shown() == id); });
    }
    button->setMenu(menu);
    button->setPopupMode(QToolButton::InstantPopup);
    return menu;
}

QWidget* ViewArea::buildCorner() {
    auto* corner = new QWidget(m_tabs);
    auto* row = new QHBoxLayout(corner);
    row->setContentsMargins(4, 0, 6, 0);
    row->setSpacing(2);
    const auto add = [&](const QString& icon, const QString& name, const QString& tip) {
        auto* button = new QToolButton(corner);
        button->setIcon(themedIcon(icon));
        button->setAutoRaise(true);
        button->setFocusPolicy(Qt::TabFocus);
        row->addWidget(described(button, name, tip));
        return button;
    };
    m_all = add("down", tr("All views"), tr("Lists all views: some tabs do not fit here"));
    m_all->setObjectName("all_views");
    buildViewMenu(m_all, [this] { return currentView(); }, [this](const QString& id) { showView(id); });
    m_split = add("split", tr("View beside"), tr("Shows a second view beside this one"));
    m_split->setObjectName("view_beside");
    buildViewMenu(m_split, [this] { return besideView(); },
                  [this](const QString& id) { showBeside(id == besideView() ? QString() : id); });
    const auto zoom = [&](const QString& icon, const QString& name, const QString& tip, auto act) {
        connect(add(icon, name, tip), &QToolButton::clicked, this, act);
    };
    zoom("zoom_out", tr("Zoom out"), tr("Smaller (- in the view)"), [this] { currentPage().zoomBy(0.8); });
    zoom("zoom_in", tr("Zoom in"), tr("Larger (+ in the view)"), [this] { currentPage().zoomBy(1.25); });
    zoom("zoom_fit", tr("Fit"), tr("The whole picture (0 in the view)"), [this] { currentPage().fit(); });
    return corner;
}

void ViewArea::showMenuIfNeeded() {
    const QWidget* corner = m_tabs->cornerWidget(Qt::TopRightCorner);
    int tabs = 0;
    for (int i = 0; i < m_tabs->count(); ++i) tabs += m_tabs->tabBar()->tabRect(i).width();
    const int menu = m_all->isHidden() ? m_all->sizeHint().width() : 0;
    m_all->setVisible(tabs > m_tabs->width() - corner->sizeHint().width() - menu);
}

void ViewArea::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    showMenuIfNeeded();
}

void ViewArea::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    showMenuIfNeeded();
}

void ViewArea::takeTab(ViewPage* page) {
    m_tabs->removeTab(m_tabs->indexOf(page));
}

void ViewArea::putTab(ViewPage* page) {
    int at = 0;
    for (const ViewKind& kind : m_kinds) {
        if (kind.id == page->kind().id) break;
        if (const auto before = m_pages.find(kind.id); before != m_pages.end() && m_tabs->indexOf(before->second) >= 0)
            ++at;
    }
    m_tabs->insertTab(at, page, page->kind().title);
    m_tabs->setTabToolTip(at, page->kind().tip);
}

QString ViewArea::currentView() const {
    const auto* page = qobject_cast<const ViewPage*>(m_tabs->currentWidget());
    return page ? page->kind().id : QString();
}

QString ViewArea::besideView() const {
    return m_beside->page() ? m_beside->page()->kind().id : QString();
}

bool ViewArea::showBeside(const QString& id) {
    if (!id.isEmpty() && !m_pages.count(id)) return false;
    if (id == besideView()) return true;
    const QString front = currentView();
    ViewPage* const before = m_beside->page();
    ViewPage* const after = id.isEmpty() ? nullptr : &page(id);
    {
        // The tabs pass through states that nobody is to compute.
        const QSignalBlocker quiet(m_tabs);
        m_beside->setPage(nullptr);
        if (before) putTab(before);
        if (after) {
            takeTab(after);
            m_beside->setPage(after);
        }
        if (front != id)
            m_tabs->setCurrentWidget(&page(front));
        else if (before)
            m_tabs->setCurrentWidget(before);
    }
    if (!before && after) m_halves->setSizes({width() / 2, width() / 2});
    showMenuIfNeeded();
    Q_EMIT besideChanged(id);
    if (currentView() != front) Q_EMIT viewChanged(currentView());
    return true;
}

bool ViewArea::showView(const QString& id) {
    if (!m_pages.count(id)) return false;
    if (id != besideView()) {
        m_tabs->setCurrentWidget(&page(id));
        return true;
    }
    const QString front = currentView();
    {
        const QSignalBlocker quiet(m_tabs);
        m_beside->setPage(nullptr);
        putTab(&page(id));
        takeTab(&page(front));
        m_beside->setPage(&page(front));
        m_tabs->setCurrentWidget(&page(id));
    }
    Q_EMIT besideChanged(front);
    Q_EMIT viewChanged(id);
    return true;
}

QStringList ViewArea::viewIds() const {
    QStringList ids;
    for (const ViewKind& kind : m_kinds) ids << kind.id;
    return ids;
}

}  // namespace fovea::gui
