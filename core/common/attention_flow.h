#pragma once

#include <functional>
#include <vector>

namespace fovea {

/// Where the column ramp (j+1)/N of the regularised attention flow is applied (VL-SAM, arXiv:2410.05963; the
/// paper leaves it open).
enum class FlowRamp { None, Accumulated, Layers, End };

/// v^T S of one layer's weighted map S [N, N], for a row vector v [N].
using LayerProduct = std::function<std::vector<double>(int layer, const std::vector<double>& v)>;

/// A row combination v^T F of the attention flow F = F_L with F_l = (I + S_l)(I + F_(l-1)), F_1 = S_1, as a
/// chain of products with row vectors, so that no N x N matrix exists. `ramp` multiplies columns by (j+1)/N:
/// of every F_l, of every S_l, or of F_L alone. [N]; `layers` >= 1.
std::vector<double> attentionFlow(int layers, std::vector<double> v, FlowRamp ramp,
                                  const LayerProduct& product);

}  // namespace fovea
