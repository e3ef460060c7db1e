#pragma once

#include <functional>
#include <string>
#include <vector>

#include "fovea/catalog_table.h"
#include "fovea/finding.h"
#include "fovea/job_context.h"
#include "fovea/param.h"
#include "fovea/pixels.h"
#include "fovea/token_map.h"
#include "fovea/viz/picture.h"

namespace fovea::viz {

/// How values become colours.
struct Scale {
    enum class Kind { Linked, Fixed, Picture, Log, Rank };
    Kind kind = Kind::Linked;
    double minimum = 0, maximum = 0;  ///< for Fixed
    /// Range shared by all pictures that are linked (same analysis and finding), set by the caller; while
    /// both are equal, the finding's own range over all its planes is taken.
    double linkedMinimum = 0, linkedMaximum = 0;
};

enum class Filter { Nearest, Bilinear, Bicubic };

/// What becomes of sink tokens in a map: drawn as they are; removed with the rest renormalised; or their mass
/// spread over the other tokens in equal parts.
enum class SinkPolicy { Keep, Mask, Redistribute };

/// How heat lies over a photograph: by value, so that the photograph shows where there is little heat; all of it alike; or,
/// automatically, maps of single pixels alike and others by value, since specks of heat are lost in a photograph.
enum class Blend { Auto, Value, Even };

/// Display settings of one picture.
struct Display {
    Scale scale;
    std::string colormap = "inferno";
    double opacity = 0.75;  ///< of the strongest heat
    Blend blend = Blend::Auto;
    double threshold = 0;
    Filter filter = Filter::Nearest;
    SinkPolicy sinks = SinkPolicy::Keep;
    std::vector<int> sinkTokens;  ///< the tokens that the policy is about, found by the caller
    bool tokenGrid = true;
    bool recipe = true;
    double fontSize = 12;
    double width = 640;  ///< of the picture, in units of 1/96 inch; painters grow beyond it when they must
};

/// One of several pictures of a prompt with its map.
struct PictureCell {
    const Finding* finding = nullptr;
    const Pixels* image = nullptr;
    std::string label;  ///< "picture 1", "frame 1.5 s"
};

/// Everything a painter may look at.
struct PaintInput {
    const Finding& finding;
    const TokenMap& tokens;
    const Pixels& image;  ///< the upright original; may be empty
    Display display;
    std::string recipe;               ///< the recipe line, drawn under the picture unless switched off
    std::vector<int> selectedTokens;  ///< highlighted
    JobContext job;
    /// Maps to be drawn side by side by painters that draw sheets; fewer than two: `finding` over `image` alone, otherwise
    /// `finding` has the title, unit and note of the sheet.
    std::vector<PictureCell> cells = {};
    std::vector<std::string> remarks = {};  ///< sentences that say what is not drawn
};

/// One file of viz/painters: turns findings of some kinds into a Picture. Adding a painter is adding
/// one file.
struct PainterEntry {
    EntryInfo info;
    std::vector<std::string> kinds;  ///< finding kinds it can draw ("Grid", "Tree", ...)
    bool sheets = false;             ///< draws maps of several pictures side by side (PaintInput::cells)
    int priority = 0;                ///< the default painter of a kind is the one of highest priority
    std::function<Picture(const PaintInput&, const nlohmann::json& params)> paint;
    /// Whether it draws this finding better than the default painter of its kind does; may be empty.
    std::function<bool(const Finding&)> prefers = {};
    /// What the colours are of, where that is not the finding's own values: several planes fused to one map. Its name
    /// tells it apart. May be empty.
    std::function<Finding(const Finding&, const nlohmann::json& params)> reduced = {};
};

using PainterCatalog = EntryTable<PainterEntry>;

/// All painters; throws Error (Internal) on a duplicate id.
PainterCatalog makePainterCatalog();

/// The painter for a finding: by id; or, when `id` is empty, one that prefers it, or else the default of its kind, among
/// those that know all of `params`. Throws Error (Usage).
const PainterEntry& painterFor(const PainterCatalog& catalog, const Finding& finding, const std::string& id,
                               const nlohmann::json& params = nlohmann::json::object());

/// Smallest and largest finite value of a finding's numbers; what linked scales are made of.
std::pair<double, double> valueRange(const Finding& finding);

}  // namespace fovea::viz
