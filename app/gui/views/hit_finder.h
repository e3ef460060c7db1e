#pragma once

#include <QPointF>
#include <QRectF>
#include <set>

#include "fovea/viz/picture.h"

namespace fovea::gui {

/// The smallest hit area under a point of the picture; -1 when there is none.
int hitAt(const viz::Picture& picture, const QPointF& point);

/// The hit area of that token that comes first in the picture; -1 when there is none.
int hitOfToken(const viz::Picture& picture, const std::string& stage, int token);

/// The nearest hit area from `from` in the direction of an arrow key (dx, dy in -1..1); `from` itself when
/// none lies there.
int neighbourOf(const viz::Picture& picture, int from, int dx, int dy);

/// Tokens whose hit areas have their middle inside the rectangle, all of one stage; `stage` receives its name.
std::set<int> tokensIn(const viz::Picture& picture, const QRectF& area, std::string* stage = nullptr);

QRectF toQt(const Rect& rect);

}  // namespace fovea::gui
