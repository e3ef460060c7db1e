#include "models/edit_list.h"

#include "forms/param_editor.h"

namespace fovea::gui {

EditList::EditList(const Offer& offer, QObject* parent) : QAbstractListModel(parent), m_offer(offer) {}

void EditList::setEdits(const std::vector<Intervention>& edits) {
    if (edits == m_edits) return;
    if (edits.size() == m_edits.size()) {
        // The same rows with other contents: selection and scroll position stay.
        m_edits = edits;
        if (!edits.empty()) Q_EMIT dataChanged(index(0), index(static_cast<int>(edits.size()) - 1));
        return;
    }
    beginResetModel();
    m_edits = edits;
    m_counts.assign(edits.size(), -1);
    endResetModel();
}

void EditList::setCounts(const std::vector<int>& counts) {
    if (counts.size() != m_edits.size() || counts.empty()) return;
    m_counts = counts;
    Q_EMIT dataChanged(index(0), index(static_cast<int>(counts.size()) - 1));
}

int EditList::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_edits.size());
}

QString EditList::summary(const Intervention& edit) const {
    QStringList parts;
    for (const auto& [name, value] : edit.params.items())
        parts << QString("%1 %2").arg(
            labelOf(name).toLower(),
            QString::fromStdString(value.is_string() ? value.get<std::string>() : value.dump()));
    return parts.join(", ");
}

QVariant EditList::data(const QModelIndex& index, int role) const {
    if (!index.isValid() || index.row() >= rowCount()) return {};
    const auto row = static_cast<std::size_t>(index.row());
    const Intervention& edit = m_edits[row];
    const EntryInfo* entry = m_offer.intervention(edit.id);
    const QString title = QString::fromStdString(entry ? entry->title : edit.id);
    const int count = m_counts[row];
    const QString sites = !edit.enabled ? tr("off")
                          : count < 0   ? QString()
                          : count == 1  ? tr("1 site")
                                        : tr("%1 sites").arg(count);
    switch (role) {
        case Qt::DisplayRole: {
            const QString settings = summary(edit);
            const QString second = settings.isEmpty() ? sites
                                   : sites.isEmpty()  ? settings
                                                      : settings + "  ·  " + sites;
            return second.isEmpty() ? title : title + "\n" + second;
        }
        case Qt::CheckStateRole:
            return edit.enabled ? Qt::Checked : Qt::Unchecked;
        case Qt::ToolTipRole:
            return entry ? QString::fromStdString(entry->help) : title;
        case Qt::AccessibleTextRole:
            return title + ", " + summary(edit) + ", " + sites;
        default:
            return {};
    }
}

bool EditList::setData(const QModelIndex& index, const QVariant& value, int role) {
    if (role != Qt::CheckStateRole || !index.isValid()) return false;
    Q_EMIT enabledChosen(index.row(), value.toInt() == Qt::Checked);
    return true;
}

Qt::ItemFlags EditList::flags(const QModelIndex& index) const {
    if (!index.isValid()) return Qt::NoItemFlags;
    return Qt::ItemIsEnabled | Qt::ItemIsSelectable | Qt::ItemIsUserCheckable | Qt::ItemNeverHasChildren;
}

}  // namespace fovea::gui
