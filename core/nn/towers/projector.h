#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "nn/activation.h"
#include "nn/norm.h"
#include "nn/relative_bias.h"
#include "nn/weight_visitor.h"

namespace fovea {

class Forward;

/// How neighbouring patches become one feature.
enum class Gather {
    None,
    Shuffle,  ///< factor x factor patches side by side in one vector, rows first (pixel shuffle)
    Average,  ///< mean of factor x factor patches (Gemma 3)
};

/// A projector as data: gather, norm, one or two matrices. An empty path: that part is not there.
struct ProjectorSpec {
    Gather gather = Gather::None;
    std::int64_t factor = 1;
    std::int64_t input = 0;   ///< size of a vector after gathering
    std::int64_t inner = 0;   ///< between the two matrices
    std::int64_t output = 0;  ///< hidden size of the decoder
    std::string norm;         ///< before the first matrix
    NormKind normKind = NormKind::Layer;
    double normEps = 1e-5;
    std::string first, second;
    Bias bias = Bias::Required;
    Activation activation = Activation::Gelu;  ///< between the two
    std::string matrix;                        ///< one matrix stored [input, output] instead of the two
};

/// Brings features of a vision tower to the decoder's hidden size.
class Projector {
public:
    explicit Projector(ProjectorSpec spec) : m_spec(std::move(spec)) {}

    const ProjectorSpec& spec() const { return m_spec; }
    void visit(WeightVisitor& weights);
    /// [1, rows * columns, size] -> [features, output]; throws Error (Input) for a grid that does not divide.
    at::Tensor run(const at::Tensor& features, const GridSize& grid, Forward& forward) const;

private:
    ProjectorSpec m_spec;
    Norm m_norm;
    Linear m_first, m_second;
};

/// Blocks of factor x factor cells of a grid [1, rows * columns, size] as one vector each, [1, blocks, factor^2
/// * size]: blocks row by row, cells of a block row by row.
at::Tensor shuffled(const at::Tensor& features, const GridSize& grid, std::int64_t factor);

}  // namespace fovea
