#pragma once

#include <QImage>

#include "fovea/viz/picture.h"

namespace fovea::viz {

/// The picture at dpi / 96 pixels to a unit; throws Error when dpi or size is out of range.
QImage renderImage(const Picture& picture, double dpi);

/// A PDF of one page with the picture's size.
std::string encodePdf(const Picture& picture, bool metadata);

}  // namespace fovea::viz
