#pragma once

#include <span>
#include <string>
#include <vector>

#include "fovea/finding.h"
#include "fovea/model.h"

namespace fovea {

/// Probabilities over a vocabulary, from a row of logits.
struct TokenDistribution {
    std::vector<double> logProbability;  // [vocabulary], natural logarithms

    static TokenDistribution of(std::span<const float> logits);
    double probability(int id) const;
    double entropy() const;  ///< nats
    /// Kullback-Leibler divergence from `other`: sum p log(p / q), in nats.
    double divergenceFrom(const TokenDistribution& other) const;
    /// The ids of largest probability, falling; ties by id.
    std::vector<int> top(int count) const;
};

/// A row of [rows, vocabulary] values.
std::span<const float> rowOf(const Array& values, std::int64_t row);

/// Throws Error (Usage), naming the analysis, for a model without a head over a vocabulary.
void requireText(const ModelSpec& spec, const std::string& analysis);

}  // namespace fovea
