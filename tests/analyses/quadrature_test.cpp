#include "common/quadrature.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace fovea;

namespace {

// Integrated gradients of f(x, y) = x^2 y^3 at (1, 2) from zero.
std::pair<double, double> attribution(QuadratureRule rule, int points) {
    const Quadrature q = quadrature(rule, points);
    double x = 0, y = 0;
    for (std::size_t i = 0; i < q.nodes.size(); ++i) {
        const double a = q.nodes[i];
        x += q.weights[i] * 2 * a * std::pow(2 * a, 3);
        y += q.weights[i] * 3 * a * a * std::pow(2 * a, 2);
    }
    return {x * 1, y * 2};
}

}  // namespace

TEST_CASE("integrated gradients of x^2 y^3: golden values of every rule") {
    const auto gauss = attribution(QuadratureRule::GaussLegendre, 3);
    CHECK(std::abs(gauss.first - 3.2) < 1e-13);
    CHECK(std::abs(gauss.second - 4.8) < 1e-13);
    const auto middle = attribution(QuadratureRule::Middle, 50);
    CHECK(std::abs(middle.first - 3.198933) < 1e-6);
    CHECK(std::abs(middle.second - 4.798400) < 1e-6);
    const auto right = attribution(QuadratureRule::Right, 50);
    CHECK(std::abs(right.first - 3.362133) < 1e-6);
    CHECK(std::abs(right.second - 5.043200) < 1e-6);
    CHECK(attribution(QuadratureRule::Left, 50).first < 3.2);
}

TEST_CASE("Gauss-Legendre is exact up to degree 2 n - 1, weights sum to 1, nodes ascend inside (0, 1)") {
    for (const int points : {1, 2, 5, 20, 50, 200}) {
        const Quadrature q = quadrature(QuadratureRule::GaussLegendre, points);
        CHECK(std::abs(std::accumulate(q.weights.begin(), q.weights.end(), 0.0) - 1) < 1e-12);
        for (int degree = 0; degree < std::min(2 * points, 60); ++degree) {
            double sum = 0;
            for (std::size_t i = 0; i < q.nodes.size(); ++i)
                sum += q.weights[i] * std::pow(q.nodes[i], degree);
            CAPTURE(points);
            CAPTURE(degree);
            CHECK(std::abs(sum - 1.0 / (degree + 1)) < 1e-12);
        }
        CHECK(q.nodes.front() > 0);
        CHECK(q.nodes.back() < 1);
        CHECK(std::is_sorted(q.nodes.begin(), q.nodes.end()));
    }
}

TEST_CASE("the 3-point rule's nodes") {
    const Quadrature q = quadrature(QuadratureRule::GaussLegendre, 3);
    CHECK(q.nodes[0] == doctest::Approx(.5 - .5 * std::sqrt(.6)));
    CHECK(q.nodes[1] == doctest::Approx(.5));
    CHECK(q.weights[1] == doctest::Approx(4.0 / 9));
}
