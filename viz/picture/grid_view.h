#pragma once

#include <string>
#include <vector>

#include "picture/image_frame.h"

namespace fovea::viz {

/// One map ready to draw: a plane of a Grid, planes fused, or the image tokens of TokenScores, with the sink
/// policy applied.
struct GridView {
    int image = 0, rows = 0, columns = 0;
    Rect area;                  ///< pixels of the original that the cells cover
    std::vector<float> values;  // [rows, columns], after the sink policy
    std::vector<float> raw;     // [rows, columns], before it
    bool isSigned = false;
    bool onTokenGrid = false;  ///< cells are image tokens of `stage`
    const StageTokens* stage = nullptr;
    std::string subtitle;

    int tokenAt(int row, int column) const { return stage && onTokenGrid ? stage->tokenAt(row, column) : -1; }
    Rect sourceRect(int row, int column) const;
};

/// The map of a Grid or TokenScores finding; throws Error (Usage) when it has no such plane, Error (Internal)
/// when its sizes contradict each other.
GridView gridView(const PaintInput& input, int plane, const std::string& fuse);

/// A finding with several planes as the one map that they fuse to; its name says how. Others as they are.
Finding fusedFinding(const Finding& finding, const std::string& fuse);

/// The stage that a grid's cells are tokens of, or null.
const StageTokens* stageOf(const TokenMap& tokens, const Grid& grid);

/// Throws Error (Internal) when planes, rows, columns and values of a grid do not agree.
void checkGrid(const Grid& grid, const std::string& name);

/// Applies the display's sink policy to one plane of a grid over the tokens of `stage`.
void applySinks(const Display& display, const StageTokens* stage, int columns, bool isSigned,
                std::vector<float>& values);

/// The chosen colour map, or coolwarm when values are signed and the chosen one has no middle.
const ColorMap& colorMapFor(const Display& display, bool isSigned);

/// Which tokens a painter outlines: those of the image grid, or every one.
enum class Outlined { GridTokens, EveryToken };

/// Legend entries and sentences for selected tokens and sinks.
void legendSelections(Figure& figure, const PaintInput& input, const StageTokens* stage, Outlined outlines);

}  // namespace fovea::viz
