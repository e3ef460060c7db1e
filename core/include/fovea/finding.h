#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "fovea/array.h"
#include "fovea/rect.h"

namespace fovea {

/// One value per token of a stage; NaN where a token has none (pruned).
struct TokenScores {
    std::string stage;
    std::vector<float> values;  // [tokens]
};

/// A query x key matrix served by tiles, so that it need never exist whole.
class MatrixSource {
public:
    virtual ~MatrixSource() = default;
    virtual int rows() const = 0;
    virtual int columns() const = 0;
    /// Exact values of a part, [rows, columns]; the range is clipped to the matrix.
    virtual Array tile(int rowBegin, int rowEnd, int columnBegin, int columnEnd) const = 0;
    /// Means over cells of block x block values, [ceil(rows/block), ceil(columns/block)].
    virtual Array pooled(int block) const = 0;
};

/// A matrix over tokens, on demand.
struct PairMatrix {
    std::string rowStage, columnStage;
    std::shared_ptr<const MatrixSource> source;
};

/// Maps over an image: one or more planes (heads, layers) on a grid of cells that tile `area` evenly.
struct Grid {
    int image = 0;
    int rows = 0, columns = 0;
    Rect area;  ///< part of the upright original picture that the grid covers, pixels
    std::vector<std::string> planes;      ///< names; one entry per plane, "" for a single one
    std::vector<float> values;            // [planes, rows, columns], NaN = no value
    bool pixels = false;                  ///< cells are pixels of the model's input, not tokens
    bool signedValues = false;            ///< draw on a diverging map around 0

    int planeCount() const { return static_cast<int>(planes.size()); }
    float at(int plane, int row, int column) const {
        return values[(static_cast<std::size_t>(plane) * rows + row) * columns + column];
    }
};

/// A forest over tokens: parent index (into `tokens`) of every node, -1 for a root, and the strength of that
/// edge.
struct Tree {
    std::string stage;
    std::vector<int> tokens;     ///< token index of every node
    std::vector<int> parent;
    std::vector<float> weight;   ///< confidence of the edge to the parent
    std::vector<int> depth;
    std::vector<float> score;    ///< per node, e.g. received mass
};

/// A gaze-like path over the upright original picture.
struct Path {
    struct Fixation {
        double x = 0, y = 0;          ///< pixels
        double onset = 0, duration = 0;  ///< milliseconds
        double mass = 0;              ///< share of the map captured
    };
    int image = 0;
    std::vector<Fixation> fixations;
};

/// Curves over a common axis.
struct Series {
    struct Line {
        std::string name;
        std::vector<double> x, y;
    };
    std::string xLabel, yLabel;
    std::vector<Line> lines;
};

/// Rows of texts and numbers.
struct Table {
    using Cell = std::variant<double, std::string>;
    struct Column {
        std::string name, unit;
    };
    std::vector<Column> columns;
    std::vector<std::vector<Cell>> rows;
};

/// What an analysis found: one of seven kinds, with its name, unit and caveats.
struct Finding {
    using Data = std::variant<TokenScores, PairMatrix, Grid, Tree, Path, Series, Table>;
    std::string name;   ///< unique within the analysis: "map", "table", ...
    std::string title;  ///< for people
    std::string unit;   ///< of the values: "probability", "nats", "patches", ...
    std::string note;   ///< a caveat that belongs under every picture; may be empty
    Data data;
};

/// "TokenScores", "Grid", ...
const char* findingKindName(const Finding& finding);

/// The numbers of a finding as JSON (a PairMatrix is pooled to at most 512 x 512 and says so).
nlohmann::json toJson(const Finding& finding);

}  // namespace fovea
