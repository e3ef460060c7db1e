#include "attention/sampling.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/topk.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace fovea {
namespace {

// The probabilities that are left after top-k and top-p, by falling score; sums need not be 1.
std::vector<double> keptProbabilities(const std::vector<double>& scores, const Sampling& sampling) {
    std::vector<double> kept(scores.size());
    double sum = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) sum += kept[i] = std::exp(scores[i] - scores.front());
    for (double& p : kept) p /= sum;
    if (sampling.topP >= 1) return kept;
    // The first token that reaches the share stays, too.
    double reached = 0;
    std::size_t count = 0;
    while (count < kept.size() && (count == 0 || reached < sampling.topP)) reached += kept[count++];
    kept.resize(count);
    return kept;
}

}  // namespace

int Sampler::draw(const at::Tensor& scores) {
    const at::Tensor tempered = scores / m_sampling.temperature;
    const std::int64_t all = tempered.size(0);
    const std::int64_t k = m_sampling.topK > 0 ? std::min<std::int64_t>(m_sampling.topK, all) : all;
    const auto [values, indices] = at::topk(tempered, k);
    const at::Tensor wide = values.to(at::kCPU, at::kDouble).contiguous();
    const at::Tensor ids = indices.to(at::kCPU).contiguous();
    const std::vector<double> kept =
        keptProbabilities({wide.const_data_ptr<double>(), wide.const_data_ptr<double>() + k}, m_sampling);
    // 53 random bits: the same draw on every platform.
    const double uniform = static_cast<double>(m_random() >> 11) * 0x1p-53;
    const double mark = uniform * std::accumulate(kept.begin(), kept.end(), 0.0);
    double reached = 0;
    std::size_t chosen = 0;
    for (std::size_t i = 0; i < kept.size(); ++i) {
        if (kept[i] <= 0) continue;
        chosen = i;
        reached += kept[i];
        if (mark < reached) break;
    }
    return static_cast<int>(ids.const_data_ptr<std::int64_t>()[chosen]);
}

void Sampler::skip(std::size_t tokens) {
    if (m_sampling.temperature > 0) m_random.discard(tokens);  // draw() takes one number
}

GeneratedToken Sampler::choose(const at::Tensor& logits, const at::Tensor& scores) {
    const at::Tensor log = at::log_softmax(logits, 0);
    GeneratedToken token;
    token.id = m_sampling.temperature > 0 ? draw(scores) : static_cast<int>(at::argmax(scores).item<std::int64_t>());
    token.logProbability = log[token.id].item<double>();
    if (m_candidates <= 0) return token;
    const auto [values, indices] = at::topk(log, std::min<std::int64_t>(m_candidates, log.size(0)));
    const at::Tensor wide = values.to(at::kCPU, at::kDouble).contiguous(), ids = indices.to(at::kCPU).contiguous();
    for (std::int64_t i = 0; i < ids.size(0); ++i)
        token.candidates.push_back({static_cast<int>(ids.const_data_ptr<std::int64_t>()[i]), wide.const_data_ptr<double>()[i]});
    return token;
}

}  // namespace fovea
