#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

/// What a run records; the words of `--keep` (PRODUCT.md §4).
struct CaptureRequest {
    bool qkv = false;  ///< Q, K, V of the wanted sites (always kept with any of probs, lse, stats)
    bool lse = false;
    bool probs = false;            ///< full probabilities will be asked for: their bytes are estimated, too
    bool stats = false;
    bool attentionOutput = false;  ///< output of the attention after its output projection
    bool hidden = false;           ///< residual stream at every block boundary
    bool output = true;
    bool allLogits = false;  ///< of every position of a language model; `--keep output` asks for them
    bool input = false;
    bool headOutput = false;  ///< what every head adds up, before the output projection; no word of `--keep`
    std::vector<std::string> sites;  ///< globs over addresses; empty means all sites
    std::vector<std::string> taps;   ///< globs over ModelSpec::taps; empty means none

    /// Whether any attention site is recorded at all.
    bool wantsSites() const { return qkv || lse || probs || stats || attentionOutput || headOutput; }
    bool wants(const std::string& address) const;
    bool wantsTap(std::string_view name) const;

    /// Reads a comma separated `--keep` list; throws Error (Usage) naming the unknown word.
    static CaptureRequest parse(const std::string& keep);
    bool operator==(const CaptureRequest&) const = default;
};

/// Bytes that a run is expected to take beside the loaded weights, before it starts.
struct MemoryEstimate {
    std::uint64_t weights = 0;      ///< already loaded
    std::uint64_t activations = 0;  ///< peak while running
    std::uint64_t capture = 0;      ///< kept afterwards
    std::uint64_t gradients = 0;    ///< kept for the backward pass

    std::uint64_t run() const { return activations + capture + gradients; }
    std::uint64_t total() const { return weights + run(); }
};

/// Reads "4GiB", "512MiB", "2GB", "1048576"; throws Error (Usage).
std::uint64_t parseBytes(const std::string& text);

/// "3.1 GiB" style text.
std::string formatBytes(std::uint64_t bytes);

/// The same, rounded up: parseBytes() of it gives at least as many bytes (below 2^61), so that it can be named as a
/// budget that suffices.
std::string formatBytesUp(std::uint64_t bytes);

}  // namespace fovea
