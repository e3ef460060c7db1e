#pragma once

#include <span>
#include <string>
#include <vector>

#include "fovea/viz/painter.h"

namespace fovea::viz {

/// A mark on an axis or colour bar: where (0..1) and what it says.
struct Tick {
    double position = 0;
    std::string label;
};

/// Three significant digits, short: "0.0123", "1.2e-5", "1250".
std::string valueText(double value);

/// Round numbers (1, 2, 2.5 or 5 times a power of ten) that cover [minimum, maximum], about `count` of them;
/// positions are shares of the range.
std::vector<Tick> niceTicks(double minimum, double maximum, int count);

/// How raw values become positions 0..1 on a colour map. A linked scale without a given range takes the range
/// of `values`; signed values are scaled symmetrically around 0, which is position 0.5.
class ValueScale {
public:
    /// `values` is everything the picture draws (NaN is skipped); throws Error (Usage) on a fixed range that
    /// is empty.
    ValueScale(const Scale& scale, std::span<const float> values, bool signedValues = false);

    /// 0..1, clamped; NaN for NaN.
    double position(double value) const;
    double valueAt(double position) const;
    /// How far a position is from "nothing": from the low end or, for signed values, from 0; 0..1.
    double strength(double position) const;
    /// Whether a value at `position` is drawn under a threshold: a share of the range or, for signed values,
    /// of the largest magnitude, so that what is hidden lies around 0.
    bool shows(double position, double threshold) const;
    /// The values that the threshold hides: "below 0.01", "between -0.2 and 0.2".
    std::string hiddenText(double threshold) const;
    double minimum() const { return m_minimum; }
    double maximum() const { return m_maximum; }
    bool isSigned() const { return m_signed; }
    /// True when some value lies outside, so that a colour bar must show that it is cut.
    bool cutsBelow() const { return m_cutsBelow; }
    bool cutsAbove() const { return m_cutsAbove; }
    /// True when all values are equal but for less than a hundredth of their size: differences that mean little, which
    /// the scale then does not spread over its colours. Never for a fixed scale.
    bool nearlyConstant() const { return m_nearlyConstant; }
    std::vector<Tick> ticks(int count) const;
    /// "linked scale", "fixed scale", "this picture's range", "log scale", "rank scale".
    std::string description() const;

private:
    void setRange(double low, double high);
    bool spreadsNothing(double low, double high) const;
    double logShare(double magnitude) const;
    bool aroundZero() const { return m_signed && m_kind != Scale::Kind::Rank; }
    double zero() const;

    Scale::Kind m_kind;
    bool m_signed = false, m_cutsBelow = false, m_cutsAbove = false, m_nearlyConstant = false;
    double m_minimum = 0, m_maximum = 1;
    double m_smallest = 1;        // log: the magnitude at the low end
    std::vector<float> m_sorted;  // rank
};

}  // namespace fovea::viz
