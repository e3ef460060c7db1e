#include "window/app_settings.h"

namespace fovea::gui {

namespace {

constexpr int mostRecent = 10;

}  // namespace

AppSettings::AppSettings(const QString& file)
    : m_settings(file.isEmpty() ? std::make_unique<QSettings>(QSettings::IniFormat, QSettings::UserScope,
                                                              "fovea", "fovea")
                                : std::make_unique<QSettings>(file, QSettings::IniFormat)) {}

QStringList AppSettings::recent(const QString& kind) const {
    return m_settings->value("recent/" + kind).toStringList();
}

void AppSettings::addRecent(const QString& kind, const QString& entry) {
    QStringList list = recent(kind);
    list.removeAll(entry);
    list.prepend(entry);
    while (list.size() > mostRecent) list.removeLast();
    m_settings->setValue("recent/" + kind, list);
}

}  // namespace fovea::gui
