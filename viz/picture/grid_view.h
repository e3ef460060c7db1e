#pragma once

#include <string>
#include <vector>

#include "picture/grid_tokens.h"
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
    std::vector<int> tokens;  // [rows, columns], indices into `stage`, -1 where a cell is none; may be empty
    std::string subtitle;

    int tokenAt(int row, int column) const {
        const auto at = static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) + static_cast<std::size_t>(column);
        return onTokenGrid && at < tokens.size() ? tokens[at] : -1;
    }
    Rect sourceRect(int row, int column) const;
};

/// The map of a Grid or TokenScores finding; throws Error (Usage) when it has no such plane, Error (Internal)
/// when its sizes contradict each other.
GridView gridView(const PaintInput& input, int plane, const std::string& fuse);

/// A finding with several planes as the one map that they fuse to; its name says how. Others as they are.
Finding fusedFinding(const Finding& finding, const std::string& fuse);

/// A map of many planes whose few outlying values are moved to the end of the rest: beyond the `percent` largest magnitudes
/// where the largest of all is more than twice as large; its name tells it apart. 0: as it is.
Finding cutFinding(const Finding& finding, double percent);

/// Whether the painters let a photograph through where a finding has little heat, by the display's blend.
bool fadesHeat(const Display& display, const Finding& finding);

/// What a colour bar calls a scale beyond whose ends there are values; `percent`: of cells that a linked scale was allowed to
/// leave out, 0 for none. Empty where the scale holds all values.
std::string cutScaleName(const ValueScale& scale, const Display& display, double percent);

/// How much of the maps lies beyond the scale; empty where nothing does.
std::string beyondText(const ValueScale& scale, const std::vector<float>& values);

/// Throws Error (Internal) when planes, rows, columns and values of a grid do not agree.
void checkGrid(const Grid& grid, const std::string& name);

/// Applies the display's sink policy to one plane of a grid whose cells are `tokens`.
void applySinks(const Display& display, const std::vector<int>& tokens, bool isSigned, std::vector<float>& values);

/// The chosen colour map, or coolwarm when values are signed and the chosen one has no middle.
const ColorMap& colorMapFor(const Display& display, bool isSigned);

/// Which tokens a painter outlines: those of the image grid, or every one.
enum class Outlined { GridTokens, EveryToken };

/// Legend entries and sentences for selected tokens and sinks; `images`: the pictures that are drawn, empty for all.
void legendSelections(Figure& figure, const PaintInput& input, const StageTokens* stage, Outlined outlines,
                      const std::vector<int>& images = {});

}  // namespace fovea::viz
