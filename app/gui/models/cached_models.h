#pragma once

#include <QAbstractTableModel>
#include <vector>

#include "fovea/model_reference.h"

namespace fovea::gui {

/// The models of the local Hugging Face cache, for the open dialog.
class CachedModels : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Column { Name, Type, Size, State, columns };

    using QAbstractTableModel::QAbstractTableModel;
    void setModels(std::vector<CachedModel> models);
    const CachedModel& at(int row) const { return m_models[static_cast<std::size_t>(row)]; }

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
    Qt::ItemFlags flags(const QModelIndex& index) const override;

private:
    std::vector<CachedModel> m_models;
};

}  // namespace fovea::gui
