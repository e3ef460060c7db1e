#include "window/opener.h"

#include <QApplication>
#include <QClipboard>
#include <QCryptographicHash>
#include <QDir>
#include <QFileDialog>
#include <QFileInfo>
#include <QImage>
#include <QMimeData>
#include <QStandardPaths>
#include <QUrl>
#include <optional>

#include "compute/compute_service.h"
#include "dialogs/cached_dialog.h"
#include "fovea/compute_runtime.h"
#include "fovea/error.h"
#include "fovea/model_reference.h"
#include "panels/adapters_panel.h"
#include "window/background.h"

namespace fovea::gui {

namespace {

constexpr const char* imageSuffixes = "png jpg jpeg webp gif bmp tif tiff ppm";
constexpr const char* imageFilter =
    "Pictures (*.png *.jpg *.jpeg *.webp *.gif *.bmp *.tif *.tiff *.ppm);;All files (*)";
constexpr const char* sessionFilter =
    "Sessions and exported pictures (*.fovea.json *.json *.png *.svg *.pdf);;All files (*)";
constexpr const char* modelFilter = "Model files (*.safetensors *.bin *.pth *.pt);;All files (*)";

std::filesystem::path toPath(const QString& file) {
    return file.toStdU16String();
}

bool isSession(const QString& path) {
    return path.endsWith(".json", Qt::CaseInsensitive);
}

/// What names the same file wherever the next program is started; other names as they are.
QString lasting(const QString& name) {
    return QFileInfo::exists(name) ? QFileInfo(name).absoluteFilePath() : name;
}

bool isImage(const QString& path) {
    return QString(imageSuffixes).split(' ').contains(QFileInfo(path).suffix().toLower());
}

}  // namespace

Opener::Opener(SessionController& controller, AppSettings& settings, QWidget* window)
    : QObject(window), m_controller(controller), m_settings(settings), m_window(window) {}

QString Opener::startFolder(const QString& kind) const {
    return m_settings.value("folder/" + kind, QDir::homePath()).toString();
}

void Opener::chooseModelFolder() {
    const QString folder =
        QFileDialog::getExistingDirectory(m_window, tr("Open model folder"), startFolder("model"));
    if (folder.isEmpty()) return;
    m_settings.setValue("folder/model", QFileInfo(folder).path());
    openModel(folder);
}

void Opener::chooseModelFile() {
    const QString file =
        QFileDialog::getOpenFileName(m_window, tr("Open model file"), startFolder("model"), tr(modelFilter));
    if (file.isEmpty()) return;
    m_settings.setValue("folder/model", QFileInfo(file).path());
    openModel(file);
}

void Opener::chooseCachedModel() {
    CachedDialog dialog(ModelSearch::fromEnvironment().hubCache, m_window);
    if (dialog.exec() == QDialog::Accepted) openModel(dialog.chosen());
}

void Opener::chooseAdapter() {
    const QString folder =
        QFileDialog::getExistingDirectory(m_window, tr("Add adapter (PEFT folder)"), startFolder("adapter"));
    if (folder.isEmpty()) return;
    m_settings.setValue("folder/adapter", QFileInfo(folder).path());
    openAdapter(folder);
}

void Opener::openAdapter(const QString& folder) {
    m_controller.change(tr("add adapter"), {},
                        [&](Session& session) { addAdapter(session, lasting(folder).toStdString()); });
}

void Opener::chooseImages() {
    const QStringList files =
        QFileDialog::getOpenFileNames(m_window, tr("Open pictures"), startFolder("image"), tr(imageFilter));
    if (files.isEmpty()) return;
    m_settings.setValue("folder/image", QFileInfo(files.front()).path());
    openImages(files);
}

void Opener::chooseSession() {
    const QString file =
        QFileDialog::getOpenFileName(m_window, tr("Open session"), startFolder("session"), tr(sessionFilter));
    if (file.isEmpty()) return;
    m_settings.setValue("folder/session", QFileInfo(file).path());
    openSession(file);
}

void Opener::pasteImage() {
    const QMimeData* data = QApplication::clipboard()->mimeData();
    if (data && accepts(*data))
        drop(*data);
    else
        Q_EMIT noticed(tr("There is no picture on the clipboard."));
}

bool Opener::save() {
    return m_controller.file().isEmpty() ? saveAs() : saveTo(m_controller.file());
}

bool Opener::work(const QString& title, const std::function<void()>& work) {
    if (m_busy) {
        Q_EMIT noticed(tr("Another file is being read or written: try again in a moment."));
        return false;
    }
    m_busy = true;
    std::optional<Error> problem;
    try {
        inBackground(work);
    } catch (...) {
        problem = translated(std::current_exception());
    }
    m_busy = false;
    if (problem)
        Q_EMIT failed({title, QString::fromStdString(problem->what()), QString::fromStdString(problem->hint())});
    return !problem;
}

bool Opener::saveTo(const QString& file) {
    const Session session = document();
    if (!work(tr("The session could not be saved"), [&] { writeSession(toPath(file), session); })) return false;
    m_settings.addRecent("session", file);
    m_controller.setFile(file);
    Q_EMIT noticed(tr("Saved %1").arg(file));
    return true;
}

bool Opener::saveAs() {
    QString file = QFileDialog::getSaveFileName(m_window, tr("Save session"),
                                                QDir(startFolder("session")).filePath("untitled.fovea.json"),
                                                tr("Sessions (*.fovea.json)"));
    if (file.isEmpty()) return false;
    if (!file.endsWith(".json")) file += ".fovea.json";
    m_settings.setValue("folder/session", QFileInfo(file).path());
    return saveTo(file);
}

void Opener::openModel(const QString& reference) {
    // Without a question it would show nothing of what it is for.
    if (reference == "demo:vlm") return openDemo(reference);
    m_settings.addRecent("model", lasting(reference));
    if (m_controller.session().analyses.empty()) {
        Session session = startingSession(reference.toStdString(), {});
        session.input = m_controller.session().input;
        m_controller.open(std::move(session), {});
        return;
    }
    m_controller.change(tr("open model"), {}, [&](Session& session) {
        session.model.reference = reference.toStdString();
        session.model.adapters.clear();  // they belong to the model that was open
    });
}

void Opener::openDemo(const QString& reference) {
    m_settings.addRecent("model", reference);
    Session demo = startingSession(reference.toStdString(), "scene:1");
    if (m_controller.session().analyses.empty()) return m_controller.open(std::move(demo), {});
    m_controller.change(tr("open demo"), {}, [&](Session& session) { session = std::move(demo); });
}

void Opener::openImages(const QStringList& files) {
    for (auto it = files.rbegin(); it != files.rend(); ++it) m_settings.addRecent("image", lasting(*it));
    m_controller.change(tr("open pictures"), {}, [&](Session& session) {
        session.input.images.clear();
        session.input.tensors.clear();
        for (const QString& file : files) session.input.images.push_back(file.toStdString());
    });
}

bool Opener::openSession(const QString& file) {
    const QString title = tr("The session could not be opened");
    std::vector<std::string> notices;
    Session session;
    if (!work(title, [&] { session = openDocument(toPath(file), &notices); })) return false;
    if (mayReplace && !mayReplace()) return false;
    try {
        m_controller.open(std::move(session), isSession(file) ? lasting(file) : QString());
    } catch (const Error& error) {
        Q_EMIT failed({title, QString::fromStdString(error.what()), QString::fromStdString(error.hint())});
        return false;
    }
    m_settings.addRecent("session", lasting(file));
    Q_EMIT sessionOpened();
    if (!notices.empty()) Q_EMIT noticed(QString::fromStdString(notices.front()));
    return true;
}

bool Opener::openAny(const QString& path) {
    if (isSession(path) && !QFileInfo(path).isDir()) return openSession(path);
    if (isImage(path)) {
        openImages({path});
        return true;
    }
    if (QFileInfo::exists(path + "/adapter_config.json")) {
        openAdapter(path);
        return true;
    }
    openModel(path);
    return true;
}

bool Opener::accepts(const QMimeData& data) const {
    return data.hasImage() || data.hasUrls();
}

bool Opener::drop(const QMimeData& data) {
    QStringList images;
    for (const QUrl& url : data.urls()) {
        if (!url.isLocalFile()) continue;
        if (isImage(url.toLocalFile()))
            images << url.toLocalFile();
        else
            return openAny(url.toLocalFile());
    }
    if (!images.isEmpty())
        openImages(images);
    else if (data.hasImage())
        useImage(qvariant_cast<QImage>(data.imageData()));
    else
        Q_EMIT noticed(tr("Only files of this computer can be opened."));
    return true;
}

void Opener::useImage(const QImage& image) {
    // A session names pictures by file: a pasted one gets a file of its own, named by its pixels.
    const QDir folder(QStandardPaths::writableLocation(QStandardPaths::AppDataLocation) + "/pasted");
    QString file;
    const bool done = work(tr("The picture could not be pasted"), [&] {
        const QImage kept =
            image.convertToFormat(image.hasAlphaChannel() ? QImage::Format_RGBA8888 : QImage::Format_RGB888);
        const QByteArray hash = QCryptographicHash::hash(QByteArrayView(kept.constBits(), kept.sizeInBytes()),
                                                         QCryptographicHash::Sha256)
                                    .toHex()
                                    .left(16);
        file = folder.filePath(QString::fromLatin1(hash) + ".png");
        if (!folder.mkpath(".") || !kept.save(file))
            throw Error("\"" + file.toStdString() + "\" cannot be written",
                        "Free some space, or save the picture yourself and open it");
    });
    if (done) openImages({file});
}

}  // namespace fovea::gui
