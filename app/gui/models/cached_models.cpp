#include "models/cached_models.h"

#include "fovea/capture.h"

namespace fovea::gui {

void CachedModels::setModels(std::vector<CachedModel> models) {
    beginResetModel();
    m_models = std::move(models);
    endResetModel();
}

int CachedModels::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_models.size());
}

int CachedModels::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : columns;
}

QVariant CachedModels::data(const QModelIndex& index, int role) const {
    if (!index.isValid() || index.row() >= rowCount()) return {};
    const CachedModel& model = at(index.row());
    if (role == Qt::TextAlignmentRole && index.column() == Size)
        return QVariant(Qt::AlignRight | Qt::AlignVCenter);
    if (role == Qt::ToolTipRole)
        return QString("%1\n%2").arg(QString::fromStdString(model.folder.string()),
                                     QString::fromStdString(model.revision));
    if (role != Qt::DisplayRole) return {};
    switch (index.column()) {
        case Name:
            return QString::fromStdString(model.name);
        case Type:
            return QString::fromStdString(model.modelType);
        case Size:
            return QString::fromStdString(formatBytes(model.bytes));
        default:
            return model.complete ? tr("complete") : QString::fromStdString(model.problem);
    }
}

QVariant CachedModels::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
    switch (section) {
        case Name:
            return tr("Model");
        case Type:
            return tr("Type");
        case Size:
            return tr("Size");
        case State:
            return tr("State");
        default:
            return {};
    }
}

Qt::ItemFlags CachedModels::flags(const QModelIndex& index) const {
    if (!index.isValid()) return Qt::NoItemFlags;
    const Qt::ItemFlags base = Qt::ItemIsSelectable | Qt::ItemNeverHasChildren;
    return at(index.row()).complete ? base | Qt::ItemIsEnabled : base;
}

}  // namespace fovea::gui
