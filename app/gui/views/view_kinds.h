#pragma once

#include <QString>
#include <string>
#include <vector>

#include "compute/offer.h"

namespace fovea::gui {

/// One tab of the centre.
struct ViewKind {
    QString id, title, tip;
    std::vector<std::string> painters;  ///< that it uses, in order of preference; empty for the input view
    std::string suggestion;             ///< an analysis that this view can draw
};

/// The tabs in their order: the input, the usual views, and one for each painter that none of these uses.
std::vector<ViewKind> viewKinds(const Offer& offer);

}  // namespace fovea::gui
