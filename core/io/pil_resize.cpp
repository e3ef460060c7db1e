#include "io/pil_resize.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numbers>
#include <string>

#include "fovea/error.h"

namespace fovea {
namespace {

constexpr int kFractionBits =
    22;  // 8-bit values times weights that sum to 1, with two bits to spare for overshoot

// The reference divides out pi before the cosine; the same order keeps the last bit of the weights.
double sinc(double x) {
    if (x == 0.0) return 1.0;
    x *= std::numbers::pi;
    return std::sin(x) / x;
}

struct Filter {
    double (*weight)(double);
    double support;
};

Filter filterOf(Resample resample) {
    switch (resample) {
        case Resample::Box:
            return {[](double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }, 0.5};
        case Resample::Bilinear:
            return {[](double x) { return std::max(0.0, 1.0 - std::abs(x)); }, 1.0};
        case Resample::Hamming:
            return {[](double x) {
                        x = std::abs(x);
                        if (x == 0.0) return 1.0;
                        if (x >= 1.0) return 0.0;
                        x *= std::numbers::pi;
                        // Single precision constants, as the reference has them.
                        return std::sin(x) / x * (0.54F + 0.46F * std::cos(x));
                    },
                    1.0};
        case Resample::Bicubic:
            return {[](double x) {
                        constexpr double a = -0.5;
                        x = std::abs(x);
                        if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
                        if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
                        return 0.0;
                    },
                    2.0};
        case Resample::Lanczos:
            return {[](double x) { return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0; }, 3.0};
        case Resample::Nearest:
            break;
    }
    throw Error("resize: the filter has no weights", {}, ErrorCode::Internal);
}

// For each output position of a range, the first input position it reads and the weights from there on.
template <class Weight>
struct Taps {
    int begin = 0;             // first output position
    std::size_t stride = 1;    // weights kept per output position
    int bits = kFractionBits;  // of whole-number weights
    std::vector<int> first;
    std::vector<int> count;
    std::vector<Weight> weights;

