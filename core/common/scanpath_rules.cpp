#include "common/scanpath_rules.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <random>

namespace fovea {
namespace {

// The engine is fixed by the standard; its distributions are not, so these are written out.
class Random {
public:
    explicit Random(std::uint64_t seed) : m_engine(seed) {}

    double uniform() { return static_cast<double>(m_engine() >> 11) * 0x1p-53; }
    double normal() {
        const double radius = std::sqrt(-2 * std::log(1 - uniform()));
        return radius * std::cos(2 * std::numbers::pi * uniform());
    }
    // Marsaglia and Tsang (2000), shape >= 1, scale 1.
    double gamma(double shape) {
        const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
        for (;;) {
            const double x = normal(), cube = 1 + c * x;
            if (cube <= 0) continue;
            const double v = cube * cube * cube;
            if (std::log(1 - uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
        }
    }

private:
    std::mt19937_64 m_engine;
};

class Walk {
public:
    Walk(const SalienceMap& map, const ScanpathRules& rules)
        : m_map(map),
          m_rules(rules),
          m_random(rules.seed),
          m_open(map.values.size(), 1.0),
          m_total(map.sum()) {}

    std::vector<MapFixation> go() {
        std::vector<MapFixation> path;
        double time = 0;
        while (static_cast<int>(path.size()) < m_rules.fixations) {
            if (m_rules.totalTime > 0 && time >= m_rules.totalTime) break;
            if (!path.empty() && openMass() < m_rules.minimumMass * m_total) break;
            MapFixation next =
                path.empty() && m_rules.first == FirstFixation::Centre ? centre() : choose(path);
            if (next.row < 0) break;
            next.onset = time;
            next.mass = inhibit(next);
            next.duration = duration();
            time += next.duration;
            fade(next.duration);
            path.push_back(next);
        }
        if (m_rules.duration == DurationRule::Mass) scaleByMass(path);
        return path;
    }

private:
    double openMass() const {
        return std::inner_product(m_open.begin(), m_open.end(), m_map.values.begin(), 0.0);
    }

    MapFixation centre() const {
        MapFixation fixation{(m_map.rows - 1) / 2, (m_map.columns - 1) / 2};
        fixation.value = m_map.at(fixation.row, fixation.column);
        return fixation;
    }

    MapFixation choose(const std::vector<MapFixation>& path) {
        std::vector<double> weight(m_map.values.size());
        for (std::size_t i = 0; i < weight.size(); ++i)
            weight[i] = std::max(0.0, m_map.values[i] * m_open[i]);
        if (m_rules.saccadeLength > 0 && !path.empty())
            for (std::size_t i = 0; i < weight.size(); ++i)
                weight[i] *= std::exp(-distance(i, path.back()) / m_rules.saccadeLength);
        const auto largest = std::max_element(weight.begin(), weight.end());
        if (largest == weight.end() || *largest <= 0) return {-1, -1};
        std::size_t chosen = static_cast<std::size_t>(largest - weight.begin());
        if (m_rules.next == NextFixation::Sample) chosen = sample(weight, *largest);
        MapFixation fixation{static_cast<int>(chosen) / m_map.columns,
                             static_cast<int>(chosen) % m_map.columns};
        fixation.value = m_map.values[chosen] * m_open[chosen];
        return fixation;
    }

    std::size_t sample(const std::vector<double>& weight, double largest) {
        std::vector<double> sums(weight.size());
        double sum = 0;
        for (std::size_t i = 0; i < weight.size(); ++i)
            sums[i] = sum += weight[i] > 0 ? std::pow(weight[i] / largest, 1 / m_rules.temperature) : 0.0;
        const auto found = std::upper_bound(sums.begin(), sums.end(), m_random.uniform() * sum);
        return static_cast<std::size_t>(std::min(found, sums.end() - 1) - sums.begin());
    }

    double distance(std::size_t cell, const MapFixation& from) const {
        const double row = static_cast<double>(cell) / m_map.columns,
                     column = static_cast<double>(cell % static_cast<std::size_t>(m_map.columns));
        return std::hypot(std::floor(row) - from.row, column - from.column);
    }

    // Closes the map around a fixation; returns the share of the whole map that became inhibited.
    double inhibit(const MapFixation& at) {
        double taken = 0;
        for (std::size_t i = 0; i < m_open.size(); ++i) {
            const double d = distance(i, at);
            const double closing =
                m_rules.shape == InhibitionShape::Disk
                    ? (d <= m_rules.sigma ? m_rules.strength : 0.0)
                    : m_rules.strength * std::exp(-d * d / (2 * m_rules.sigma * m_rules.sigma));
            taken += m_map.values[i] * m_open[i] * closing;
            m_open[i] *= 1 - closing;
        }
        return m_total > 0 ? taken / m_total : 0;
    }

    void fade(double time) {
        if (m_rules.recovery <= 0) return;
        const double kept = std::exp(-time / m_rules.recovery);
        for (double& open : m_open) open = 1 - (1 - open) * kept;
    }

    // Provisional for Mass: the longest is known only at the end, so that recovery runs on the mean duration.
    double duration() {
        switch (m_rules.duration) {
            case DurationRule::Constant:
            case DurationRule::Mass:
                return m_rules.meanDuration;
            case DurationRule::Gamma:
                return m_random.gamma(100) * m_rules.meanDuration / 100;
            case DurationRule::LogNormal:
                return m_rules.meanDuration * std::exp(0.4 * m_random.normal());
        }
        return m_rules.meanDuration;
    }

    void scaleByMass(std::vector<MapFixation>& path) const {
        double largest = 0, time = 0;
        for (const MapFixation& fixation : path) largest = std::max(largest, fixation.mass);
        for (MapFixation& fixation : path) {
            fixation.onset = time;
            fixation.duration = 180 + (largest > 0 ? 400 * fixation.mass / largest : 0);
            time += fixation.duration;
        }
    }

    const SalienceMap& m_map;
    const ScanpathRules& m_rules;
    Random m_random;
    std::vector<double> m_open;  // 1 = free, 0 = fully inhibited
    double m_total;
};

}  // namespace

double SalienceMap::sum() const {
    return std::accumulate(values.begin(), values.end(), 0.0);
}

SalienceMap upsampled(const SalienceMap& map, int factor) {
    SalienceMap out{map.rows * factor, map.columns * factor, {}};
    out.values.resize(map.values.size() * static_cast<std::size_t>(factor) *
                      static_cast<std::size_t>(factor));
    const auto weights = [factor](int index, int count) {
        const double place = std::clamp((index + 0.5) / factor - 0.5, 0.0, count - 1.0);
        const int low = static_cast<int>(place);
        return std::pair{low, place - low};
    };
    for (int row = 0; row < out.rows; ++row)
        for (int column = 0; column < out.columns; ++column) {
            const auto [r, fr] = weights(row, map.rows);
            const auto [c, fc] = weights(column, map.columns);
            const int r1 = std::min(r + 1, map.rows - 1), c1 = std::min(c + 1, map.columns - 1);
            out.at(row, column) = (1 - fr) * ((1 - fc) * map.at(r, c) + fc * map.at(r, c1)) +
                                  fr * ((1 - fc) * map.at(r1, c) + fc * map.at(r1, c1));
        }
    return out;
}

SalienceMap prepared(const SalienceMap& map, double percentile) {
    SalienceMap out = map;
    if (out.values.empty()) return out;
    for (double& value : out.values) value = std::isfinite(value) ? std::max(0.0, value) : 0.0;
    std::vector<double> sorted = out.values;
    std::sort(sorted.begin(), sorted.end());
    const double place = std::clamp(percentile, 0.0, 100.0) / 100 * static_cast<double>(sorted.size() - 1);
    const auto low = static_cast<std::size_t>(place);
    const std::size_t high = std::min(low + 1, sorted.size() - 1);
    const double floor = sorted[low] + (place - static_cast<double>(low)) * (sorted[high] - sorted[low]);
    for (double& value : out.values) value = percentile > 0 ? std::max(0.0, value - floor) : value;
    const double sum = out.sum();
    if (sum > 0)
        for (double& value : out.values) value /= sum;
    return out;
}

std::vector<MapFixation> scanpath(const SalienceMap& map, const ScanpathRules& rules) {
    if (map.rows <= 0 || map.columns <= 0) return {};
    return Walk(map, rules).go();
}

}  // namespace fovea
