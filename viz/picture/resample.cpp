#include "picture/resample.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace fovea::viz {
namespace {

struct Taps {
    int first = 0, count = 0;
    std::array<double, 4> weight{};
};

double cubic(double x) {
    constexpr double a = -0.5;
    x = std::abs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    return 0;
}

Taps tapsAt(double center, Filter filter) {
    Taps taps;
    const double base = std::floor(center);
    if (filter == Filter::Nearest) {
        taps.first = static_cast<int>(std::lround(center));
        taps.count = 1;
        taps.weight[0] = 1;
    } else if (filter == Filter::Bilinear) {
        taps.first = static_cast<int>(base);
        taps.count = 2;
        taps.weight = {1 - (center - base), center - base, 0, 0};
    } else {
        taps.first = static_cast<int>(base) - 1;
        taps.count = 4;
        for (int i = 0; i < 4; ++i) taps.weight[i] = cubic(center - (taps.first + i));
    }
    return taps;
}

}  // namespace

std::vector<float> upsample(std::span<const float> values, int rows, int columns, int outRows, int outColumns,
                            Filter filter) {
    std::vector<float> out(static_cast<std::size_t>(outRows) * outColumns,
                           std::numeric_limits<float>::quiet_NaN());
    const auto at = [&](int r, int c) {
        return values[static_cast<std::size_t>(std::clamp(r, 0, rows - 1)) * columns +
                      std::clamp(c, 0, columns - 1)];
    };
    for (int y = 0; y < outRows; ++y) {
        const double row = (y + 0.5) * rows / outRows - 0.5;
        const Taps vertical = tapsAt(row, filter);
        for (int x = 0; x < outColumns; ++x) {
            const double column = (x + 0.5) * columns / outColumns - 0.5;
            // The cell that the pixel lies in decides whether there is a value at all.
            if (std::isnan(
                    at(static_cast<int>(std::floor(row + 0.5)), static_cast<int>(std::floor(column + 0.5)))))
                continue;
            const Taps horizontal = tapsAt(column, filter);
            double sum = 0, weight = 0;
            for (int i = 0; i < vertical.count; ++i)
                for (int j = 0; j < horizontal.count; ++j) {
                    const float value = at(vertical.first + i, horizontal.first + j);
                    if (std::isnan(value)) continue;
                    const double w = vertical.weight[i] * horizontal.weight[j];
                    sum += w * value;
                    weight += w;
                }
            if (std::abs(weight) > 1e-3)
                out[static_cast<std::size_t>(y) * outColumns + x] = static_cast<float>(sum / weight);
        }
    }
    return out;
}

Pixels reduced(const Pixels& image, int maximumWidth, int maximumHeight) {
    if (image.empty() || (image.width <= maximumWidth && image.height <= maximumHeight)) return image;
    const int width = std::clamp(maximumWidth, 1, image.width),
              height = std::clamp(maximumHeight, 1, image.height);
    Pixels out(width, height);
    // Areas with whole pixels: at more than one source pixel per target pixel the seams cannot be seen.
    for (int y = 0; y < height; ++y) {
        const int top = static_cast<int>(static_cast<std::int64_t>(y) * image.height / height);
        const int bottom =
            std::max(top + 1, static_cast<int>(static_cast<std::int64_t>(y + 1) * image.height / height));
        for (int x = 0; x < width; ++x) {
            const int left = static_cast<int>(static_cast<std::int64_t>(x) * image.width / width);
            const int right =
                std::max(left + 1, static_cast<int>(static_cast<std::int64_t>(x + 1) * image.width / width));
            std::array<std::uint64_t, 3> sum{};
            for (int v = top; v < bottom; ++v)
                for (int u = left; u < right; ++u)
                    for (int c = 0; c < 3; ++c) sum[c] += image.at(u, v)[c];
            const std::uint64_t count = static_cast<std::uint64_t>(bottom - top) * (right - left);
            for (int c = 0; c < 3; ++c)
                out.at(x, y)[c] = static_cast<std::uint8_t>((sum[c] + count / 2) / count);
        }
    }
    return out;
}

}  // namespace fovea::viz
