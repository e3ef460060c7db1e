#include "fovea/viz/value_scale.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea::viz {
namespace {

constexpr double leastSpread = 0.01;  // of the values' size; less is drawn as one colour
constexpr double logDecades = 6;  // below a millionth of the maximum there is nothing to see

double niceStep(double range, int count) {
    const double raw = range / std::max(1, count);
    const double power = std::pow(10.0, std::floor(std::log10(raw)));
    for (const double factor : {1.0, 2.0, 2.5, 5.0})
        if (raw <= factor * power * 1.0001) return factor * power;
    return 10 * power;
}

}  // namespace

std::string valueText(double value) {
    if (std::isnan(value)) return "no value";
    if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
    if (value == 0) return "0";
    const double magnitude = std::abs(value);
    std::string text;
    if (magnitude >= 1e-3 && magnitude < 1e6) {
        const int digits = std::clamp(2 - static_cast<int>(std::floor(std::log10(magnitude))), 0, 5);
        text = fmt::format("{:.{}f}", value, digits);
        if (text.find('.') != std::string::npos) {
            text.erase(text.find_last_not_of('0') + 1);
            if (text.back() == '.') text.pop_back();
        }
        return text;
    }
    text = fmt::format("{:.2e}", value);
    const std::size_t e = text.find('e');
    std::string mantissa = text.substr(0, e);
    mantissa.erase(mantissa.find_last_not_of('0') + 1);
    if (mantissa.back() == '.') mantissa.pop_back();
    return fmt::format("{}e{}", mantissa, std::stoi(text.substr(e + 1)));
}

std::vector<Tick> niceTicks(double minimum, double maximum, int count) {
    if (!std::isfinite(minimum) || !std::isfinite(maximum)) return {};
    const double range = maximum - minimum;
    if (!(range > 0) || !std::isfinite(range)) return {{0.5, valueText(minimum)}};
    const double step = niceStep(range, count);
    if (!(step > 0) || !std::isfinite(step)) return {{0, valueText(minimum)}, {1, valueText(maximum)}};
    const double largest = std::max(std::abs(minimum), std::abs(maximum));
    const int decimals = std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 12);
    const bool quarter = std::abs(step / std::pow(10.0, std::floor(std::log10(step) + 1e-9)) - 2.5) < 0.01;
    const int shown = decimals + (quarter && step < 10 ? 1 : 0);
    std::vector<Tick> ticks;
    const double first = std::ceil(minimum / step - 1e-6);
    for (int k = 0; k <= 4 * count + 4; ++k) {
        const double value = (first + k) * step;
        if (value > maximum + 1e-6 * step) break;
        const bool plain = largest < 1e6 && largest >= 1e-3;
        const double clean = std::abs(value) < 1e-9 * step ? 0 : value;
        ticks.push_back(
            {(value - minimum) / range, plain ? fmt::format("{:.{}f}", clean, shown) : valueText(clean)});
    }
    return ticks;
}

ValueScale::ValueScale(const Scale& scale, std::span<const float> values, bool signedValues)
    : m_kind(scale.kind), m_signed(signedValues) {
    double low = std::numeric_limits<double>::infinity(), high = -low, smallestPositive = low;
    for (const float value : values) {
        if (!std::isfinite(value)) continue;
        low = std::min<double>(low, value);
        high = std::max<double>(high, value);
        if (value != 0) smallestPositive = std::min<double>(smallestPositive, std::abs(value));
    }
    const bool any = low <= high;
    const double dataLow = any ? low : 0, dataHigh = any ? high : 1;
    if (m_kind == Scale::Kind::Fixed) {
        if (!(scale.minimum < scale.maximum))
            throw Error(fmt::format("fixed scale from {} to {}: the minimum must be below the maximum",
                                    scale.minimum, scale.maximum),
                        "give both ends of the scale", ErrorCode::Usage);
        setRange(scale.minimum, scale.maximum);
        // A fixed range is drawn as asked, not made symmetric: the user may want to see one side only.
        m_minimum = scale.minimum;
        m_maximum = scale.maximum;
    } else if (m_kind == Scale::Kind::Linked && scale.linkedMinimum < scale.linkedMaximum) {
        setRange(scale.linkedMinimum, scale.linkedMaximum);
    } else {
        setRange(dataLow, dataHigh);
        m_nearlyConstant |= any && !m_signed && low == high && values.size() > 1;
    }
    if (m_kind == Scale::Kind::Log) {
        const double top = std::max(std::abs(m_minimum), std::abs(m_maximum));
        if (!m_signed && m_maximum <= 0) {
            m_maximum = 1;  // nothing positive to draw: an empty decade
            m_smallest = 0.1;
        } else {
            m_smallest = std::max(std::isfinite(smallestPositive) ? smallestPositive : top / 10,
                                  top * std::pow(10.0, -logDecades));
            if (m_smallest >= top) m_smallest = top / 10;
        }
        m_cutsBelow = !m_signed && any && low < m_smallest;
        if (!m_signed) m_minimum = m_smallest;
    } else if (m_kind == Scale::Kind::Rank) {
        for (const float value : values)
            if (std::isfinite(value)) m_sorted.push_back(value);
        std::sort(m_sorted.begin(), m_sorted.end());
    } else {
        const double slack = 1e-6 * (m_maximum - m_minimum);
        m_cutsBelow = any && low < m_minimum - slack;
        m_cutsAbove = any && high > m_maximum + slack;
    }
}

bool ValueScale::spreadsNothing(double low, double high) const {
    return !m_signed && low < high && high - low < leastSpread * std::max(std::abs(low), std::abs(high));
}

