#include "window/actions.h"

#include <QActionGroup>
#include <QMainWindow>

#include "theme/theme.h"

namespace fovea::gui {

namespace {

QString words(const char* text) {
    return QObject::tr(text);
}

}  // namespace

QAction* Actions::make(const QString& icon, const QString& text, const QString& tip,
                       const QKeySequence& key) {
    auto* action = new QAction(text, m_window);
    if (!icon.isEmpty()) action->setIcon(themedIcon(icon));
    action->setShortcut(key);
    action->setToolTip(key.isEmpty() ? tip
                                     : QString("%1 (%2)").arg(tip, key.toString(QKeySequence::NativeText)));
    action->setStatusTip(QString());
    m_window->addAction(action);
    return action;
}

Actions::Actions(QMainWindow* window) : m_window(window) {
    openModel = make("open_model", words("Open model folder..."), words("Opens a folder with a model"),
                     QKeySequence("Ctrl+M"));
    openModelFile = make({}, words("Open model file..."), words("Opens a checkpoint or a trace file"),
                         QKeySequence("Ctrl+Shift+M"));
    openCached = make({}, words("From the Hugging Face cache..."),
                      words("Opens a model that is already in the local cache"), QKeySequence("Ctrl+H"));
    openImage = make("open_image", words("Open pictures..."),
                     words("Opens one or more pictures; drop or paste works, too"), QKeySequence("Ctrl+I"));
    pasteImage = make({}, words("Paste picture"), words("Uses the picture on the clipboard"),
                      QKeySequence("Ctrl+Shift+V"));
    openSession = make("open_session", words("Open session..."),
                       words("Opens a session, or a picture that Fovea exported"), QKeySequence::Open);
    saveSession = make("save", words("Save session"), words("Saves the session"), QKeySequence::Save);
    saveSessionAs = make({}, words("Save session as..."), words("Saves the session under another name"),
                         QKeySequence("Ctrl+Shift+S"));
    quit = make({}, words("Quit"), words("Closes the program"), QKeySequence("Ctrl+Q"));

    run = make("run", words("Run"), words("Computes what is shown now"), QKeySequence("Ctrl+Return"));
    run->setShortcuts({QKeySequence("Ctrl+Return"), QKeySequence("Ctrl+Enter")});
    stop = make("stop", words("Stop"), words("Stops the run; the last picture stays"), QKeySequence("Esc"));
    live = make("live", words("Live"), words("Computes every change at once; when off, changes wait for Run"),
                QKeySequence("Ctrl+L"));
    live->setCheckable(true);
    live->setChecked(true);
    undo = make("undo", words("Undo"), words("Takes the last change back"), QKeySequence::Undo);
    redo = make("redo", words("Redo"), words("Makes the change again"), QKeySequence("Ctrl+Shift+Z"));

    compare = make("compare", words("Compare A/B"),
                   words("A copy of this session beside it, with the difference"), QKeySequence("Ctrl+B"));
    compare->setCheckable(true);
    addAdapter = make("add", words("Add adapter..."), words("Adds a LoRA, rsLoRA or DoRA folder of PEFT to the model"),
                      QKeySequence("Ctrl+Alt+A"));
    addAdapter->setIconText(words("Add"));
    compareAdapters = make("compare", words("Compare adapters on and off"),
                           words("The session beside itself with all adapters at strength 0"), QKeySequence("Ctrl+Alt+B"));
    compareAdapters->setIconText(words("On | off"));
    present = make("present", words("Present"), words("Large type, no panels"), QKeySequence("F5"));
    present->setCheckable(true);
    exportPicture =
        make("export", words("Export..."),
             words("Writes the picture that is shown, or its numbers, to a file"), QKeySequence("Ctrl+E"));
    copyPicture = make("copy", words("Copy picture"), words("Copies the picture that is shown as PNG"),
                       QKeySequence::Copy);
    exportDifference = make({}, words("Export difference..."),
                            words("Writes the picture of B - A to a PNG, SVG or PDF file"), QKeySequence("Ctrl+Shift+E"));
    copyDifference = make({}, words("Copy difference"), words("Copies the picture of B - A as PNG"),
                          QKeySequence("Ctrl+Shift+D"));
    copyCommand =
        make("copy_command", words("Copy as command"),
             words("Copies the fovea-cli line that makes this picture"), QKeySequence("Ctrl+Shift+C"));

    focusPrompt =
        make({}, words("Go to prompt"), words("Moves the keyboard to the prompt"), QKeySequence("Alt+P"));
    focusTree = make({}, words("Go to model tree"), words("Moves the keyboard to the layers and heads"),
                     QKeySequence("Alt+M"));
    focusViews =
        make({}, words("Go to view"), words("Moves the keyboard to the picture"), QKeySequence("Alt+V"));
    focusAnalysis =
        make({}, words("Go to analysis"), words("Moves the keyboard to the analysis"), QKeySequence("Alt+A"));
    focusEdits =
        make({}, words("Go to edits"), words("Moves the keyboard to the edits"), QKeySequence("Alt+E"));

    auto* themes = new QActionGroup(window);
    themeSystem = make({}, words("As the system"), words("Light or dark as the system is"));
    themeLight = make({}, words("Light"), words("Light window"));
    themeDark = make({}, words("Dark"), words("Dark window"));
    for (QAction* action : {themeSystem, themeLight, themeDark}) {
        action->setCheckable(true);
        themes->addAction(action);
    }
    largerText = make({}, words("Larger"), words("Larger type in the window"), QKeySequence("Ctrl++"));
    largerText->setShortcuts({QKeySequence("Ctrl++"), QKeySequence("Ctrl+=")});
    smallerText = make({}, words("Smaller"), words("Smaller type in the window"), QKeySequence("Ctrl+-"));
    usualText = make({}, words("Usual"), words("Type of the usual size"), QKeySequence("Ctrl+0"));
    resetLayout = make({}, words("Reset layout"), words("Puts all panels back to their places"));
    about = make({}, words("About Fovea"), words("Version and licence"));
}

}  // namespace fovea::gui
