#include "cpu/primitives.h"
#include "cpu/vector_avx512.h"

namespace fovea::kernels::cpu {

namespace {

// Two bf16 products and their fp32 sum in each lane.
struct PairDot {
    static __m512 dot(__m512 acc, __m512 column, __m512 line) {
        return _mm512_dpbf16_ps(acc, (__m512bh)column, (__m512bh)line);
    }
};

}  // namespace

const Level* avx512Bf16Level() {
    static constexpr Level level = makeLevel<Avx512, PairDot>(true);
    return &level;
}

}  // namespace fovea::kernels::cpu
