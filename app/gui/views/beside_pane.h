#pragma once

#include <QWidget>

class QLabel;
class QVBoxLayout;

namespace fovea::gui {

class ViewPage;

/// The place beside the tabs: one view under a line with its name and buttons.
class BesidePane : public QWidget {
    Q_OBJECT

public:
    explicit BesidePane(QWidget* parent = nullptr);
    /// The view that stands here; null: none, and the pane is hidden.
    ViewPage* page() const { return m_page; }
    /// Shows a page, or with null nothing; the caller finds a new place for the one that was here.
    void setPage(ViewPage* page);

Q_SIGNALS:
    /// The view is to go to the front, in exchange for the one there.
    void frontWanted();
    void closeWanted();

private:
    QVBoxLayout* m_column;
    QLabel* m_title;
    ViewPage* m_page = nullptr;
};

}  // namespace fovea::gui
