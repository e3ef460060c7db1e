#pragma once

#include <QAbstractListModel>
#include <vector>

#include "compute/offer.h"
#include "fovea/intervention.h"

namespace fovea::gui {

/// The ordered interventions of the session: check box, title with its settings, and how many sites each
/// touches.
class EditList : public QAbstractListModel {
    Q_OBJECT

public:
    explicit EditList(const Offer& offer, QObject* parent = nullptr);
    void setEdits(const std::vector<Intervention>& edits);
    void setCounts(const std::vector<int>& counts);

    int rowCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    bool setData(const QModelIndex& index, const QVariant& value, int role) override;
    Qt::ItemFlags flags(const QModelIndex& index) const override;

Q_SIGNALS:
    /// The user checked or unchecked an edit; the list shows it when the session comes back changed.
    void enabledChosen(int row, bool enabled);

private:
    QString summary(const Intervention& edit) const;

    const Offer& m_offer;
    std::vector<Intervention> m_edits;
    std::vector<int> m_counts;  // -1: not known yet
};

}  // namespace fovea::gui
