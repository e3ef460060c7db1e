#pragma once

#include <cstdint>

namespace fovea::scenes {

/// SplitMix64 (Steele, Lea and Flood 2014): a 64-bit counter through a mixing function; the same numbers
/// everywhere.
class Rng {
public:
    /// Streams of one seed are independent, so that one part of a scene can change without moving the others.
    Rng(std::uint64_t seed, std::uint64_t stream) : m_state(mix(seed + kStep * (2 * stream + 1))) {}

    std::uint64_t next() { return mix(m_state += kStep); }
    /// Uniform in [0, 1), a multiple of 2^-24: exact in a float.
    float unit() { return static_cast<float>(next() >> 40) * (1.0f / 16777216.0f); }
    float range(float low, float high) { return low + (high - low) * unit(); }
    /// Uniform in [0, n) for 0 < n < 2^31; its bias is below n / 2^32.
    int below(int n) { return static_cast<int>(((next() >> 32) * static_cast<std::uint64_t>(n)) >> 32); }
    int between(int low, int high) { return low + below(high - low + 1); }
    bool chance(float p) { return unit() < p; }

private:
    static constexpr std::uint64_t kStep = 0x9E3779B97F4A7C15ull;
    static std::uint64_t mix(std::uint64_t z) {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
        return z ^ (z >> 31);
    }
    std::uint64_t m_state;
};

}  // namespace fovea::scenes
