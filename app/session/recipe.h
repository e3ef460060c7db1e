#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fovea/catalog.h"
#include "fovea/finding.h"
#include "fovea/viz/painter.h"
#include "session.h"

namespace fovea {

/// The display settings as painters take them; throws Error (Usage) on a fixed scale without a range.
viz::Display displayOf(const DisplayOptions& options);

/// "cat.png", "scene 7": an input image for people.
std::string imageName(const std::string& image);

/// What the recipe line names beside the session itself.
struct RecipeParts {
    std::string model;          ///< display name
    std::string device, dtype;  ///< what really computed
    int item = 0, items = 1;
    int sinks = 0;                           ///< tokens that the sink policy is about
    int sinksElsewhere = 0;                  ///< sinks that have no place in what is drawn
    bool scaled = true;                      ///< whether values become colours at all
    std::pair<double, double> linked{0, 0};  ///< range of a linked scale
    double cut = 0;                          ///< percent of the values that a linked scale leaves beyond its end; 0: none
    std::vector<std::string> notices;        ///< what the run remarked
    std::string prompt;                      ///< what was asked last; empty: the session's own
    std::string answer;                      ///< that the result is about; empty without one
    std::string rules;                       ///< that the answer was made by; empty without any
    const EntryInfo* map = nullptr;          ///< of the analysis whose map this one goes on from; null without one
};

/// The line under a picture: model, input, chat file, beginning of prompt and answer where there are any, analysis and parameters, layers and heads, scale, sink policy,
/// edits, seed, version.
std::string recipeLine(const Session& session, const PictureRequest& picture, const EntryInfo& analysis,
                       const RecipeParts& parts);

/// A session of one image, one analysis and one picture that draws `picture` again, with the linked range
/// written down.
Session reproducing(const Session& session, int picture, const RecipeParts& parts);

}  // namespace fovea