    const Weight* at(int i) const { return weights.data() + static_cast<std::size_t>(i) * stride; }
};

// Whose way to make whole numbers of the weights: Pillow has 22 bits of fraction, torch as many as let the
// largest weight of the whole axis fit 16 bits.
enum class Rounding { Pillow, Torch };

std::vector<double> exactWeights(const Filter& filter, double center, int low, int count, double inverse) {
    std::vector<double> exact(static_cast<std::size_t>(count));
    double sum = 0.0;
    for (int j = 0; j < count; ++j) {
        exact[static_cast<std::size_t>(j)] = filter.weight((j + low - center + 0.5) * inverse);
        sum += exact[static_cast<std::size_t>(j)];
    }
    if (sum != 0.0) {
        for (double& w : exact) w /= sum;
    }
    return exact;
}

int torchBits(double largest) {
    int bits = 0;
    while (bits < kFractionBits && static_cast<int>(0.5 + largest * (1 << (bits + 1))) < (1 << 15)) ++bits;
    return bits;
}

Taps<std::int32_t> byteTaps(int in, int out, int begin, int size, Resample resample, Rounding rounding) {
    const Filter filter = filterOf(resample);
    const double scale = static_cast<double>(in) / out;
    const double stretch = std::max(scale, 1.0);
    const double support = filter.support * stretch;
    const double inverse = 1.0 / stretch;
    Taps<std::int32_t> taps;
    taps.begin = begin;
    taps.stride = static_cast<std::size_t>(std::min<double>(std::ceil(support) * 2 + 1, in));
    taps.first.resize(static_cast<std::size_t>(size));
    taps.count.resize(static_cast<std::size_t>(size));
    taps.weights.assign(static_cast<std::size_t>(size) * taps.stride, 0);
    const auto rangeOf = [&](double center, int& low) {
        low = std::max(0, static_cast<int>(center - support + 0.5));
        const int high = std::min(in, static_cast<int>(center + support + 0.5));
        return std::clamp(high - low, 0, static_cast<int>(taps.stride));
    };
    if (rounding == Rounding::Torch) {
        double largest = 0;
        for (int i = 0; i < out; ++i) {
            int low = 0;
            const double center = (i + 0.5) * scale;
            const int count = rangeOf(center, low);
            for (double w : exactWeights(filter, center, low, count, inverse)) largest = std::max(largest, w);
        }
        taps.bits = torchBits(largest);
    }
    for (int i = 0; i < size; ++i) {
        const double center = (begin + i + 0.5) * scale;
        int low = 0;
        const int count = rangeOf(center, low);
        std::int32_t* weights = taps.weights.data() + static_cast<std::size_t>(i) * taps.stride;
        const std::vector<double> exact = exactWeights(filter, center, low, count, inverse);
        for (int j = 0; j < count; ++j) {
            const double w = exact[static_cast<std::size_t>(j)] * (1 << taps.bits);
            weights[j] = static_cast<std::int32_t>(w < 0 ? w - 0.5 : w + 0.5);
        }
        taps.first[static_cast<std::size_t>(i)] = low;
        taps.count[static_cast<std::size_t>(i)] = count;
    }
    return taps;
}

std::uint8_t toByte(std::int32_t sum, int bits) {
    return static_cast<std::uint8_t>(std::clamp(sum >> bits, 0, 255));
}

void filterRow(const std::uint8_t* source, const Taps<std::int32_t>& taps, std::uint8_t* target) {
    const int size = static_cast<int>(taps.first.size());
    for (int i = 0; i < size; ++i) {
        const std::int32_t* weights = taps.at(i);
        const std::uint8_t* pixel =
            source + 3 * static_cast<std::size_t>(taps.first[static_cast<std::size_t>(i)]);
        std::int32_t r = 1 << (taps.bits - 1), g = r, b = r;
        for (int j = 0, n = taps.count[static_cast<std::size_t>(i)]; j < n; ++j, pixel += 3) {
            r += pixel[0] * weights[j];
            g += pixel[1] * weights[j];
            b += pixel[2] * weights[j];
        }
        target[3 * i] = toByte(r, taps.bits);
        target[3 * i + 1] = toByte(g, taps.bits);
        target[3 * i + 2] = toByte(b, taps.bits);
    }
}

// Sums whole rows for output row y of the window: row(j) is the j-th input row, `bytes` long. Columns in
// blocks, so that the sums stay in the cache.
template <class RowOf>
void filterColumns(RowOf&& row, const Taps<std::int32_t>& taps, int y, std::size_t bytes,
                   std::uint8_t* target) {
    const std::int32_t* weights = taps.at(y);
    const int count = taps.count[static_cast<std::size_t>(y)];
    constexpr std::size_t kBlock = 1024;
    std::array<std::int32_t, kBlock> sums;
    for (std::size_t begin = 0; begin < bytes; begin += kBlock) {
        const std::size_t n = std::min(kBlock, bytes - begin);
        std::fill_n(sums.begin(), n, 1 << (taps.bits - 1));
        for (int j = 0; j < count; ++j) {
            const std::uint8_t* source = row(j) + begin;
            const std::int32_t weight = weights[j];
            for (std::size_t i = 0; i < n; ++i) sums[i] += source[i] * weight;
        }
        for (std::size_t i = 0; i < n; ++i) target[begin + i] = toByte(sums[i], taps.bits);
    }
}

// Positions of the nearest input pixel; -1 where the reference leaves black. Steps are added up as it does,
// since a product would round differently.
std::vector<int> nearestPositions(int in, int out, int begin, int size) {
    const double step = static_cast<double>(in) / out;
    double position = step * 0.5;
    for (int i = 0; i < begin; ++i) position += step;
    std::vector<int> positions(static_cast<std::size_t>(size));
    for (int& p : positions) {
        p = position < in ? static_cast<int>(position) : -1;
        position += step;
    }
    return positions;
}

Pixels resizeNearest(const Pixels& source, const ResizeRequest& request) {
    const Window& window = request.window;
    const auto columns = nearestPositions(source.width, request.width, window.x, window.width);
    const auto rows = nearestPositions(source.height, request.height, window.y, window.height);
    Pixels result(window.width, window.height);
    for (int y = 0; y < window.height; ++y) {
        if (rows[static_cast<std::size_t>(y)] < 0) continue;
        std::uint8_t* target = result.at(0, y);
        for (int x = 0; x < window.width; ++x, target += 3) {
            const int column = columns[static_cast<std::size_t>(x)];
            if (column >= 0) std::memcpy(target, source.at(column, rows[static_cast<std::size_t>(y)]), 3);
        }
    }
    return result;
}

ResizeRequest checked(const Pixels& source, ResizeRequest request) {
    if (source.empty()) throw Error("resize: the picture has no pixels");
    if (request.width < 1 || request.height < 1) {
        throw Error("resize: expected a size of at least 1 x 1, found " + std::to_string(request.width) +
                    " x " + std::to_string(request.height));
    }
    Window& window = request.window;
    if (window.width == 0) window = {0, 0, request.width, request.height};
    if (window.x < 0 || window.y < 0 || window.width < 1 || window.height < 1 ||
        window.x > request.width - window.width || window.y > request.height - window.height) {
        throw Error("resize: the window is not inside the result", {}, ErrorCode::Internal);
    }
    return request;
}

// Rows of the horizontally resized picture, made when first asked for; only as many are kept as one output
// row reads.
template <class Value>
class RowRing {
public:
    RowRing(std::size_t capacity, std::size_t length)
        : m_length(length), m_rows(capacity * length), m_held(capacity, -1) {}

