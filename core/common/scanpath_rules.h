#pragma once

#include <cstdint>
#include <vector>

namespace fovea {

/// A non-negative map that a scanpath is drawn from; cells row by row.
struct SalienceMap {
    int rows = 0, columns = 0;
    std::vector<double> values;  // [rows, columns]

    double& at(int row, int column) {
        return values[static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) +
                      static_cast<std::size_t>(column)];
    }
    double at(int row, int column) const {
        return values[static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) +
                      static_cast<std::size_t>(column)];
    }
    double sum() const;
};

/// Bilinear upsampling with half-pixel centres and repeated borders; factor 1 copies.
SalienceMap upsampled(const SalienceMap& map, int factor);

/// Subtracts the p-th percentile (0..100, linear between ranks), clips at 0 and scales to sum 1; NaN and
/// negative values count as 0. All zeros stay zeros.
SalienceMap prepared(const SalienceMap& map, double percentile);

enum class NextFixation { WinnerTakeAll, Sample };
enum class InhibitionShape { Gaussian, Disk };
enum class DurationRule { Constant, Mass, Gamma, LogNormal };
enum class FirstFixation { Centre, Maximum };

/// How a scanpath unfolds over a map (gaze reference §4.5); lengths in cells, times in milliseconds.
struct ScanpathRules {
    NextFixation next = NextFixation::WinnerTakeAll;
    double temperature = 1;  ///< of sampling: p ~ M^(1/T)
    FirstFixation first = FirstFixation::Centre;
    InhibitionShape shape = InhibitionShape::Gaussian;
    double sigma = 1.5;         ///< of the inhibition; the radius of a disk
    double strength = 1;        ///< 0..1, at the fixated point
    double recovery = 0;        ///< time constant by which inhibition fades; 0 means never
    double saccadeLength = 0;   ///< multiplies by exp(-d / saccadeLength); 0 means no preference
    int fixations = 8;          ///< at most
    double totalTime = 0;       ///< stop after it; 0 means no limit
    double minimumMass = 0.05;  ///< stop when the share of the map that is not inhibited is below
    DurationRule duration = DurationRule::Constant;
    double meanDuration = 250;  ///< of Constant, Gamma (shape 100) and, as the median, LogNormal (sigma 0.4)
    std::uint64_t seed = 0;
};

struct MapFixation {
    int row = 0, column = 0;
    double onset = 0, duration = 0;
    double value = 0;  ///< of the inhibited map when it was chosen
    double mass = 0;   ///< share of the whole map that this fixation inhibits anew
};

/// Winner-take-all or sampling with inhibition of return; the same seed gives the same path on every
/// platform.
std::vector<MapFixation> scanpath(const SalienceMap& map, const ScanpathRules& rules);

}  // namespace fovea
