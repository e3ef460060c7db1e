#include "common/attention_flow.h"

namespace fovea {
namespace {

void applyRamp(std::vector<double>& v) {
    const auto n = static_cast<double>(v.size());
    for (std::size_t j = 0; j < v.size(); ++j) v[j] *= (static_cast<double>(j) + 1) / n;
}

}  // namespace

// v^T F_l = u + u^T F_(l-1) with u = v + v^T S_l; the ramp of the accumulated map scales that sum, so it also
// scales everything that the lower layers add: the factors of all layers above multiply up column by column.
std::vector<double> attentionFlow(int layers, std::vector<double> v, FlowRamp ramp,
                                  const LayerProduct& product) {
    const std::size_t n = v.size();
    std::vector<double> out(n, 0.0);
    std::vector<std::vector<double>> sums;
    for (int layer = layers - 1; layer >= 0; --layer) {
        std::vector<double> step = product(layer, v);
        if (ramp == FlowRamp::Layers) applyRamp(step);
        if (layer == 0) {
            v = std::move(step);
        } else {
            for (std::size_t j = 0; j < n; ++j) v[j] += step[j];
        }
        sums.push_back(v);
    }
    // From the lowest layer up, since the ramp of F_l acts on its sum.
    for (std::size_t i = sums.size(); i-- > 0;) {
        for (std::size_t j = 0; j < n; ++j) out[j] += sums[i][j];
        if (ramp == FlowRamp::Accumulated) applyRamp(out);
    }
    if (ramp == FlowRamp::End) applyRamp(out);
    return out;
}

}  // namespace fovea
