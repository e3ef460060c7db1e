#pragma once

#include <QStyledItemDelegate>

namespace fovea::gui {

/// Draws rows of ModelTree with room to breathe, and their numbers beside small bars.
class BarDelegate : public QStyledItemDelegate {
    Q_OBJECT

public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option,
               const QModelIndex& index) const override;
    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
};

}  // namespace fovea::gui
