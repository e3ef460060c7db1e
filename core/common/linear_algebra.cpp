#include "common/linear_algebra.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linalg_eigvalsh.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/xlogy.h>

namespace fovea {
namespace {

// The views below are only read.
at::Tensor view(const std::vector<double>& values, int n) {
    return at::from_blob(const_cast<double*>(values.data()), {n, n}, at::TensorOptions(at::kDouble));
}

}  // namespace

std::vector<double> effectiveRanks(const Array& matrices) {
    const at::NoGradGuard noGrad;
    const at::Tensor all = at::from_blob(const_cast<float*>(matrices.values.data()), matrices.shape,
                                         at::TensorOptions(at::kFloat));
    std::vector<double> ranks;
    for (std::int64_t i = 0; i < all.size(0); ++i) {
        const at::Tensor matrix = all[i].to(at::kDouble);
        const bool wide = matrix.size(0) <= matrix.size(1);
        const at::Tensor gram = wide ? at::matmul(matrix, matrix.t()) : at::matmul(matrix.t(), matrix);
        const at::Tensor singular = at::linalg_eigvalsh(gram).clamp_min(0).sqrt();
        const at::Tensor share = singular / singular.sum().clamp_min(1e-300);
        ranks.push_back(at::xlogy(share, share).sum().neg().exp().item<double>());
    }
    return ranks;
}

std::vector<double> multiplied(const std::vector<double>& a, const std::vector<double>& b, int n) {
    const at::NoGradGuard noGrad;
    const at::Tensor product = at::matmul(view(a, n), view(b, n)).contiguous();
    return {product.const_data_ptr<double>(), product.const_data_ptr<double>() + product.numel()};
}

}  // namespace fovea
