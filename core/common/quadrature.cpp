#include "common/quadrature.h"

#include <cmath>
#include <numbers>

namespace fovea {
namespace {

// Newton's method on the Legendre polynomial from Tricomi's estimate of each root.
Quadrature gaussLegendre(int points) {
    Quadrature out{std::vector<double>(static_cast<std::size_t>(points)),
                   std::vector<double>(static_cast<std::size_t>(points))};
    for (int i = 0; i < points; ++i) {
        double x = std::cos(std::numbers::pi * (i + 0.75) / (points + 0.5)), slope = 1;
        for (int round = 0; round < 100; ++round) {
            double current = 1, before = 0;
            for (int k = 0; k < points; ++k) {
                const double next = ((2 * k + 1) * x * current - k * before) / (k + 1);
                before = current;
                current = next;
            }
            slope = points * (x * current - before) / (x * x - 1);
            const double step = current / slope;
            x -= step;
            if (std::abs(step) < 1e-15) break;
        }
        const auto place = static_cast<std::size_t>(points - 1 - i);
        out.nodes[place] = (x + 1) / 2;
        out.weights[place] = 1 / ((1 - x * x) * slope * slope);
    }
    return out;
}

}  // namespace

Quadrature quadrature(QuadratureRule rule, int points) {
    if (rule == QuadratureRule::GaussLegendre) return gaussLegendre(points);
    const double shift = rule == QuadratureRule::Left ? 0.0 : rule == QuadratureRule::Right ? 1.0 : 0.5;
    Quadrature out;
    for (int i = 0; i < points; ++i) {
        out.nodes.push_back((i + shift) / points);
        out.weights.push_back(1.0 / points);
    }
    return out;
}

}  // namespace fovea
