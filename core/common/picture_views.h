#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "fovea/token_map.h"

namespace fovea {

/// Tokens of one picture that lie on one even grid.
struct PictureLattice {
    int image = 0;
    double width = 0, height = 0;  ///< pixels of a whole cell; 0 where no token has a rectangle
    double x = 0, y = 0;           ///< pixels where cell (0, 0) begins, or would begin
    Rect area;                     ///< what the tokens read together
    std::map<std::pair<int, int>, int> cells;  ///< token by (row, column); not empty
};

/// The views of a stage's pictures in order of their tokens, crops of one picture joined where they tile it evenly.
std::vector<PictureLattice> pictureLattices(const StageTokens& stage);

/// A view with rows and columns counted from 0.
struct PictureView {
    PictureLattice lattice;
    int row = 0, column = 0;  ///< of the lattice, where the view's cell (0, 0) is
    int rows = 0, columns = 0;
    std::string name;  ///< "", or what tells it from the picture's other views: "crops", "whole picture", "view 2"
};

/// The views of a stage: pictures in order, the finest view of each first.
std::vector<PictureView> pictureViews(const StageTokens& stage);

}  // namespace fovea
