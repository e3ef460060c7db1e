#pragma once

#include <QDialog>

#include "models/cached_models.h"

class QDialogButtonBox;
class QLabel;
class QLineEdit;
class QSortFilterProxyModel;
class QTableView;

namespace fovea::gui {

/// Chooses a model of the local Hugging Face cache; the folder is read on another thread.
class CachedDialog : public QDialog {
    Q_OBJECT

public:
    CachedDialog(const std::filesystem::path& hubCache, QWidget* parent = nullptr);
    /// org/name, empty when none is chosen.
    QString chosen() const;

private:
    void load(const std::filesystem::path& hubCache);
    void updateButtons();

    CachedModels m_models;
    QSortFilterProxyModel* m_proxy;
    QLabel* m_note;
    QLineEdit* m_filter;
    QTableView* m_table;
    QDialogButtonBox* m_buttons;
};

}  // namespace fovea::gui
