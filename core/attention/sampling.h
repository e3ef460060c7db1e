#pragma once

#include <ATen/core/Tensor.h>

#include <random>

#include "fovea/generate.h"

namespace fovea {

/// Chooses tokens from logits; draws follow from the seed alone.
class Sampler {
public:
    Sampler(const Sampling& sampling, int candidates)
        : m_sampling(sampling), m_candidates(candidates), m_random(sampling.seed) {}

    /// The next token by scores [vocabulary]; its probability is that of the float logits [vocabulary].
    GeneratedToken choose(const at::Tensor& logits, const at::Tensor& scores);
    /// As if so many tokens had been chosen.
    void skip(std::size_t tokens);

private:
    int draw(const at::Tensor& scores);

    Sampling m_sampling;
    int m_candidates;
    std::mt19937_64 m_random;
};

}  // namespace fovea
