#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "nn/rotary.h"

namespace fovea {

/// How the frequencies of rotary positions are stretched for longer texts.
enum class RopeKind {
    None,     ///< no rotary positions
    Default,  ///< theta^(-2i/D) (Su et al. 2021)
    Linear,   ///< divided by the factor (Chen et al. 2023)
    Dynamic,  ///< theta grows with the length of the text (NTK-aware)
    Llama3,   ///< low frequencies divided, high ones kept, smooth between (Llama 3.1)
    Yarn,     ///< ramp between both, and a temperature (Peng et al. 2023)
    LongRope, ///< a factor a frequency, one set for short and one for long texts (Ding et al. 2024)
};

/// How the three position rows (time, row, column) of M-RoPE share the frequencies.
enum class RopeSections { Chunked, Interleaved };

/// Rotary positions of a decoder.
struct RopeSpec {
    RopeKind kind = RopeKind::Default;
    double theta = 10000;
    std::int64_t dim = 64;  ///< rotated dimensions of a head; those after it stay
    double factor = 1;
    double lowFrequency = 1, highFrequency = 4;  ///< Llama3
    double betaFast = 32, betaSlow = 1;          ///< Yarn
    bool truncate = true;                        ///< Yarn: the ramp's ends are whole numbers
    double attentionFactor = 1;                  ///< Yarn, LongRope: multiplies cosines and sines
    std::vector<double> shortFactors, longFactors;  ///< LongRope: dim / 2 each; long beyond originalPositions
    std::int64_t originalPositions = 2048;       ///< that the model was trained with first
    std::int64_t maxPositions = 2048;
    std::vector<std::int64_t> sections;          ///< M-RoPE: frequencies a row, empty for one row
    RopeSections sectionOrder = RopeSections::Chunked;
};

/// Cosines and sines [n, dim] for positions (int64): [n], or [3, n] with sections. Angles are formed in fp32 as the
/// reference forms them in every precision.
RotaryTable ropeTable(const RopeSpec& spec, const at::Tensor& positions, at::ScalarType dtype);

}  // namespace fovea
