#include "cpu/primitives.h"
#include "cpu/vector_avx512.h"

namespace fovea::kernels::cpu {

const Level* avx512Level() {
    static constexpr Level level = makeLevel<Avx512, Primitives<Avx512>::FloatDot>(false);
    return &level;
}

}  // namespace fovea::kernels::cpu
