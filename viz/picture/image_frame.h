#pragma once

#include <string>
#include <vector>

#include "picture/figure.h"

namespace fovea::viz {

/// Where the original picture lies in a figure, and the mapping from its pixels to picture units.
struct ImageFrame {
    Rect target;                             ///< picture units
    double pixelWidth = 1, pixelHeight = 1;  ///< size of the original

    /// Pixels to picture units; what lies outside the original is moved to its edge.
    Rect map(const Rect& pixels) const;
    Point map(double x, double y) const;
    bool holds(double x, double y) const;
    double bottom() const { return target.y + target.height; }
};

/// Size in pixels of the upright original: what the token map says (the image may be a smaller copy), else of
/// the image itself, else `area`'s far corner.
Rect imageExtent(const PaintInput& input, int image, const Rect& area = {});

/// Room kept free around an original, picture units, and how far it is mixed with white, 0..1.
struct Placement {
    double left = 0, right = 0, top = 0, fade = 0;
};

/// Where an original of `extent` lies between the figure's margins, not higher than 1.1 times the width that
/// is left.
ImageFrame imageFrame(const Figure& figure, const Rect& extent, const Placement& place);

/// Draws the original in its frame (reduced when it is large; white when there is none) with a veil over the
/// parts that no token reads.
ImageFrame placeImage(Figure& figure, const PaintInput& input, const Rect& extent, int image,
                      const Placement& place);

/// Where an original of `extent` lies in a box: as large as fits, at its upper edge, in the middle of its width.
ImageFrame fitted(const Rect& box, const Rect& extent);

/// Draws the original in a frame as placeImage() does.
void drawImage(Figure& figure, const PaintInput& input, int image, const ImageFrame& frame, double fade);

/// The stage whose image grid has that many rows and columns, or null.
const StageTokens* stageWithGrid(const TokenMap& tokens, int rows, int columns);

/// The stage of that name, or null.
const StageTokens* findStage(const TokenMap& tokens, const std::string& name);

/// What people call a token: its text, or row and column, with its index.
std::string tokenName(const StageTokens* stage, int token, BrokenBytes bytes = BrokenBytes::Signs);

/// Names of many tokens, joined; runs of image tokens are written as ranges.
std::string tokenNames(const StageTokens* stage, std::vector<int> tokens);

/// The sentence that says what became of the sinks; empty when there are none.
std::string sinkSentence(SinkPolicy policy, const StageTokens* stage, const std::vector<int>& tokens);

}  // namespace fovea::viz
