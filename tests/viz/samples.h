#pragma once

#include <string>
#include <vector>

#include "fovea/finding.h"
#include "fovea/pixels.h"
#include "fovea/token_map.h"
#include "fovea/viz/painter.h"

namespace fovea::viz::samples {

/// A photograph-like picture: smooth shading, a few shapes, some texture.
Pixels photo(int width, int height);

/// The token map of a ViT (stage "vision": [CLS] and a grid over the whole picture) and a language model
/// (stage "text").
TokenMap tokens(int width, int height, int rows, int columns);

/// A matrix in memory.
class DenseMatrix : public MatrixSource {
public:
    DenseMatrix(int rows, int columns, std::vector<float> values)
        : m_rows(rows), m_columns(columns), m_values(std::move(values)) {}
    int rows() const override { return m_rows; }
    int columns() const override { return m_columns; }
    Array tile(int rowBegin, int rowEnd, int columnBegin, int columnEnd) const override;
    Array pooled(int block) const override;

private:
    int m_rows, m_columns;
    std::vector<float> m_values;
};

/// Attention-like planes over a grid: a few bumps, different for each plane, values that sum to less than 1.
Finding grid(int rows, int columns, const std::vector<std::string>& planes, double width, double height,
             bool isSigned = false);
Finding scores(const TokenMap& tokens, const std::string& stage);
Finding matrix(const std::string& stage, int size);
Finding tree(const TokenMap& tokens);
Finding path(double width, double height, int fixations);
Finding series(int lines, int points);
Finding table(int rows);

/// Names "L0 H0" ... of layers x heads planes.
std::vector<std::string> headNames(int layers, int heads);

/// One ordinary finding of every kind over a 14 x 14 grid.
std::vector<Finding> all(const TokenMap& tokens, double width, double height);

/// Findings of every kind that are empty, of one element, or without a single number.
std::vector<Finding> awkward(const TokenMap& tokens);

}  // namespace fovea::viz::samples
