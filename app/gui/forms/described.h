#pragma once

#include <QString>
#include <QWidget>

namespace fovea::gui {

/// Gives a control its tooltip and accessible name in one place, so that none is forgotten.
template <typename Widget>
Widget* described(Widget* widget, const QString& name, const QString& tip) {
    widget->setAccessibleName(name);
    widget->setToolTip(tip);
    return widget;
}

}  // namespace fovea::gui