    template <class Make>
    const Value* get(int row, Make&& make) {
        const std::size_t slot = static_cast<std::size_t>(row) % m_held.size();
        Value* values = m_rows.data() + slot * m_length;
        if (m_held[slot] != row) {
            make(row, values);
            m_held[slot] = row;
        }
        return values;
    }

private:
    std::size_t m_length;
    std::vector<Value> m_rows;
    std::vector<int> m_held;
};

// Columns of the window that are worked on at once: the rows that one output row reads stay within 64 MiB,
// however much shorter the result is than the picture.
int stripWidth(const Pixels& source, const ResizeRequest& request, std::size_t valueBytes) {
    constexpr double widestReach = 3;
    const double shrink = std::max(1.0, static_cast<double>(source.height) / request.height);
    const double rows = std::min(2 * std::ceil(widestReach * shrink) + 1, static_cast<double>(source.height));
    const double most = (1 << 26) / (rows * 3 * static_cast<double>(valueBytes));
    return std::clamp(static_cast<int>(std::min(most, 1e9)), 1, request.window.width);
}

// The window in strips of that width, left to right.
template <class Use>
void forStrips(const ResizeRequest& request, int width, Use use) {
    for (int x = 0; x < request.window.width; x += width) {
        ResizeRequest strip = request;
        strip.window.x += x;
        strip.window.width = std::min(width, request.window.width - x);
        use(strip, static_cast<std::size_t>(x));
    }
}

Pixels resizeBytes(const Pixels& source, const ResizeRequest& request, Rounding rounding) {
    const Window& window = request.window;
    if (const int width = stripWidth(source, request, 1); width < window.width) {
        Pixels result(window.width, window.height);
        forStrips(request, width, [&](const ResizeRequest& strip, std::size_t x) {
            const Pixels part = resizeBytes(source, strip, rounding);
            for (int y = 0; y < part.height; ++y)
                std::copy_n(part.at(0, y), 3 * static_cast<std::size_t>(part.width),
                            result.at(static_cast<int>(x), y));
        });
        return result;
    }

    const bool horizontal = request.width != source.width;
    const bool vertical = request.height != source.height;
    Taps<std::int32_t> columns, rows;
    if (horizontal) {
        columns = byteTaps(source.width, request.width, window.x, window.width, request.filter, rounding);
    }
    if (vertical) {
        rows = byteTaps(source.height, request.height, window.y, window.height, request.filter, rounding);
    }
    const std::size_t bytes = 3 * static_cast<std::size_t>(window.width);
    Pixels result(window.width, window.height);

    const auto makeRow = [&](int y, std::uint8_t* target) {
        if (horizontal) {
            filterRow(source.at(0, y), columns, target);
        } else {
            std::memcpy(target, source.at(window.x, y), bytes);
        }
    };
    if (!vertical) {
        for (int y = 0; y < window.height; ++y) makeRow(window.y + y, result.at(0, y));
        return result;
    }
    // Rounding between the passes makes their order visible. Pillow 13 was found (by its results on thousands
    // of sizes) to start with the columns when the picture loses more than twice as many rows as columns.
    const bool tall =
        rounding == Rounding::Pillow && source.height > request.height &&
        source.height - request.height > 2LL * (static_cast<long long>(source.width) - request.width);
    if (tall && horizontal) {
        std::vector<std::uint8_t> row(3 * static_cast<std::size_t>(source.width));
        for (int y = 0; y < window.height; ++y) {
            const int first = rows.first[static_cast<std::size_t>(y)];
            filterColumns([&](int j) { return source.at(0, first + j); }, rows, y, row.size(), row.data());
            filterRow(row.data(), columns, result.at(0, y));
        }
        return result;
    }
    RowRing<std::uint8_t> ring(horizontal ? rows.stride : 1, horizontal ? bytes : 1);
    for (int y = 0; y < window.height; ++y) {
        const int first = rows.first[static_cast<std::size_t>(y)];
        const auto rowAt = [&](int j) -> const std::uint8_t* {
            return horizontal ? ring.get(first + j, makeRow) : source.at(window.x, first + j);
        };
        const int count = rows.count[static_cast<std::size_t>(y)];
        if (horizontal) {
            for (int j = 0; j < count; ++j) rowAt(j);
        }
        filterColumns(rowAt, rows, y, bytes, result.at(0, y));
    }
    return result;
}

}  // namespace

void requirePixels(const Pixels& picture) {
    const std::string size = std::to_string(picture.width) + " x " + std::to_string(picture.height);
    if (picture.empty())
        throw Error("image: expected at least 1 x 1 pixel, found " + size, "Give a picture that has pixels.");
    const std::size_t expected =
        static_cast<std::size_t>(picture.width) * static_cast<std::size_t>(picture.height) * 3;
    if (picture.rgb.size() != expected) {
        throw Error("image of " + size + ": expected " + std::to_string(expected) + " bytes, found " +
                        std::to_string(picture.rgb.size()),
                    {}, ErrorCode::Internal);
    }
}

Pixels resizePillow(const Pixels& source, const ResizeRequest& unchecked) {
    const ResizeRequest request = checked(source, unchecked);
    if (request.filter == Resample::Nearest) return resizeNearest(source, request);
    return resizeBytes(source, request, Rounding::Pillow);
}

Pixels resizeTorchvision(const Pixels& source, const ResizeRequest& unchecked) {
    const ResizeRequest request = checked(source, unchecked);
    if (request.filter != Resample::Bilinear && request.filter != Resample::Bicubic &&
        request.filter != Resample::Lanczos) {
        throw Error("resize: expected bilinear, bicubic or lanczos for torchvision's resize");
    }
    return resizeBytes(source, request, Rounding::Torch);
}

namespace {

// Weights in single precision, step by step as torch's CPU kernel computes them: in large pictures the
// rounding of the centres is far above 1e-6.
Taps<float> torchTaps(int in, int out, int begin, int size, Resample resample) {
    const bool cubic = resample == Resample::Bicubic;
    const float scale = static_cast<float>(in) / static_cast<float>(out);
    const float reach = cubic ? 2.0F : 1.0F;
    const float support = scale >= 1.0F ? reach * scale : reach;
    const float inverse = scale >= 1.0F ? 1.0F / scale : 1.0F;
    const auto weightOf = [cubic](float x) {
        x = std::abs(x);
        if (!cubic) return x < 1.0F ? 1.0F - x : 0.0F;
        constexpr float a = -0.5F;
        if (x < 1.0F) return ((a + 2.0F) * x - (a + 3.0F)) * x * x + 1.0F;
        if (x < 2.0F) return (((x - 5.0F) * x + 8.0F) * x - 4.0F) * a;
        return 0.0F;
    };
    Taps<float> taps;
    taps.begin = begin;
    taps.stride =
        static_cast<std::size_t>(std::min(std::ceil(support) * 2.0F + 1.0F, static_cast<float>(in)));
    taps.first.resize(static_cast<std::size_t>(size));
    taps.count.resize(static_cast<std::size_t>(size));
    taps.weights.assign(static_cast<std::size_t>(size) * taps.stride, 0.0F);
    for (int i = 0; i < size; ++i) {
        const float center = static_cast<float>(scale * (begin + i + 0.5));
        const int low = std::max(static_cast<int>(center - support + 0.5), 0);
        const int high = std::min(static_cast<int>(center + support + 0.5), in);
        const int count = std::clamp(high - low, 0, static_cast<int>(taps.stride));
        float* weights = taps.weights.data() + static_cast<std::size_t>(i) * taps.stride;
        float sum = 0;
        for (int j = 0; j < count; ++j) {
            const float offset = static_cast<float>(j + low) - center;
            weights[j] = weightOf(static_cast<float>((offset + 0.5) * inverse));
            sum += weights[j];
        }
        for (int j = 0; j < count && sum != 0; ++j) weights[j] /= sum;
        taps.first[static_cast<std::size_t>(i)] = low;
        taps.count[static_cast<std::size_t>(i)] = count;
    }
    return taps;
}

Taps<float> torchNearest(int in, int out, int begin, int size) {
    const float scale = static_cast<float>(in) / static_cast<float>(out);
    Taps<float> taps;
    taps.begin = begin;
    taps.count.assign(static_cast<std::size_t>(size), 1);
    taps.weights.assign(static_cast<std::size_t>(size), 1.0F);
    for (int i = 0; i < size; ++i) {
        taps.first.push_back(
            std::min(static_cast<int>(std::floor(static_cast<float>(begin + i) * scale)), in - 1));
    }
    return taps;
}

}  // namespace

std::vector<float> resizeAntialiased(const Pixels& source, const std::array<float, 256>& table,
                                     const ResizeRequest& unchecked) {
    const ResizeRequest request = checked(source, unchecked);
    const Window& window = request.window;
    const bool nearest = request.filter == Resample::Nearest;
    if (!nearest && request.filter != Resample::Bilinear && request.filter != Resample::Bicubic) {
        throw Error("resize: expected nearest, bilinear or bicubic for a resize on floats");
    }
    const auto tapsOf = [&](int in, int out, int begin, int size) {
        return nearest ? torchNearest(in, out, begin, size) : torchTaps(in, out, begin, size, request.filter);
    };
    const std::size_t width = static_cast<std::size_t>(window.width);
    if (const int part = stripWidth(source, request, sizeof(float)); part < window.width) {
        std::vector<float> result(3 * width * static_cast<std::size_t>(window.height));
        forStrips(request, part, [&](const ResizeRequest& strip, std::size_t x) {
            const std::vector<float> values = resizeAntialiased(source, table, strip);
            const auto columns = static_cast<std::size_t>(strip.window.width);
            for (std::size_t row = 0; row < 3 * static_cast<std::size_t>(window.height); ++row)
                std::copy_n(values.data() + row * columns, columns, result.data() + row * width + x);
        });
        return result;
    }
    const Taps<float> columns = tapsOf(source.width, request.width, window.x, window.width);
    const Taps<float> rows = tapsOf(source.height, request.height, window.y, window.height);
    const auto makeRow = [&](int y, float* target) {
        for (std::size_t x = 0; x < width; ++x) {
            const float* weights = columns.at(static_cast<int>(x));
            const std::uint8_t* pixel = source.at(columns.first[x], y);
            float r = 0, g = 0, b = 0;
            for (int j = 0; j < columns.count[x]; ++j, pixel += 3) {
                r += table[pixel[0]] * weights[j];
                g += table[pixel[1]] * weights[j];
                b += table[pixel[2]] * weights[j];
            }
            target[x] = r;
            target[width + x] = g;
            target[2 * width + x] = b;
        }
    };
    const std::size_t plane = width * static_cast<std::size_t>(window.height);
    std::vector<float> result(3 * plane);
    std::vector<float> sums(3 * width);
    RowRing<float> ring(rows.stride, 3 * width);
    for (int y = 0; y < window.height; ++y) {
        std::fill(sums.begin(), sums.end(), 0.0F);
        for (int j = 0; j < rows.count[static_cast<std::size_t>(y)]; ++j) {
            const float* row = ring.get(rows.first[static_cast<std::size_t>(y)] + j, makeRow);
            const float weight = rows.at(y)[j];
            for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += row[i] * weight;
        }
        for (std::size_t c = 0; c < 3; ++c) {
            std::copy_n(sums.data() + c * width, width,
                        result.data() + c * plane + static_cast<std::size_t>(y) * width);
        }
    }
    return result;
}

}  // namespace fovea
