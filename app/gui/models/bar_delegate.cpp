#include "models/bar_delegate.h"

#include <QApplication>
#include <QPainter>
#include <algorithm>

#include "models/model_tree.h"

namespace fovea::gui {

namespace {

constexpr int smallestBar = 10;  // pixels; a shorter one says nothing

}  // namespace

QSize BarDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const {
    return QStyledItemDelegate::sizeHint(option, index) + QSize(0, option.fontMetrics.height() / 2);
}

void BarDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option,
                        const QModelIndex& index) const {
    const QVariant fraction = index.data(ModelTree::FractionRole);
    if (!fraction.isValid()) {
        QStyledItemDelegate::paint(painter, option, index);
        return;
    }
    QStyleOptionViewItem item = option;
    initStyleOption(&item, index);
    const QString number = item.text;
    item.text.clear();
    const QWidget* widget = option.widget;
    (widget ? widget->style() : QApplication::style())
        ->drawControl(QStyle::CE_ItemViewItem, &item, painter, widget);

    painter->save();
    const bool selected = option.state & QStyle::State_Selected;
    const int textWidth = option.fontMetrics.horizontalAdvance("0.000");
    const QRect area = option.rect.adjusted(4, 0, -4, 0);
    const int room = std::max(0, area.width() - textWidth - 4);
    const int height = std::max(4, option.rect.height() / 3);
    QRect track(area.left(), area.center().y() - height / 2, room, height);
    QColor ink = option.palette.color(selected ? QPalette::HighlightedText : QPalette::Highlight);
    QColor ground = ink;
    ground.setAlpha(40);
    if (room >= smallestBar) {
        painter->fillRect(track, ground);
        const double share = fraction.toDouble();
        track.setWidth(static_cast<int>(room * (share > 0 ? std::min(share, 1.0) : 0)));
        painter->fillRect(track, ink);
    }
    painter->setPen(option.palette.color(selected ? QPalette::HighlightedText : QPalette::Text));
    painter->drawText(area, Qt::AlignRight | Qt::AlignVCenter, number);
    painter->restore();
}

}  // namespace fovea::gui
