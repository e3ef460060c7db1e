#pragma once

#include <QWidget>
#include <functional>
#include <map>
#include <set>

#include "compute/box_query.h"
#include "compute/compute_service.h"
#include "views/view_kinds.h"

class QMenu;
class QSplitter;
class QTabWidget;
class QToolButton;

namespace fovea::gui {

class BesidePane;
class ViewPage;

/// The centre: the views as tabs, and one beside them if wished. Only these two ask for pictures.
class ViewArea : public QWidget {
    Q_OBJECT

public:
    ViewArea(const Offer& offer, QWidget* parent = nullptr);
    QString currentView() const;
    /// The view beside the tabs; empty: none.
    QString besideView() const;
    /// Puts a view beside the tabs, or with an empty id none; false when there is no such view.
    bool showBeside(const QString& id);
    /// Brings a view to the front, in exchange for the one that was there where it stands beside; false when there is
    /// no such view.
    bool showView(const QString& id);
    ViewPage& page(const QString& id) { return *m_pages.at(id); }
    ViewPage& currentPage() { return page(currentView()); }
    const ViewPage& currentPage() const { return *m_pages.at(currentView()); }
    const std::map<QString, ViewPage*>& pages() const { return m_pages; }
    bool isShown(const QString& id) const { return id == currentView() || id == besideView(); }
    QStringList viewIds() const;

Q_SIGNALS:
    void viewChanged(const QString& id);
    void besideChanged(const QString& id);
    void readOutChanged(const QString& text);
    void tokenChosen(const QString& stage, int token);
    void tokensChosen(const QString& stage, const std::set<int>& tokens);
    void boxChosen(const fovea::gui::BoxQuery& query);
    void boxRemoved();
    void suggestionTaken(const QString& analysis);
    void exportWanted(fovea::gui::Side side);
    void copyWanted(fovea::gui::Side side);

protected:
    void resizeEvent(QResizeEvent* event) override;
    void showEvent(QShowEvent* event) override;

private:
    void connectPage(ViewPage* page);
    QWidget* buildCorner();
    QMenu* buildViewMenu(QToolButton* button, const std::function<QString()>& shown,
                         const std::function<void(const QString&)>& choose);
    /// Takes a page out of the tabs, or puts it back to its place among them.
    void takeTab(ViewPage* page);
    void putTab(ViewPage* page);
    /// A menu of all views stands beside the tabs when they do not fit.
    void showMenuIfNeeded();

    std::vector<ViewKind> m_kinds;
    QSplitter* m_halves;
    QTabWidget* m_tabs;
    BesidePane* m_beside;
    QToolButton* m_all = nullptr;
    QToolButton* m_split = nullptr;
    std::map<QString, ViewPage*> m_pages;
};

}  // namespace fovea::gui
