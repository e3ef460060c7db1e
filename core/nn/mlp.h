#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "nn/activation.h"
#include "nn/linear.h"
#include "nn/weight_visitor.h"

namespace fovea {

class Forward;

/// The forms a feed-forward part comes in.
enum class MlpKind {
    Plain,        ///< out(act(in x))
    Gated,        ///< out(act(gate x) * in x)
    FusedSwiGlu,  ///< in holds both halves: out(silu(first) * second) (Shazeer 2020)
};

struct MlpSpec {
    MlpKind kind = MlpKind::Plain;
    std::int64_t hidden = 0;
    std::int64_t intermediate = 0;
    Activation activation = Activation::Gelu;
    Bias bias = Bias::Required;
    std::string in, gate, out;  ///< weight paths
    bool transposed = false;    ///< matrices are stored as [in, out]
};

/// The feed-forward part of a block.
class Mlp {
public:
    void visit(WeightVisitor& weights, const MlpSpec& spec);
    at::Tensor operator()(const at::Tensor& x, Forward& forward) const;

private:
    MlpKind m_kind = MlpKind::Plain;
    Activation m_activation = Activation::Gelu;
    Linear m_in, m_gate, m_out;
};

}  // namespace fovea