void ValueScale::setRange(double low, double high) {
    if (m_kind != Scale::Kind::Fixed && spreadsNothing(low, high)) {
        // Half way between nothing and twice as much: one colour, and the colour bar says why.
        m_nearlyConstant = true;
        const double middle = (low + high) / 2;
        m_minimum = std::min(0.0, 2 * middle);
        m_maximum = std::max(0.0, 2 * middle);
        return;
    }
    if (m_signed) {
        const double limit = std::max(std::abs(low), std::abs(high));
        low = -limit;
        high = limit;
    }
    if (!(low < high)) {
        // One value only: give it a place, at the top when positive.
        const double span = low != 0 ? std::abs(low) : 1;
        (low > 0 ? low : high) += low > 0 ? -span : span;
    }
    m_minimum = low;
    m_maximum = high;
}

double ValueScale::logShare(double magnitude) const {
    const double top = std::max(std::abs(m_minimum), std::abs(m_maximum));
    if (!(magnitude > m_smallest)) return 0;
    return std::min(1.0, std::log(magnitude / m_smallest) / std::log(top / m_smallest));
}

double ValueScale::position(double value) const {
    if (std::isnan(value)) return value;
    if (m_kind == Scale::Kind::Log) {
        if (!m_signed) return value > 0 ? logShare(value) : 0;
        return value == 0 ? 0.5 : 0.5 + std::copysign(0.5 * logShare(std::abs(value)), value);
    }
    if (m_kind == Scale::Kind::Rank) {
        if (m_sorted.size() < 2 || m_nearlyConstant) return 0.5;
        const auto range = std::equal_range(m_sorted.begin(), m_sorted.end(), static_cast<float>(value));
        const double low = static_cast<double>(range.first - m_sorted.begin());
        const double high = static_cast<double>(range.second - m_sorted.begin());
        const double middle = high > low ? (low + high - 1) / 2 : low - 0.5;
        return std::clamp(middle / static_cast<double>(m_sorted.size() - 1), 0.0, 1.0);
    }
    return std::clamp((value - m_minimum) / (m_maximum - m_minimum), 0.0, 1.0);
}

double ValueScale::valueAt(double position) const {
    position = std::clamp(position, 0.0, 1.0);
    if (m_kind == Scale::Kind::Rank) {
        if (m_sorted.empty()) return 0;
        return m_sorted[static_cast<std::size_t>(
            std::lround(position * static_cast<double>(m_sorted.size() - 1)))];
    }
    if (m_kind != Scale::Kind::Log) return m_minimum + position * (m_maximum - m_minimum);
    const double top = std::max(std::abs(m_minimum), std::abs(m_maximum));
    const auto magnitude = [&](double share) { return m_smallest * std::pow(top / m_smallest, share); };
    if (!m_signed) return magnitude(position);
    return position == 0.5 ? 0 : std::copysign(magnitude(std::abs(2 * position - 1)), position - 0.5);
}

double ValueScale::zero() const {
    return m_kind == Scale::Kind::Log ? 0.5 : position(0);
}

double ValueScale::strength(double position) const {
    if (!aroundZero()) return position;
    const double middle = zero();
    return std::abs(position - middle) / std::max(middle, 1 - middle);
}

bool ValueScale::shows(double position, double threshold) const {
    return strength(position) >= threshold;
}

std::string ValueScale::hiddenText(double threshold) const {
    if (!aroundZero()) return "below " + valueText(valueAt(threshold));
    const double middle = zero(), reach = threshold * std::max(middle, 1 - middle);
    const double limit = std::abs(valueAt(middle >= 0.5 ? middle - reach : middle + reach));
    return fmt::format("between {} and {}", valueText(-limit), valueText(limit));
}

std::vector<Tick> ValueScale::ticks(int count) const {
    if (m_kind == Scale::Kind::Rank) {
        std::vector<Tick> ticks;
        for (const double at : {0.0, 0.25, 0.5, 0.75, 1.0}) ticks.push_back({at, valueText(valueAt(at))});
        return ticks;
    }
    if (m_kind != Scale::Kind::Log) return niceTicks(m_minimum, m_maximum, count);
    std::vector<Tick> ticks;
    const double top = std::max(std::abs(m_minimum), std::abs(m_maximum));
    const int from = static_cast<int>(std::ceil(std::log10(m_smallest) - 1e-6));
    const int to = static_cast<int>(std::floor(std::log10(top) + 1e-6));
    const int stride = std::max(1, (to - from + 1 + count - 1) / std::max(1, m_signed ? count / 2 : count));
    for (int power = from; power <= to; power += stride) {
        const double value = std::pow(10.0, power);
        if (m_signed && logShare(value) < 0.02) continue;  // too close to the middle, which stands for 0
        ticks.push_back({position(value), valueText(value)});
        if (m_signed) ticks.push_back({position(-value), valueText(-value)});
    }
    if (ticks.size() < 2) {
        ticks = {{1, valueText(m_signed ? top : m_maximum)}, {0, valueText(m_signed ? -top : m_smallest)}};
        if (m_signed) ticks.push_back({0.5, "0"});
    } else if (m_signed) {
        ticks.push_back({0.5, "0"});
    }
    std::sort(ticks.begin(), ticks.end(),
              [](const Tick& a, const Tick& b) { return a.position < b.position; });
    return ticks;
}

std::string ValueScale::description() const {
    const char* name = m_kind == Scale::Kind::Linked    ? "linked scale"
                       : m_kind == Scale::Kind::Fixed   ? "fixed scale"
                       : m_kind == Scale::Kind::Picture ? "this picture's range"
                       : m_kind == Scale::Kind::Log     ? "log scale"
                                                        : "rank scale";
    return m_nearlyConstant ? std::string(name) + ", values practically constant" : name;
}

}  // namespace fovea::viz
