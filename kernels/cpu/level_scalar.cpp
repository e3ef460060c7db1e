#include "cpu/primitives.h"
#include "cpu/vector_scalar.h"

namespace fovea::kernels::cpu {

const Level* scalarLevel() {
    static constexpr Level level = makeLevel<Scalar, Primitives<Scalar>::FloatDot>(false);
    return &level;
}

}  // namespace fovea::kernels::cpu
