#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fovea/finding.h"
#include "fovea/model.h"
#include "fovea/viz/painter.h"
#include "session.h"

namespace fovea {

/// Maps of a prompt's pictures that are drawn side by side: one page of them, the finest map of each picture.
struct PictureSheet {
    std::vector<const Finding*> maps;
    int first = 0;    ///< of all pictures that have a map, the one that the page begins with
    int pictures = 0; ///< that have a map
    int page = 0;
    bool otherViews = false;  ///< some picture has coarser maps, too, which are not on the sheet
};

/// Names that a picture request has for its sheets (PictureRequest::finding): "maps", and "maps 1", ... where there are more
/// than 16 pictures; empty with fewer than two.
std::vector<std::string> sheetNames(const std::vector<Finding>& findings);
/// "All pictures", "Pictures 16 to 31 of 40"; one for each of sheetNames().
std::vector<std::string> sheetTitles(const std::vector<Finding>& findings);
/// The sheet of that name; nothing where the name is none of a sheet's, or a finding's, or there is one picture only.
std::optional<PictureSheet> sheetOf(const std::vector<Finding>& findings, const std::string& name);
/// Whether a name is that of a sheet, be there one or not.
bool namesSheet(const std::string& name);
/// The finding with title, unit and note of the sheet.
Finding sheetCaption(const PictureSheet& sheet);
/// What the sheet leaves out, as sentences.
std::vector<std::string> sheetRemarks(const PictureSheet& sheet);
/// What people call a picture of a prompt: "picture 1", "frame 1.5 s".
std::string pictureLabel(const ModelInput& input, int image);

/// "map 2" is called "map", as the first of the maps that it belongs to.
std::string besideName(const std::string& name);
/// The finest map of each picture, of those that `map` belongs to; `map` alone where it is no map of a picture.
std::vector<const Finding*> mapsBeside(const std::vector<Finding>& findings, const Finding& map);

}  // namespace fovea
