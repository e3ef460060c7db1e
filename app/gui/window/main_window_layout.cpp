// What the window is built of and where it stands.
#include <QDockWidget>
#include <QEvent>
#include <QFileInfo>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QMenu>
#include <QMenuBar>
#include <QMessageBox>
#include <QScrollArea>
#include <QScrollBar>
#include <QToolBar>
#include <QToolButton>
#include <QTreeView>
#include <QVBoxLayout>
#include <algorithm>

#include "forms/described.h"
#include "panels/adapters_panel.h"
#include "panels/analysis_panel.h"
#include "panels/answer_panel.h"
#include "panels/display_panel.h"
#include "panels/edits_panel.h"
#include "panels/error_banner.h"
#include "panels/legend_view.h"
#include "panels/model_panel.h"
#include "panels/start_strip.h"
#include "panels/status_strip.h"
#include "panels/timeline_bar.h"
#include "views/picture_view.h"
#include "views/view_area.h"
#include "views/view_page.h"
#include "window/main_window.h"
#include "window/prompt_box.h"

namespace fovea::gui {

namespace {

QLabel* heading(const QString& text, QWidget* parent) {
    auto* label = new QLabel(text, parent);
    label->setProperty("role", "heading");
    label->setContentsMargins(8, 8, 8, 0);
    return label;
}

/// Scrolls up and down only: as wide as its content and the scroll bar need, whatever the size of type.
class PanelScroll : public QScrollArea {
public:
    QSize minimumSizeHint() const override {
        const int bar = verticalScrollBar()->sizeHint().width();
        const int content = widget() ? widget()->minimumSizeHint().width() : 0;
        return {content + bar + 2 * frameWidth(), QScrollArea::minimumSizeHint().height()};
    }

protected:
    bool eventFilter(QObject* object, QEvent* event) override {
        if (object == widget() && event->type() == QEvent::LayoutRequest) updateGeometry();
        return QScrollArea::eventFilter(object, event);
    }
};

}  // namespace

void MainWindow::buildCentre() {
    auto* centre = new QWidget(this);
    auto* column = new QVBoxLayout(centre);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    m_start = new StartStrip(centre);
    m_banner = new ErrorBanner(centre);
    m_views = new ViewArea(m_service.offer(), centre);
    m_answer = new AnswerPanel(centre);
    m_timeline = new TimelineBar(tr("Picture"), centre);
    m_fixations = new TimelineBar(tr("Fixation"), centre);
    m_answerSteps = new TimelineBar(tr("Answer token"), centre);
    column->addWidget(m_start);
    column->addWidget(m_banner);
    column->addWidget(m_views, 1);
    column->addWidget(m_answer);
    column->addWidget(m_answerSteps);
    column->addWidget(m_timeline);
    column->addWidget(m_fixations);
    setCentralWidget(centre);
    m_status = new StatusStrip(this);
    setStatusBar(m_status);
    m_presenter = new Presenter(m_controller, m_service, *m_views, this);
}

QDockWidget* MainWindow::dock(const QString& name, const QString& title, QWidget* content,
                              Qt::DockWidgetArea area) {
    auto* dock = new QDockWidget(title, this);
    dock->setObjectName(name);
    dock->setWidget(content);
    dock->setAccessibleName(title);
    addDockWidget(area, dock);
    return dock;
}

void MainWindow::buildDocks() {
    m_modelPanel = new ModelPanel(m_controller, m_service.offer());
    m_editsPanel = new EditsPanel(m_controller, m_service.offer());
    m_analysisPanel = new AnalysisPanel(m_controller, m_service.offer());
    m_displayPanel = new DisplayPanel(m_controller, m_service.offer());
    m_legend = new LegendView;

    const auto asDrawn = [this](const AnalysisRequest& request) {
        nlohmann::json params = request.params;
        if (const EntryInfo* entry = m_service.offer().analysis(request.id))
            applyViewParams(m_views->currentPage().kind(), *entry, params);
        return params;
    };
    m_modelPanel->asDrawn = asDrawn;
    m_analysisPanel->asDrawn = asDrawn;
    connect(m_views, &ViewArea::viewChanged, m_modelPanel, &ModelPanel::refresh);
    connect(m_views, &ViewArea::viewChanged, m_analysisPanel, &AnalysisPanel::refresh);

    auto* right = new QWidget;
    auto* column = new QVBoxLayout(right);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(6);
    column->addWidget(m_analysisPanel);
    column->addWidget(heading(tr("Display"), right));
    column->addWidget(m_displayPanel);
    column->addStretch(1);
    auto* scroll = new PanelScroll;
    scroll->setWidgetResizable(true);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll->setFocusPolicy(Qt::NoFocus);
    scroll->setWidget(right);
    auto* analysis = new QWidget;
    auto* whole = new QVBoxLayout(analysis);
    whole->setContentsMargins(0, 0, 0, 0);
    whole->setSpacing(0);
    whole->addWidget(scroll, 1);
    whole->addWidget(m_legend);

    auto* changes = new QWidget;
    auto* below = new QVBoxLayout(changes);
    below->setContentsMargins(0, 0, 0, 0);
    below->setSpacing(0);
    below->addWidget(m_editsPanel, 1);
    below->addWidget(new AdaptersPanel(m_controller, m_actions.addAdapter, m_actions.compareAdapters, changes));

    QDockWidget* model = dock("dock_model", tr("Model"), m_modelPanel, Qt::LeftDockWidgetArea);
    QDockWidget* edits = dock("dock_edits", tr("Edits"), changes, Qt::LeftDockWidgetArea);
    QDockWidget* side = dock("dock_analysis", tr("Analysis"), analysis, Qt::RightDockWidgetArea);
    resizeDocks({model, side}, {290, 300}, Qt::Horizontal);
    resizeDocks({model, edits}, {500, 260}, Qt::Vertical);
}

void MainWindow::buildToolBar() {
    m_tools = addToolBar(tr("Tools"));
    m_tools->setObjectName("tools");
    m_tools->setMovable(false);
    m_tools->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    const int icon = std::max(18, fontMetrics().height());
    m_tools->setIconSize(QSize(icon, icon));

    const auto withMenu = [this](QAction* action, const QString& text, QMenu* menu) {
        auto* button = new QToolButton(m_tools);
        button->setDefaultAction(action);
        button->setText(text);
        button->setMenu(menu);
        button->setPopupMode(QToolButton::MenuButtonPopup);
        button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
        button->setFocusPolicy(Qt::TabFocus);
        m_tools->addWidget(button);
    };
    auto* models = new QMenu(this);
    models->addActions({m_actions.openModel, m_actions.openModelFile, m_actions.openCached});
    models->addAction(m_actions.addAdapter);
    models->addAction(tr("Demo: vision transformer"), m_opener, [this] { m_opener->openDemo("demo:vit"); });
    models->addAction(tr("Demo: vision-language model"), m_opener, [this] { m_opener->openDemo("demo:vlm"); });
    fillRecent(models->addMenu(tr("Recent models")), "model",
               [this](const QString& m) { m_opener->openModel(m); });
    m_actions.openModel->setIconText(tr("Model"));
    withMenu(m_actions.openModel, tr("Model"), models);
    auto* images = new QMenu(this);
    images->addActions({m_actions.openImage, m_actions.pasteImage});
    images->addAction(tr("No picture"), m_opener, [this] { m_opener->openImages({}); });
    fillRecent(images->addMenu(tr("Recent pictures")), "image",
               [this](const QString& f) { m_opener->openImages({f}); });
    m_actions.openImage->setIconText(tr("Picture"));
    withMenu(m_actions.openImage, tr("Picture"), images);

    m_prompt = new PromptBox(m_controller, m_tools);
    connect(m_prompt, &PromptBox::runWanted, m_actions.run, &QAction::trigger);
    m_tools->addWidget(m_prompt);
    m_tools->addActions({m_actions.run, m_actions.stop});
    m_tools->addSeparator();
    for (QAction* action : {m_actions.undo, m_actions.redo}) m_tools->addAction(action);
    m_tools->addSeparator();
    m_tools->addAction(m_actions.compare);
    m_actions.compare->setIconText(tr("A | B"));
    m_side = new QAction(tr("Editing B"), this);
    m_side->setCheckable(true);
    m_side->setChecked(true);
    m_side->setToolTip(tr("Which of the two sessions the panels change"));
    connect(m_side, &QAction::toggled, this, [this](bool b) { m_controller.setActive(b ? 1 : 0); });
    m_tools->addAction(m_side);
    m_tools->addAction(m_actions.present);
    m_tools->addSeparator();
    m_actions.exportPicture->setIconText(tr("Export"));
    m_actions.copyCommand->setIconText(tr("Command"));
    m_tools->addActions({m_actions.exportPicture, m_actions.copyCommand});
    for (QAction* action : m_tools->actions())
        if (auto* button = qobject_cast<QToolButton*>(m_tools->widgetForAction(action))) {
            button->setFocusPolicy(Qt::TabFocus);
            button->setAccessibleName(action->iconText().isEmpty() ? button->text() : action->iconText());
        }
    for (QAction* action : {m_actions.undo, m_actions.redo})
        static_cast<QToolButton*>(m_tools->widgetForAction(action))
            ->setToolButtonStyle(Qt::ToolButtonIconOnly);
}

void MainWindow::fillRecent(QMenu* menu, const QString& kind,
                            const std::function<void(const QString&)>& open) {
    connect(menu, &QMenu::aboutToShow, this, [this, menu, kind, open] {
        menu->clear();
        for (const QString& entry : m_settings.recent(kind))
            menu->addAction(entry, this, [open, entry] { open(entry); });
        if (menu->isEmpty()) menu->addAction(tr("Nothing yet"))->setEnabled(false);
    });
}

void MainWindow::buildMenus() {
    QMenu* file = menuBar()->addMenu(tr("&File"));
    file->addActions({m_actions.openModel, m_actions.openModelFile, m_actions.openCached});
    fillRecent(file->addMenu(tr("Recent models")), "model",
               [this](const QString& m) { m_opener->openModel(m); });
    file->addSeparator();
    file->addActions({m_actions.openImage, m_actions.pasteImage});
    fillRecent(file->addMenu(tr("Recent pictures")), "image",
               [this](const QString& f) { m_opener->openImages({f}); });
    file->addSeparator();
    file->addActions({m_actions.openSession, m_actions.saveSession, m_actions.saveSessionAs});
    fillRecent(file->addMenu(tr("Recent sessions")), "session",
               [this](const QString& f) { m_opener->openSession(f); });
    file->addSeparator();
    file->addActions({m_actions.exportPicture, m_actions.copyPicture, m_actions.exportDifference,
                      m_actions.copyDifference, m_actions.copyCommand});
    file->addSeparator();
    file->addAction(m_actions.quit);

    QMenu* edit = menuBar()->addMenu(tr("&Edit"));
    edit->addActions({m_actions.undo, m_actions.redo, m_actions.addAdapter});
    QMenu* run = menuBar()->addMenu(tr("&Run"));
    run->addActions({m_actions.run, m_actions.stop, m_actions.live});
    run->addSeparator();
    run->addActions({m_actions.compare, m_actions.compareAdapters});

    QMenu* view = menuBar()->addMenu(tr("&View"));
    int key = 1;
    for (const QString& id : m_views->viewIds()) {
        QAction* action =
            view->addAction(m_views->page(id).kind().title, this, [this, id] { m_views->showView(id); });
        if (key <= 9) action->setShortcut(QKeySequence(QString("Ctrl+%1").arg(key++)));
    }
    QMenu* beside = view->addMenu(tr("View beside"));
    beside->addAction(tr("None"), this, [this] { m_views->showBeside({}); });
    for (const QString& id : m_views->viewIds())
        beside->addAction(m_views->page(id).kind().title, this, [this, id] { m_views->showBeside(id); });
    view->addSeparator();
    for (QDockWidget* dock : findChildren<QDockWidget*>()) view->addAction(dock->toggleViewAction());
    view->addAction(m_actions.resetLayout);
    view->addSeparator();
    view->addActions({m_actions.focusPrompt, m_actions.focusTree, m_actions.focusViews,
                      m_actions.focusAnalysis, m_actions.focusEdits});
    view->addSeparator();
    view->addAction(m_actions.present);
    view->addMenu(tr("Text size"))->addActions({m_actions.largerText, m_actions.smallerText, m_actions.usualText});
    QMenu* theme = view->addMenu(tr("Theme"));
    theme->addActions({m_actions.themeSystem, m_actions.themeLight, m_actions.themeDark});
    QMenu* help = menuBar()->addMenu(tr("&Help"));
    help->addAction(tr("Where to begin"), m_start, &QWidget::show);
    help->addAction(m_actions.about);

    connect(m_actions.focusPrompt, &QAction::triggered, this,
            [this] { m_prompt->line().setFocus(Qt::ShortcutFocusReason); });
    connect(m_actions.focusTree, &QAction::triggered, this,
            [this] { m_modelPanel->tree().setFocus(Qt::ShortcutFocusReason); });
    connect(m_actions.focusEdits, &QAction::triggered, this,
            [this] { m_editsPanel->view().setFocus(Qt::ShortcutFocusReason); });
    connect(m_actions.focusViews, &QAction::triggered, this,
            [this] { m_views->currentPage().view(Side::A).setFocus(Qt::ShortcutFocusReason); });
    connect(m_actions.focusAnalysis, &QAction::triggered, this,
            [this] { m_analysisPanel->setFocus(Qt::ShortcutFocusReason); });
    connect(m_actions.about, &QAction::triggered, this, [this] {
        QMessageBox::about(this, tr("About Fovea"),
                           tr("Fovea %1\nSee, measure and edit where a model looks.\nApache License 2.0")
                               .arg(FOVEA_VERSION));
    });
}

}  // namespace fovea::gui
