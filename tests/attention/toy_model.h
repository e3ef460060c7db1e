#pragma once

#include <memory>
#include <string>

#include "attention/forward.h"
#include "fovea/model.h"

namespace fovea::test {

/// A three-block transformer with random weights over a 2 x 3 grid and a class token: small enough to reason about,
/// real enough to exercise every path of the attention call. Two classes.
struct ToyOptions {
    int blocks = 3;
    int heads = 4;
    int keyValueHeads = 4;
    int headDim = 4;
    int tokens = 7;  ///< class token and a grid of (tokens - 1) / 3 rows x 3 columns
    bool causal = false;
    bool bias = false;
    double softcap = 0;
    at::Tensor mask{};  ///< a bias [1, 1, tokens, tokens] of every block
    std::shared_ptr<const AttentionSegments> segments{};  ///< of every block
    at::ScalarType dtype = at::kFloat;
    std::uint64_t seed = 1;
};

std::shared_ptr<const Model> makeToyModel(const ToyOptions& options = {});
std::shared_ptr<const ModelInput> makeToyInput(const ToyOptions& options = {}, int items = 1);

/// Largest absolute difference of two arrays of equal shape.
double largestDifference(const Array& a, const Array& b);

}  // namespace fovea::test
