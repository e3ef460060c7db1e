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
    /// Parameters of the analysis that suit this view, where the analysis declares them and the session
    /// leaves them open.
    nlohmann::json params = nlohmann::json::object();
};

/// Fills in what the view suggests for the analysis request.
void applyViewParams(const ViewKind& kind, const EntryInfo& analysis, nlohmann::json& params);

/// The tabs in their order: the input, the usual views, and one for each painter that none of these uses.
std::vector<ViewKind> viewKinds(const Offer& offer);

}  // namespace fovea::gui
