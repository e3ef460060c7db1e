#include <cmath>
#include <doctest/doctest.h>
#include <vector>

#include "fovea/kernels/kernels.h"

TEST_CASE("reference attention: equal keys give uniform rows") {
    const std::vector<double> query(2 * 3, 0.5), key(4 * 3, 0.25);
    std::vector<double> probs(8), lse(2), entropy(2), colsum(4);
    const fv_reference_problem problem{query.data(), key.data(), nullptr, 1, 1, 2, 4, 3, 1.0, 0, 0};
    const fv_reference_result result{probs.data(), lse.data(), entropy.data(), nullptr, colsum.data(), nullptr};
    REQUIRE(fv_reference_attention(&problem, &result) == FV_OK);
    for (double p : probs) CHECK(p == doctest::Approx(0.25));
    CHECK(entropy[0] == doctest::Approx(std::log(4.0)));
    CHECK(lse[1] == doctest::Approx(0.375 + std::log(4.0)));
    CHECK(colsum[3] == doctest::Approx(0.5));
}

TEST_CASE("reference attention: causal rows and a fully masked row") {
    const std::vector<double> query(2, 1.0), key{1.0, 2.0};
    std::vector<double> probs(4), lse(2);
    fv_reference_problem problem{query.data(), key.data(), nullptr, 1, 1, 2, 2, 1, 1.0, 1, 0};
    const fv_reference_result result{probs.data(), lse.data(), nullptr, nullptr, nullptr, nullptr};
    REQUIRE(fv_reference_attention(&problem, &result) == FV_OK);
    CHECK(probs[0] == 1.0);
    CHECK(probs[1] == 0.0);
    CHECK(probs[3] == doctest::Approx(1 / (1 + std::exp(-1.0))));
    problem.q_offset = -1;
    REQUIRE(fv_reference_attention(&problem, &result) == FV_OK);
    CHECK(std::isinf(lse[0]));
    CHECK(probs[0] == 0.0);
}

TEST_CASE("reference attention: bad calls return a status and leave outputs alone") {
    std::vector<double> query(2), key(2), probs(4, -7);
    const fv_reference_result result{probs.data(), nullptr, nullptr, nullptr, nullptr, nullptr};
    fv_reference_problem problem{query.data(), key.data(), nullptr, 1, 1, 0, 2, 1, 1.0, 0, 0};
    CHECK(fv_reference_attention(&problem, &result) == FV_BAD_SIZE);
    problem = {nullptr, key.data(), nullptr, 1, 1, 2, 2, 1, 1.0, 0, 0};
    CHECK(fv_reference_attention(&problem, &result) == FV_NULL_POINTER);
    CHECK(probs[0] == -7);
    CHECK(fv_get_device_info(-1, nullptr) == FV_NULL_POINTER);
}
