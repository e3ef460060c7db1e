#pragma once

#include <QWidget>
#include <map>
#include <set>

#include "compute/box_query.h"
#include "compute/compute_service.h"
#include "views/view_kinds.h"

class QTabWidget;
class QToolButton;

namespace fovea::gui {

class ViewPage;

/// The centre: the views as tabs. Only the tab in front asks for a picture.
class ViewArea : public QWidget {
    Q_OBJECT

public:
    ViewArea(const Offer& offer, QWidget* parent = nullptr);
    QString currentView() const;
    /// Brings a tab to the front; false when there is no such view.
    bool showView(const QString& id);
    ViewPage& page(const QString& id) { return *m_pages.at(id); }
    ViewPage& currentPage() { return page(currentView()); }
    const ViewPage& currentPage() const { return *m_pages.at(currentView()); }
    const std::map<QString, ViewPage*>& pages() const { return m_pages; }
    /// What the visible tab wants computed; empty for the input view.
    std::vector<ViewWish> wishes() const;
    QStringList viewIds() const;

Q_SIGNALS:
    void viewChanged(const QString& id);
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
    QWidget* buildCorner();
    /// A menu of all views stands beside the tabs when they do not fit.
    void showMenuIfNeeded();

    std::vector<ViewKind> m_kinds;
    QTabWidget* m_tabs;
    QToolButton* m_all = nullptr;
    std::map<QString, ViewPage*> m_pages;
};

}  // namespace fovea::gui
