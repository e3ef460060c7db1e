#pragma once

#include <vector>

namespace fovea {

enum class QuadratureRule { GaussLegendre, Left, Right, Middle };

/// Nodes and weights of an integral over [0, 1]; the weights sum to 1.
struct Quadrature {
    std::vector<double> nodes;
    std::vector<double> weights;
};

/// A rule with `points` (at least 1) nodes; Gauss-Legendre is exact for polynomials up to degree 2 points
/// - 1.
Quadrature quadrature(QuadratureRule rule, int points);

}  // namespace fovea
