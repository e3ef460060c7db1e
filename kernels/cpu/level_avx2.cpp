#include "cpu/primitives.h"
#include "cpu/vector_avx2.h"

namespace fovea::kernels::cpu {

const Level* avx2Level() {
    static constexpr Level level = makeLevel<Avx2, Primitives<Avx2>::FloatDot>(false);
    return &level;
}

}  // namespace fovea::kernels::cpu
