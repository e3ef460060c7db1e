#pragma once

#include <QObject>
#include <QString>
#include <functional>

#include "window/app_settings.h"
#include "window/session_controller.h"

class QImage;
class QMimeData;
class QWidget;

namespace fovea::gui {

struct Failure;

/// Opens models, pictures and sessions from dialogs, drops, the clipboard and the command line.
class Opener : public QObject {
    Q_OBJECT

public:
    Opener(SessionController& controller, AppSettings& settings, QWidget* window);

    void chooseModelFolder();
    void chooseModelFile();
    void chooseCachedModel();
    void chooseAdapter();
    void chooseImages();
    void chooseSession();
    void pasteImage();
    bool save();
    bool saveAs();
    /// Writes the document; it is in this file from then on. False when it cannot be written; `failed` says
    /// why.
    bool saveTo(const QString& file);

    /// A folder, file, org/name or demo:NAME; the picture of the document stays.
    void openModel(const QString& reference);
    /// A model that comes with the program, on a scene of its own.
    void openAdapter(const QString& folder);
    void openDemo(const QString& reference);
    void openImages(const QStringList& files);
    /// A session file, or a picture that holds one. False when it cannot be read; `failed` says why.
    bool openSession(const QString& file);
    /// What a drop or a command line names: a session, a picture or a model, told apart by the file.
    bool openAny(const QString& path);
    /// A file is being read or written in the background: nothing else is opened or saved, and the window stays.
    bool busy() const { return m_busy; }
    bool accepts(const QMimeData& data) const;
    bool drop(const QMimeData& data);
    /// The document as it is to be saved.
    std::function<Session()> document;
    /// Whether another document may replace this one: asks what is to become of unsaved changes.
    std::function<bool()> mayReplace;

Q_SIGNALS:
    void failed(const fovea::gui::Failure& failure);
    void noticed(const QString& text);
    void sessionOpened();

private:
    void useImage(const QImage& image);
    /// Runs `work` off the GUI thread; false when it failed (`failed` says why, under `title`) or another file is at work.
    bool work(const QString& title, const std::function<void()>& work);
    QString startFolder(const QString& kind) const;

    SessionController& m_controller;
    AppSettings& m_settings;
    QWidget* m_window;
    bool m_busy = false;
};

}  // namespace fovea::gui
