#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "nn/linear.h"
#include "nn/relative_bias.h"
#include "nn/weight_visitor.h"

namespace fovea {

class Forward;

/// How pictures are cut into patches.
struct PatchSpec {
    std::int64_t hidden = 768;
    std::int64_t channels = 3;
    std::int64_t height = 16;  ///< of a patch, in pixels
    std::int64_t width = 16;
    Bias bias = Bias::Required;
    std::string path;           ///< of the convolution, or of the matrix when the input is patches already
    bool patchesGiven = false;  ///< the input is rows of patch values (NaFlex), not a picture
};

/// Cuts a picture into patches that do not overlap and projects each: the reference's convolution as one
/// matrix product.
class PatchEmbedding {
public:
    explicit PatchEmbedding(PatchSpec spec) : m_spec(std::move(spec)) {}

    const PatchSpec& spec() const { return m_spec; }
    void visit(WeightVisitor& weights);
    /// Patches that fit into a picture; rows and columns of pixels past the last whole patch are not read.
    GridSize grid(const at::Tensor& pixels) const;
    /// [1, channels, height, width] (or [1, patches, values]) -> [1, patches, hidden], row by row.
    at::Tensor operator()(const at::Tensor& pixels, Forward& forward) const;

private:
    PatchSpec m_spec;
    Linear m_projection;
};

}  // namespace fovea
