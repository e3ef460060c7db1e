#include "scenes/shapes.h"

#include <array>
#include <cmath>

#include "scenes/canvas.h"

namespace fovea::scenes {
namespace {

struct Point {
    float x, y;
};

// Outlines in units of the object's radius, y down, corners rounded by kRound afterwards.
constexpr float kRound = 0.06f;
constexpr std::array<Point, 4> kSquare{{{-0.70f, -0.70f}, {0.70f, -0.70f}, {0.70f, 0.70f}, {-0.70f, 0.70f}}};
constexpr std::array<Point, 3> kTriangle{{{0.0f, -0.94f}, {0.8141f, 0.47f}, {-0.8141f, 0.47f}}};
constexpr std::array<Point, 6> kHexagon{{{0.92f, 0.0f},
                                         {0.46f, 0.7967f},
                                         {-0.46f, 0.7967f},
                                         {-0.92f, 0.0f},
                                         {-0.46f, -0.7967f},
                                         {0.46f, -0.7967f}}};
constexpr std::array<Point, 10> kStar{{{0.0f, -0.94f},
                                       {0.2351f, -0.3236f},
                                       {0.8940f, -0.2905f},
                                       {0.3804f, 0.1236f},
                                       {0.5525f, 0.7605f},
                                       {0.0f, 0.4f},
                                       {-0.5525f, 0.7605f},
                                       {-0.3804f, 0.1236f},
                                       {-0.8940f, -0.2905f},
                                       {-0.2351f, -0.3236f}}};
constexpr std::array<Point, 12> kCross{{{-0.27f, -0.88f},
                                        {0.27f, -0.88f},
                                        {0.27f, -0.27f},
                                        {0.88f, -0.27f},
                                        {0.88f, 0.27f},
                                        {0.27f, 0.27f},
                                        {0.27f, 0.88f},
                                        {-0.27f, 0.88f},
                                        {-0.27f, 0.27f},
                                        {-0.88f, 0.27f},
                                        {-0.88f, -0.27f},
                                        {-0.27f, -0.27f}}};
constexpr std::array<Point, 7> kArrow{{{0.92f, 0.0f},
                                       {0.14f, 0.74f},
                                       {0.14f, 0.30f},
                                       {-0.86f, 0.30f},
                                       {-0.86f, -0.30f},
                                       {0.14f, -0.30f},
                                       {0.14f, -0.74f}}};

// A row of points (px, py) of one window row, in units of the radius; out receives distances in the same
// units.
struct Row {
    const float* px;
    const float* py;
    float* out;
    int count;
};

// Exact distance to a closed outline: nearest edge, and inside by the parity of edges crossed.
template <std::size_t N>
void polygonRow(const std::array<Point, N>& outline, const Row& row, float* sign) {
    for (int i = 0; i < row.count; ++i) row.out[i] = 1e6f, sign[i] = 1.0f;
    for (std::size_t e = 0; e < N; ++e) {
        const Point a = outline[e], b = outline[(e + 1) % N];
        const float ex = b.x - a.x, ey = b.y - a.y;
        const float inverse = 1.0f / (ex * ex + ey * ey);
        const float slope = ey != 0.0f ? ex / ey : 0.0f;
        for (int i = 0; i < row.count; ++i) {
            const float wx = row.px[i] - a.x, wy = row.py[i] - a.y;
            const float t = clamp01((wx * ex + wy * ey) * inverse);
            const float dx = wx - ex * t, dy = wy - ey * t;
            row.out[i] = minimum(row.out[i], dx * dx + dy * dy);
            const float above = row.py[i] >= a.y ? 1.0f : -1.0f;
            const float below = row.py[i] < b.y ? 1.0f : -1.0f;
            const float side = wx < slope * wy ? -1.0f : 1.0f;
            sign[i] *= above * below > 0.0f ? side : 1.0f;
        }
    }
    for (int i = 0; i < row.count; ++i) row.out[i] = sign[i] * std::sqrt(row.out[i]) - kRound;
}

void circleRow(const Row& row, float radius) {
    for (int i = 0; i < row.count; ++i) {
        row.out[i] = std::sqrt(row.px[i] * row.px[i] + row.py[i] * row.py[i]) - radius;
    }
}

void ringRow(const Row& row) {
    for (int i = 0; i < row.count; ++i) {
        const float radius = std::sqrt(row.px[i] * row.px[i] + row.py[i] * row.py[i]);
        row.out[i] = absolute(radius - 0.69f) - 0.24f;
    }
}

// A disc without a smaller one that is moved to the right; the lens of both distances is close enough for
// edges.
void crescentRow(const Row& row) {
    for (int i = 0; i < row.count; ++i) {
        const float x = row.px[i], y = row.py[i], cx = x - 0.42f;
        const float disc = std::sqrt(x * x + y * y) - 0.96f;
        const float bite = 0.74f - std::sqrt(cx * cx + y * y);
        row.out[i] = maximum(disc, bite);
    }
}

// Two discs and a square on its corner.
void heartRow(const Row& row) {
    constexpr float kDisc = 0.46f, kHalf = 0.46f, kRoot = 0.70710678f;
    for (int i = 0; i < row.count; ++i) {
        const float x = absolute(row.px[i]), y = row.py[i] - 0.14f;
        // The square's axes: along its lower right and upper right edges.
        const float u = absolute((x + y) * kRoot), v = absolute((x - y) * kRoot);
        const float qx = maximum(u - kHalf, 0.0f), qy = maximum(v - kHalf, 0.0f);
        const float box = std::sqrt(qx * qx + qy * qy) + minimum(maximum(u, v) - kHalf, 0.0f);
        // A disc is centred on the middle of each upper edge, at half a side from the square's centre.
        const float cx = x - kHalf * kRoot, cy = y + kHalf * kRoot;
        const float disc = std::sqrt(cx * cx + cy * cy) - kDisc;
        row.out[i] = minimum(box, disc) - 0.04f;
    }
}

void shapeRow(SceneShape shape, const Row& row, float* scratch) {
    switch (shape) {
        case SceneShape::Circle:
            circleRow(row, 0.90f);
            break;
        case SceneShape::Square:
            polygonRow(kSquare, row, scratch);
            break;
        case SceneShape::Triangle:
            polygonRow(kTriangle, row, scratch);
            break;
        case SceneShape::Star:
            polygonRow(kStar, row, scratch);
            break;
        case SceneShape::Cross:
            polygonRow(kCross, row, scratch);
            break;
        case SceneShape::Ring:
            ringRow(row);
            break;
        case SceneShape::Hexagon:
            polygonRow(kHexagon, row, scratch);
            break;
        case SceneShape::Crescent:
            crescentRow(row);
            break;
        case SceneShape::Heart:
            heartRow(row);
            break;
        case SceneShape::Arrow:
            polygonRow(kArrow, row, scratch);
            break;
    }
}

double sineSeries(double x) {
    double term = x, sum = x;
    for (int k = 1; k < 12; ++k) {
        term = -term * x * x / static_cast<double>(2 * k * (2 * k + 1));
        sum += term;
    }
    return sum;
}

}  // namespace

void cosineSine(int degrees, float& cosine, float& sine) {
    constexpr double kRadians = 3.14159265358979323846 / 180.0;
    const auto fold = [](int d) {
        const int turn = ((d % 360) + 360) % 360;
        return turn > 180 ? turn - 360 : turn;
    };
    sine = static_cast<float>(sineSeries(fold(degrees) * kRadians));
    cosine = static_cast<float>(sineSeries(fold(degrees + 90) * kRadians));
}

DistanceField makeDistanceField(const SceneObject& object, float margin) {
    DistanceField field;
    const float reach = object.radius + margin;
    field.left = floorInt(object.centerX - reach);
    field.top = floorInt(object.centerY - reach);
    field.width = floorInt(object.centerX + reach) + 2 - field.left;
    field.height = floorInt(object.centerY + reach) + 2 - field.top;
    cosineSine(object.rotation, field.cosine, field.sine);
    const auto width = static_cast<std::size_t>(field.width);
    field.distance.resize(width * static_cast<std::size_t>(field.height));
    std::vector<float> px(width), py(width), scratch(width);
    const float inverse = 1.0f / object.radius;
    for (int y = 0; y < field.height; ++y) {
        const float dy = static_cast<float>(field.top + y) + 0.5f - object.centerY;
        for (int x = 0; x < field.width; ++x) {
            const float dx = static_cast<float>(field.left + x) + 0.5f - object.centerX;
            px[static_cast<std::size_t>(x)] = (field.cosine * dx + field.sine * dy) * inverse;
            py[static_cast<std::size_t>(x)] = (field.cosine * dy - field.sine * dx) * inverse;
        }
        float* out = field.distance.data() + static_cast<std::size_t>(y) * width;
        shapeRow(object.shape, Row{px.data(), py.data(), out, field.width}, scratch.data());
        for (int x = 0; x < field.width; ++x) out[x] *= object.radius;
    }
    return field;
}

}  // namespace fovea::scenes
