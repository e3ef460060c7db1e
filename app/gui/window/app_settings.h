#pragma once

#include <QSettings>
#include <QStringList>
#include <memory>

namespace fovea::gui {

/// What the window remembers between starts; in the user's configuration, or in a file of its own.
class AppSettings {
public:
    /// `file` empty: the user's configuration.
    explicit AppSettings(const QString& file);

    QStringList recent(const QString& kind) const;
    /// Puts an entry first; keeps at most ten.
    void addRecent(const QString& kind, const QString& entry);
    QVariant value(const QString& key, const QVariant& fallback = {}) const {
        return m_settings->value(key, fallback);
    }
    void setValue(const QString& key, const QVariant& value) { m_settings->setValue(key, value); }
    void sync() { m_settings->sync(); }

private:
    std::unique_ptr<QSettings> m_settings;
};

}  // namespace fovea::gui
