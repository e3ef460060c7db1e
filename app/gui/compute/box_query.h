#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fovea/rect.h"
#include "session/session.h"

namespace fovea::gui {

/// A box of a picture whose readers are asked for, in whole pixels of the upright original.
struct BoxQuery {
    int image = 0;
    Rect box;
    bool operator==(const BoxQuery&) const = default;
};

/// How much the tokens of a sequence read the box.
struct BoxReaders {
    std::string stage;
    std::vector<float> scores;  ///< [tokens of the stage]: probability mass on the box
};

/// Index of the analysis that asks for the readers of a box, -1 when the session has none.
int boxAnalysis(const Session& session);
/// The box that the session asks about; nothing where it asks about none, or about a whole picture.
std::optional<BoxQuery> boxQuery(const Session& session);
/// Asks about a box (nothing: about none); what else that analysis was told stays. An analysis that no picture draws goes
/// with its box.
void setBoxQuery(Session& session, const std::optional<BoxQuery>& query);
/// "40,60,120,80 of picture 1"; the picture is named where there are several.
std::string boxText(const BoxQuery& query, bool several);

}  // namespace fovea::gui
