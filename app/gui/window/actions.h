#pragma once

#include <QAction>
#include <vector>

class QMainWindow;
class QMenu;

namespace fovea::gui {

/// Every command of the window with its icon, key and tooltip; menus and tool bar are made of these.
struct Actions {
    explicit Actions(QMainWindow* window);

    QAction *openModel, *openModelFile, *openCached, *openImage, *pasteImage, *openSession, *saveSession,
        *saveSessionAs, *quit;
    QAction *run, *stop, *live, *undo, *redo;
    QAction *compare, *addAdapter, *compareAdapters, *present;
    QAction *exportPicture, *copyPicture, *exportDifference, *copyDifference, *copyCommand;
    QAction *focusPrompt, *focusTree, *focusViews, *focusAnalysis, *focusEdits;
    QAction *themeSystem, *themeLight, *themeDark, *resetLayout, *about;
    QAction *largerText, *smallerText, *usualText;

private:
    QAction* make(const QString& icon, const QString& text, const QString& tip, const QKeySequence& key = {});
    QMainWindow* m_window;
};

}  // namespace fovea::gui
