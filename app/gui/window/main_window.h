#pragma once

#include <QApplication>
#include <QMainWindow>
#include <functional>
#include <memory>

#include "compute/compute_service.h"
#include "theme/theme.h"
#include "window/actions.h"
#include "window/app_settings.h"
#include "window/opener.h"
#include "window/presenter.h"
#include "window/session_controller.h"

class QDockWidget;
class QMenu;
class QToolBar;

namespace fovea::gui {

class AdaptersPanel;
class AnalysisPanel;
class AnswerPanel;
class DisplayPanel;
class EditsPanel;
class ErrorBanner;
class LegendView;
class ModelPanel;
class PromptBox;
class StartStrip;
class StatusStrip;
class TimelineBar;
class ViewArea;

/// The window: views in the middle, model and edits left, analysis right, timeline and status below.
class MainWindow : public QMainWindow {
    Q_OBJECT

public:
    MainWindow(std::unique_ptr<Driver> driver, const QString& settingsFile);
    ~MainWindow() override;

    SessionController& controller() { return m_controller; }
    ComputeService& service() { return m_service; }
    Presenter& presenter() { return *m_presenter; }
    Opener& opener() { return *m_opener; }
    ViewArea& views() { return *m_views; }
    const ViewArea& views() const { return *m_views; }
    ModelPanel& modelPanel() { return *m_modelPanel; }
    EditsPanel& editsPanel() { return *m_editsPanel; }
    AnalysisPanel& analysisPanel() { return *m_analysisPanel; }
    AnswerPanel& answerPanel() { return *m_answer; }
    PromptBox& promptBox() { return *m_prompt; }
    ErrorBanner& banner() { return *m_banner; }
    StartStrip& startStrip() { return *m_start; }
    StatusStrip& status() { return *m_status; }
    Actions& actions() { return m_actions; }
    /// What is to become of changes that were not saved, when the document is about to be replaced or closed.
    enum class Unsaved { Save, Discard, Cancel };
    /// Asks the user; tests answer themselves.
    std::function<Unsaved()> askUnsaved;
    /// Writes the picture in front to `file`, in the background.
    void exportTo(const QString& file);
    /// Writes what the visible view shows on a side (the difference, while comparing) to `file`, in the background.
    void exportSideTo(Side side, const QString& file);
    /// Puts what the visible view shows on a side on the clipboard as PNG, in the background.
    void copySide(Side side);

protected:
    void closeEvent(QCloseEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;

private:
    void buildCentre();
    void buildDocks();
    void buildToolBar();
    void buildMenus();
    void connectActions();
    void connectResults();
    QDockWidget* dock(const QString& name, const QString& title, QWidget* content, Qt::DockWidgetArea area);
    void fillRecent(QMenu* menu, const QString& kind, const std::function<void(const QString&)>& open);
    bool mayLeave();
    void connectAnswers();
    void connectStart();
    void stopRun();
    /// A with its adapters, B as it is without them.
    void compareAdapters();
    /// Steps of the answer, with the token that is looked from.
    void showAnswerSteps();
    void showSpec(const ModelSpec& spec);
    void showTitle();
    void setPresenting(bool on);
    void setTextSize(int percent);
    void applyTextSize();
    void setTheme(ThemeChoice choice);
    void chooseExport();
    void chooseSideExport(Side side);
    /// What the visible view shows on a side; says so and returns null when there is nothing.
    std::shared_ptr<const viz::Picture> shownOn(Side side);
    double dpi() const;
    void copyCommand();
    void resetLayout();

    AppSettings m_settings;
    SessionController m_controller;
    ComputeService m_service;
    Actions m_actions;
    Opener* m_opener;
    ViewArea* m_views = nullptr;
    Presenter* m_presenter = nullptr;
    StartStrip* m_start = nullptr;
    ErrorBanner* m_banner = nullptr;
    AnswerPanel* m_answer = nullptr;
    TimelineBar *m_timeline = nullptr, *m_fixations = nullptr, *m_answerSteps = nullptr;
    StatusStrip* m_status = nullptr;
    ModelPanel* m_modelPanel = nullptr;
    EditsPanel* m_editsPanel = nullptr;
    AnalysisPanel* m_analysisPanel = nullptr;
    DisplayPanel* m_displayPanel = nullptr;
    LegendView* m_legend = nullptr;
    PromptBox* m_prompt = nullptr;
    QAction* m_side = nullptr;
    QToolBar* m_tools = nullptr;
    double m_usualPoints = QApplication::font().pointSizeF();
    int m_textSize = 100;  ///< percent of the usual points
    QByteArray m_defaultLayout, m_layoutBeforePresenting;
};

}  // namespace fovea::gui
