#include "window/main_window.h"

#include <QApplication>
#include <QClipboard>
#include <QCloseEvent>
#include <QDir>
#include <QDockWidget>
#include <QFileDialog>
#include <QFileInfo>
#include <QMenuBar>
#include <QMessageBox>
#include <QMimeData>
#include <QShortcut>
#include <QToolBar>
#include <algorithm>
#include <cmath>

#include "forms/described.h"
#include "fovea/viz/export.h"
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
#include "window/prompt_box.h"

namespace fovea::gui {

namespace {

constexpr const char* pictureFilters = "PNG picture (*.png);;SVG picture (*.svg);;PDF picture (*.pdf)";
constexpr const char* exportFilters =
    "PNG picture (*.png);;SVG picture (*.svg);;PDF picture (*.pdf);;JSON numbers (*.json);;CSV numbers "
    "(*.csv);;"
    "NumPy numbers (*.npz);;Safetensors numbers (*.safetensors)";

constexpr int usualText = 100, textStep = 10, smallestText = 70, largestText = 250;  // percent

MainWindow::Unsaved askAboutUnsaved(QWidget* parent) {
    const auto answer = QMessageBox::warning(
        parent, QObject::tr("Unsaved changes"),
        QObject::tr("The session has changes that are not saved. Without saving they are lost."),
        QMessageBox::Save | QMessageBox::Discard | QMessageBox::Cancel, QMessageBox::Save);
    return answer == QMessageBox::Save      ? MainWindow::Unsaved::Save
           : answer == QMessageBox::Discard ? MainWindow::Unsaved::Discard
                                            : MainWindow::Unsaved::Cancel;
}

}  // namespace

MainWindow::MainWindow(std::unique_ptr<Driver> driver, const QString& settingsFile)
    : m_settings(settingsFile),
      m_service(std::move(driver)),
      m_actions(this),
      m_opener(new Opener(m_controller, m_settings, this)) {
    setAcceptDrops(true);
    setDockNestingEnabled(true);
    setDockOptions(dockOptions() | QMainWindow::AllowTabbedDocks);
    setWindowIcon(QIcon(":/icons/fovea.svg"));
    buildCentre();
    buildDocks();
    buildToolBar();
    buildMenus();
    m_opener->document = [this] { return m_presenter->wholeDocument(); };
    m_opener->mayReplace = [this] { return mayLeave(); };
    askUnsaved = [this] { return askAboutUnsaved(this); };
    connectActions();
    connectResults();
    connectAnswers();
    connectStart();
    resize(1360, 860);
    m_defaultLayout = saveState();
    restoreGeometry(m_settings.value("window/geometry").toByteArray());
    restoreState(m_settings.value("window/layout").toByteArray());
    m_views->showView(m_settings.value("window/view", "overlay").toString());
    m_views->showBeside(m_settings.value("window/beside").toString());
    m_actions.live->setChecked(m_settings.value("window/live", true).toBool());
    const ThemeChoice theme = themeFromName(m_settings.value("window/theme").toString());
    (theme == ThemeChoice::Light  ? m_actions.themeLight
     : theme == ThemeChoice::Dark ? m_actions.themeDark
                                  : m_actions.themeSystem)
        ->setChecked(true);
    if (const int size = m_settings.value("window/text_size", usualText).toInt(); size != usualText) setTextSize(size);
    showTitle();
}

MainWindow::~MainWindow() = default;

void MainWindow::connectActions() {
    connect(m_actions.openModel, &QAction::triggered, m_opener, &Opener::chooseModelFolder);
    connect(m_actions.openModelFile, &QAction::triggered, m_opener, &Opener::chooseModelFile);
    connect(m_actions.openCached, &QAction::triggered, m_opener, &Opener::chooseCachedModel);
    connect(m_actions.openImage, &QAction::triggered, m_opener, &Opener::chooseImages);
    connect(m_actions.pasteImage, &QAction::triggered, m_opener, &Opener::pasteImage);
    connect(m_actions.openSession, &QAction::triggered, m_opener, &Opener::chooseSession);
    connect(m_actions.saveSession, &QAction::triggered, m_opener, &Opener::save);
    connect(m_actions.saveSessionAs, &QAction::triggered, m_opener, &Opener::saveAs);
    connect(m_actions.quit, &QAction::triggered, this, &QWidget::close);
    connect(m_actions.run, &QAction::triggered, m_presenter, &Presenter::refresh);
    connect(m_actions.stop, &QAction::triggered, this, &MainWindow::stopRun);
    connect(m_actions.live, &QAction::toggled, m_presenter, &Presenter::setLive);
    connect(m_actions.undo, &QAction::triggered, &m_controller.undoStack(), &QUndoStack::undo);
    connect(m_actions.redo, &QAction::triggered, &m_controller.undoStack(), &QUndoStack::redo);
    connect(&m_controller.undoStack(), &QUndoStack::canUndoChanged, m_actions.undo, &QAction::setEnabled);
    connect(&m_controller.undoStack(), &QUndoStack::canRedoChanged, m_actions.redo, &QAction::setEnabled);
    connect(&m_controller.undoStack(), &QUndoStack::undoTextChanged, this, [this](const QString& text) {
        m_actions.undo->setText(text.isEmpty() ? tr("Undo") : tr("Undo %1").arg(text));
        m_actions.undo->setIconText(tr("Undo"));
    });
    connect(&m_controller.undoStack(), &QUndoStack::redoTextChanged, this, [this](const QString& text) {
        m_actions.redo->setText(text.isEmpty() ? tr("Redo") : tr("Redo %1").arg(text));
        m_actions.redo->setIconText(tr("Redo"));
    });
    m_actions.undo->setEnabled(false);
    m_actions.redo->setEnabled(false);
    m_actions.stop->setEnabled(false);
    connect(m_actions.compare, &QAction::toggled, &m_controller, &SessionController::setComparing);
    connect(m_actions.addAdapter, &QAction::triggered, m_opener, &Opener::chooseAdapter);
    connect(m_actions.compareAdapters, &QAction::triggered, this, &MainWindow::compareAdapters);
    connect(m_actions.present, &QAction::toggled, this, &MainWindow::setPresenting);
    // Presenting, the key that stops a run goes back first; one key cannot be of two things at once.
    auto* leave = new QShortcut(m_actions.stop->shortcut(), this);
    leave->setEnabled(false);
    connect(leave, &QShortcut::activated, m_actions.present, [this] { m_actions.present->setChecked(false); });
    connect(m_actions.present, &QAction::toggled, leave, [this, leave](bool on) {
        leave->setEnabled(on);
        m_actions.stop->setShortcut(on ? QKeySequence() : leave->key());
    });
    connect(m_actions.exportPicture, &QAction::triggered, this, &MainWindow::chooseExport);
    connect(m_actions.copyPicture, &QAction::triggered, this, [this] { copySide(Side::A); });
    connect(m_actions.exportDifference, &QAction::triggered, this, [this] { chooseSideExport(Side::Difference); });
    connect(m_actions.copyDifference, &QAction::triggered, this, [this] { copySide(Side::Difference); });
    connect(m_views, &ViewArea::exportWanted, this, &MainWindow::chooseSideExport);
    connect(m_views, &ViewArea::copyWanted, this, &MainWindow::copySide);
    connect(m_actions.copyCommand, &QAction::triggered, this, &MainWindow::copyCommand);
    connect(m_actions.resetLayout, &QAction::triggered, this, &MainWindow::resetLayout);
    connect(m_actions.largerText, &QAction::triggered, this, [this] { setTextSize(m_textSize + textStep); });
    connect(m_actions.smallerText, &QAction::triggered, this, [this] { setTextSize(m_textSize - textStep); });
    connect(m_actions.usualText, &QAction::triggered, this, [this] { setTextSize(usualText); });
    connect(m_actions.themeSystem, &QAction::triggered, this, [this] { setTheme(ThemeChoice::System); });
    connect(m_actions.themeLight, &QAction::triggered, this, [this] { setTheme(ThemeChoice::Light); });
    connect(m_actions.themeDark, &QAction::triggered, this, [this] { setTheme(ThemeChoice::Dark); });
}

void MainWindow::connectResults() {
    connect(&m_service, &ComputeService::busyChanged, this, [this](bool busy) {
        m_actions.stop->setEnabled(busy);
        m_status->setBusy(busy);
    });
    connect(&m_service, &ComputeService::progressed, m_status, &StatusStrip::setProgress);
    connect(&m_service, &ComputeService::failed, this, [this](const Failure& failure) {
        m_banner->showFailure(failure);
        if (!m_views->currentPage().hasPicture()) m_views->currentPage().setMessage(tr("%1: see above.").arg(failure.title));
    });
    connect(&m_service, &ComputeService::modelReady, this,
            [this](const std::shared_ptr<const ModelSpec>& spec) { showSpec(*spec); });
    connect(&m_service, &ComputeService::inputReady, this, [this](const InputResult& result) {
        m_timeline->setSteps(result.input->count(), result.item);
    });
    connect(&m_service, &ComputeService::outlookReady, m_status, &StatusStrip::setOutlook);
    connect(&m_service, &ComputeService::findingsReady, m_analysisPanel, &AnalysisPanel::setFindings);
    connect(&m_service, &ComputeService::summaryReady, m_modelPanel, &ModelPanel::setSummary);
    connect(&m_service, &ComputeService::answersReady, this,
            [this](Side side, const std::vector<Answer>& answers) {
                if (static_cast<int>(side) == m_controller.active()) m_modelPanel->setAnswers(answers);
                for (const auto& [id, page] : m_views->pages()) page->setCaption(side, answerText(answers));
            });
    connect(&m_service, &ComputeService::sitesTouchedReady, m_editsPanel, &EditsPanel::setCounts);
    connect(&m_service, &ComputeService::pictureReady, m_banner, [this] { m_banner->hide(); });
    connect(&m_service, &ComputeService::exported, this,
            [this](const QString& file) { m_status->showMessage(tr("Exported %1").arg(file), 6000); });
    connect(&m_service, &ComputeService::rendered, this, [this](const QByteArray& png, const QImage& image) {
        auto* copied = new QMimeData;
        copied->setImageData(image);
        copied->setData("image/png", png);  // with the recipe in its metadata
        QApplication::clipboard()->setMimeData(copied);
        m_status->showMessage(tr("Copied the picture."), 6000);
    });
    connect(m_opener, &Opener::failed, m_banner, &ErrorBanner::showFailure);
    connect(m_opener, &Opener::noticed, this,
            [this](const QString& text) { m_status->showMessage(text, 6000); });
    connect(m_opener, &Opener::sessionOpened, this, [this] {
        const nlohmann::json& views = m_controller.session().views;
        const auto named = [&](const char* key) {
            const auto found = views.find(key);
            return found != views.end() && found->is_string() ? QString::fromStdString(found->get<std::string>())
                                                              : QString();
        };
        m_views->showView(named("view"));
        m_views->showBeside(named("beside"));
    });
    connect(m_presenter, &Presenter::contextChanged, this, [this](const FormContext& context) {
        m_modelPanel->setContext(context);
        m_editsPanel->setContext(context);
        m_analysisPanel->setContext(context);
    });
    connect(m_presenter, &Presenter::shown, this, [this](const std::shared_ptr<const viz::Picture>& picture) {
        m_legend->setPicture(picture);
        m_analysisPanel->setDrawn(m_presenter->drawnFinding());
        const auto [steps, step] = m_presenter->steps();
        m_fixations->setSteps(steps, step);
        double low = INFINITY, high = -INFINITY;
        if (picture)
            for (const viz::HitArea& hit : picture->hits)
                if (std::isfinite(hit.value)) {
                    low = std::min(low, hit.value);
                    high = std::max(high, hit.value);
                }
        if (low < high) m_displayPanel->setSeenRange(low, high);
    });
    connect(m_presenter, &Presenter::outdated, this,
            [this] { m_status->showMessage(tr("Changed: press Run (Ctrl+Return) to compute.")); });
    connect(m_views, &ViewArea::readOutChanged, m_status, &StatusStrip::setReadOut);
    connect(m_views, &ViewArea::suggestionTaken, this,
            [this](const QString& id) { m_analysisPanel->choose(id.toStdString()); });
    connect(m_status, &StatusStrip::cancelled, this, &MainWindow::stopRun);
    connect(m_timeline, &TimelineBar::stepChosen, m_presenter, &Presenter::setItem);
    connect(m_fixations, &TimelineBar::stepChosen, m_presenter, &Presenter::setStep);
    connect(&m_service, &ComputeService::pictureReady, this, [this](const PictureDelivery& delivery) {
        for (const std::string& notice : delivery.result->notices)
            m_status->showMessage(QString::fromStdString(notice), 10000);
        const std::string undrawn = viz::undrawnCharacters(delivery.result->picture);
        if (!undrawn.empty())
            m_status->showMessage(tr("No font of this machine draws %1").arg(QString::fromStdString(undrawn)), 10000);
    });
    connect(&m_controller, &SessionController::changed, this, &MainWindow::showTitle);
    connect(&m_controller, &SessionController::fileChanged, this, &MainWindow::showTitle);
    connect(&m_controller.undoStack(), &QUndoStack::cleanChanged, this, &MainWindow::showTitle);
}

void MainWindow::connectStart() {
    connect(m_start, &StartStrip::demoWanted, m_opener, &Opener::openDemo);
    connect(m_start, &StartStrip::modelWanted, m_opener, &Opener::chooseModelFolder);
    // It is for those who have opened nothing yet; from one demo to the other it stays.
    connect(&m_controller, &SessionController::changed, m_start, [this] {
        if (!m_controller.session().model.reference.starts_with("demo:")) m_start->hide();
    });
}

void MainWindow::connectAnswers() {
    connect(&m_service, &ComputeService::answerOutdated, m_answer, &AnswerPanel::clear);
    connect(&m_service, &ComputeService::answerTokenReady, m_answer, &AnswerPanel::push);
    connect(&m_service, &ComputeService::answerReady, m_answer, &AnswerPanel::finish);
    connect(&m_service, &ComputeService::answerReady, this, &MainWindow::showAnswerSteps);
    connect(&m_service, &ComputeService::answerOutdated, this, &MainWindow::showAnswerSteps);
    connect(&m_controller, &SessionController::changed, m_answer,
            [this] { m_answer->setComparing(m_controller.comparing()); });
    connect(m_presenter, &Presenter::contextChanged, m_answer, [this](const FormContext& context) {
        const StageTokens* text = nullptr;
        if (context.input && context.item < context.input->count())
            for (const StageTokens& stage : context.input->maps[static_cast<std::size_t>(context.item)].stages)
                if (stage.stage == "text") text = &stage;
        m_answer->setPrompt(text);
    });
    connect(&m_service, &ComputeService::readersReady, m_answer, &AnswerPanel::setReaders);
    connect(m_answer, &AnswerPanel::boxRemoved, m_presenter, [this] { m_presenter->askBox({}); });
    connect(&m_controller, &SessionController::changed, m_answer, [this] {
        const Session& session = m_controller.session();
        m_answer->setBox(boxQuery(session), session.input.images.size() > 1);
        const PictureRequest* picture = m_controller.picture();
        for (const ColormapOffer& map : m_service.offer().colormaps)
            if (picture && map.name == picture->display.colormap) m_answer->setColors(map.samples);
    });
    connect(&m_controller, &SessionController::changed, m_answer,
            [this] { m_answer->setTurns(m_controller.sessionA().input.turns); });
    connect(m_answer, &AnswerPanel::askedFurther, this, [this](const QString& question) {
        const Side side = m_controller.active() == 1 ? Side::B : Side::A;
        const std::string answer = m_answer->text(side).toStdString();
        m_controller.change(tr("ask further"), {}, [&](Session& session) {
            askFurther(session, answer, question.toStdString());
            m_presenter->forgetTokens(session);
        });
        m_actions.run->trigger();
    });
    connect(m_answer, &AnswerPanel::startAgainWanted, this, [this] {
        m_controller.change(tr("start again"), {}, [this](Session& session) {
            startAgain(session);
            m_presenter->forgetTokens(session);
        });
    });
    connect(m_presenter, &Presenter::lookedFrom, this, [this](int token) {
        m_answer->setChosen(token);
        showAnswerSteps();
    });
    connect(m_answer, &AnswerPanel::tokenChosen, m_presenter,
            [this](int token) { m_presenter->chooseTokens("text", {token}); });
    connect(m_answerSteps, &TimelineBar::stepChosen, m_presenter, [this](int step) {
        const auto& tokens = m_answer->answer(Side::A);
        if (step >= 0 && step < static_cast<int>(tokens.size()))
            m_presenter->chooseTokens("text", {tokens[static_cast<std::size_t>(step)].index});
    });
}

void MainWindow::compareAdapters() {
    m_controller.setActive(0);
    if (!m_controller.comparing()) m_controller.setComparing(true);
    m_controller.setActive(1);
    const ModelChoice model = m_controller.sessionA().model;
    m_controller.change(tr("turn adapters off"), {}, [&](Session& session) {
        session.model = model;
        for (AdapterChoice& adapter : session.model.adapters) adapter.strength = 0;
    });
}

void MainWindow::stopRun() {
    m_service.stop();
    m_answer->stopped();
}

void MainWindow::showAnswerSteps() {
    const auto& tokens = m_answer->answer(Side::A);
    const auto steps = std::count_if(tokens.begin(), tokens.end(), [](const AnswerToken& t) { return t.index >= 0; });
    m_answerSteps->setSteps(static_cast<int>(steps), m_answer->positionOf(m_answer->chosen()));
}

void MainWindow::showSpec(const ModelSpec& spec) {
    m_status->setSpec(spec);
    m_prompt->setSpec(spec);
    const SessionInput& input = m_controller.sessionA().input;
    const bool fresh = m_controller.file().isEmpty() && m_controller.undoStack().count() == 0;
    // A question on the command line is there before it is known whether the model answers.
    if (fresh && spec.capabilities.generate && !input.prompt.empty() && input.maxNewTokens == 0)
        m_controller.show([this](Session& session) { session.input.maxNewTokens = m_prompt->usualLength(); });
}

void MainWindow::showTitle() {
    const Session& session = m_controller.session();
    const QString document = m_controller.file().isEmpty() ? QString::fromStdString(session.model.reference)
                                                           : QFileInfo(m_controller.file()).fileName();
    setWindowTitle(document.isEmpty() ? QString("Fovea") : QString("%1[*] - Fovea").arg(document));
    setWindowModified(m_controller.modified());
    // Both slots do nothing when the controller is already there; blocked actions would not update their buttons.
    m_actions.compare->setChecked(m_controller.comparing());
    m_side->setChecked(m_controller.active() == 1);
    m_side->setText(m_side->isChecked() ? tr("Editing B") : tr("Editing A"));
    m_side->setVisible(m_controller.comparing());
    for (QAction* action : {m_actions.exportDifference, m_actions.copyDifference})
        action->setEnabled(m_controller.comparing());
}

void MainWindow::setPresenting(bool on) {
    applyTextSize();
    if (on) {
        m_layoutBeforePresenting = saveState();
        for (QDockWidget* dock : findChildren<QDockWidget*>()) dock->hide();
    } else {
        restoreState(m_layoutBeforePresenting);
    }
    menuBar()->setVisible(!on);
}

void MainWindow::setTextSize(int percent) {
    m_textSize = std::clamp(percent, smallestText, largestText);
    m_settings.setValue("window/text_size", m_textSize);
    applyTextSize();
}

void MainWindow::applyTextSize() {
    QFont font = QApplication::font();
    font.setPointSizeF(m_usualPoints * m_textSize / 100 * (m_actions.present->isChecked() ? 1.6 : 1));
    QApplication::setFont(font);
    // Widgets under a style sheet take a new font only when they are polished again.
    qApp->setStyleSheet(qApp->styleSheet());
}

void MainWindow::setTheme(ThemeChoice choice) {
    m_settings.setValue("window/theme", themeName(choice));
    applyTheme(*qApp, choice);
}

void MainWindow::chooseExport() {
    const QString folder = m_settings.value("folder/export", QDir::homePath()).toString();
    QString chosen;
    QString file = QFileDialog::getSaveFileName(this, tr("Export"),
                                                QDir(folder).filePath(m_views->currentView() + ".png"),
                                                tr(exportFilters), &chosen);
    if (file.isEmpty()) return;
    if (QFileInfo(file).suffix().isEmpty()) file += chosen.section("*", 1).section(")", 0, 0);
    m_settings.setValue("folder/export", QFileInfo(file).path());
    exportTo(file);
}

void MainWindow::exportTo(const QString& file) {
    m_service.exportPicture(m_presenter->document(), m_controller.pictureIndex(), m_presenter->item(), file);
}

void MainWindow::chooseSideExport(Side side) {
    if (!shownOn(side)) return;
    const QString folder = m_settings.value("folder/export", QDir::homePath()).toString();
    const QString name = m_views->currentView() + (side == Side::Difference ? "_difference" : side == Side::B ? "_b" : "_a");
    QString chosen;
    QString file = QFileDialog::getSaveFileName(this, tr("Export"), QDir(folder).filePath(name + ".png"),
                                                tr(pictureFilters), &chosen);
    if (file.isEmpty()) return;
    if (QFileInfo(file).suffix().isEmpty()) file += chosen.section("*", 1).section(")", 0, 0);
    m_settings.setValue("folder/export", QFileInfo(file).path());
    exportSideTo(side, file);
}

std::shared_ptr<const viz::Picture> MainWindow::shownOn(Side side) {
    auto picture = m_views->currentPage().view(side).picture();
    if (!picture) m_status->showMessage(tr("There is no picture to export or copy yet."), 6000);
    return picture;
}

double MainWindow::dpi() const {
    const PictureRequest* picture = m_controller.picture();
    return picture ? picture->dpi : PictureRequest().dpi;
}

void MainWindow::exportSideTo(Side side, const QString& file) {
    if (auto picture = shownOn(side)) m_service.exportShown(std::move(picture), dpi(), file);
}

void MainWindow::copySide(Side side) {
    if (auto picture = shownOn(side)) m_service.render(std::move(picture), dpi());
}

void MainWindow::copyCommand() {
    try {
        const std::string line = commandLineFor(m_presenter->document(), m_controller.pictureIndex());
        QApplication::clipboard()->setText(QString::fromStdString(line));
        m_status->showMessage(tr("Copied: %1").arg(QString::fromStdString(line)), 8000);
    } catch (const Error& error) {
        m_banner->showFailure({tr("There is no command for this"), QString::fromStdString(error.what()),
                               QString::fromStdString(error.hint())});
    }
}

void MainWindow::resetLayout() {
    restoreState(m_defaultLayout);
}

bool MainWindow::mayLeave() {
    if (!m_controller.modified()) return true;
    const Unsaved answer = askUnsaved();
    return answer == Unsaved::Discard || (answer == Unsaved::Save && m_opener->save());
}

void MainWindow::closeEvent(QCloseEvent* event) {
    if (m_opener->busy() || !mayLeave()) return event->ignore();
    if (m_actions.present->isChecked()) m_actions.present->setChecked(false);
    m_settings.setValue("window/geometry", saveGeometry());
    m_settings.setValue("window/layout", saveState());
    m_settings.setValue("window/view", m_views->currentView());
    m_settings.setValue("window/beside", m_views->besideView());
    m_settings.setValue("window/live", m_actions.live->isChecked());
    m_settings.sync();
    m_service.stop();
    event->accept();
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
    if (m_opener->accepts(*event->mimeData())) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
    if (m_opener->drop(*event->mimeData())) event->acceptProposedAction();
}

}  // namespace fovea::gui
