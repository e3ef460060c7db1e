#include <array>
#include <string>

#include "fovea/error.h"
#include "fovea/scenes.h"

namespace fovea {
namespace {

constexpr std::array<std::string_view, kSceneShapes> kShapes{
    "circle", "square", "triangle", "star", "cross", "ring", "hexagon", "crescent", "heart", "arrow"};
constexpr std::array<std::string_view, kSceneColors> kColors{"red",  "orange", "yellow", "green",
                                                             "cyan", "blue",   "purple", "white"};
constexpr std::array<std::string_view, kSceneTextures> kTextures{"plain", "striped", "dotted", "checked",
                                                                 "gradient"};
constexpr std::array<std::string_view, 3> kSizes{"small", "medium", "large"};
constexpr std::array<std::string_view, 5> kBackgrounds{"gradient", "clouds", "tiles", "wood", "linen"};

template <std::size_t N, class Enum>
std::string_view pick(const std::array<std::string_view, N>& names, Enum value) {
    return names.at(static_cast<std::size_t>(value));
}

void checkObject(const Scene& scene, int object) {
    if (object < 0 || static_cast<std::size_t>(object) >= scene.objects.size()) {
        throw Error("scene object: expected an index from 0 to " + std::to_string(scene.objects.size() - 1) +
                        ", found " + std::to_string(object),
                    "the truth file lists the objects", ErrorCode::Usage);
    }
}

// Every string of a scene is plain ASCII without quotes or backslashes, so that no escaping is needed.
std::string quoted(std::string_view text) {
    return std::string("\"").append(text) + '"';
}

// Tenths, without the C library's locale.
std::string tenths(float value) {
    const auto t = static_cast<long>(value * 10.0f + 0.5f);
    return std::to_string(t / 10) + "." + std::to_string(t % 10);
}

std::string list(const std::vector<int>& values) {
    std::string text = "[";
    for (const int v : values) {
        if (text.size() > 1) text += ',';
        text += std::to_string(v);
    }
    return text + ']';
}

std::string boxText(const SceneBox& b) {
    return list({b.x, b.y, b.width, b.height});
}

std::string objectText(const Scene& scene, const SceneObject& o) {
    std::string text = "{\"index\":" + std::to_string(o.depth);
    text += ",\"class\":" + quoted(sceneClassName(sceneClass(o.shape, o.color)));
    text += ",\"class_index\":" + std::to_string(sceneClass(o.shape, o.color));
    text += ",\"shape\":" + quoted(sceneName(o.shape)) + ",\"color\":" + quoted(sceneName(o.color));
    text += ",\"texture\":" + quoted(sceneName(o.texture)) + ",\"size\":" + quoted(sceneName(o.size));
    text +=
        ",\"center\":[" + tenths(o.centerX) + "," + tenths(o.centerY) + "],\"radius\":" + tenths(o.radius);
    text += ",\"rotation\":" + std::to_string(o.rotation) + ",\"depth\":" + std::to_string(o.depth);
    text += ",\"box\":" + boxText(o.box) + ",\"full_box\":" + boxText(o.fullBox);
    text += ",\"visible_pixels\":" + std::to_string(o.visiblePixels);
    text += ",\"full_pixels\":" + std::to_string(o.fullPixels);
    return text + ",\"mask\":" + list(sceneRunLengths(sceneMask(scene, o.depth))) + "}";
}

std::string questionText(const SceneQuestion& q) {
    return "{\"kind\":" + quoted(q.kind) + ",\"text\":" + quoted(q.text) + ",\"answer\":" + quoted(q.answer) +
           ",\"objects\":" + list(q.objects) + "}";
}

}  // namespace

std::string_view sceneName(SceneShape shape) {
    return pick(kShapes, shape);
}
std::string_view sceneName(SceneColor color) {
    return pick(kColors, color);
}
std::string_view sceneName(SceneTexture texture) {
    return pick(kTextures, texture);
}
std::string_view sceneName(SceneSize size) {
    return pick(kSizes, size);
}
std::string_view sceneName(SceneBackground background) {
    return pick(kBackgrounds, background);
}

int sceneClass(SceneShape shape, SceneColor color) {
    return static_cast<int>(shape) * kSceneColors + static_cast<int>(color);
}

std::string sceneClassName(int classIndex) {
    if (classIndex < 0 || classIndex >= kSceneClasses) {
        throw Error("scene class: expected 0 to " + std::to_string(kSceneClasses - 1) + ", found " +
                        std::to_string(classIndex),
                    {}, ErrorCode::Usage);
    }
    return std::string(kColors[static_cast<std::size_t>(classIndex % kSceneColors)]) + " " +
           std::string(kShapes[static_cast<std::size_t>(classIndex / kSceneColors)]);
}

int sceneLabel(const Scene& scene) {
    checkObject(scene, scene.target);
    const SceneObject& o = scene.objects[static_cast<std::size_t>(scene.target)];
    return sceneClass(o.shape, o.color);
}

std::vector<std::uint8_t> sceneMask(const Scene& scene, int object) {
    checkObject(scene, object);
    std::vector<std::uint8_t> mask(scene.owner.size());
    for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = scene.owner[i] == object ? 1 : 0;
    return mask;
}

std::vector<float> sceneCoverage(const Scene& scene, int object, int gridWidth, int gridHeight) {
    checkObject(scene, object);
    const int width = scene.image.width, height = scene.image.height;
    if (gridWidth < 1 || gridHeight < 1 || gridWidth > width || gridHeight > height) {
        throw Error("scene grid: expected 1 x 1 to " + std::to_string(width) + " x " +
                        std::to_string(height) + ", found " + std::to_string(gridWidth) + " x " +
                        std::to_string(gridHeight),
                    {}, ErrorCode::Usage);
    }
    const auto cells = static_cast<std::size_t>(gridWidth) * static_cast<std::size_t>(gridHeight);
    std::vector<int> inside(cells), all(cells);
    std::size_t i = 0;
    for (int y = 0; y < height; ++y) {
        const auto row = static_cast<std::size_t>((2 * y + 1) * gridHeight / (2 * height)) *
                         static_cast<std::size_t>(gridWidth);
        for (int x = 0; x < width; ++x, ++i) {
            const std::size_t cell = row + static_cast<std::size_t>((2 * x + 1) * gridWidth / (2 * width));
            ++all[cell];
            inside[cell] += scene.owner[i] == object ? 1 : 0;
        }
    }
    std::vector<float> coverage(cells);
    for (std::size_t c = 0; c < cells; ++c)
        coverage[c] = static_cast<float>(inside[c]) / static_cast<float>(all[c]);
    return coverage;
}

std::vector<int> sceneRunLengths(const std::vector<std::uint8_t>& mask) {
    std::vector<int> runs;
    std::uint8_t value = 0;
    int length = 0;
    for (const std::uint8_t m : mask) {
        if ((m != 0) != (value != 0)) {
            runs.push_back(length);
            value = m != 0 ? 1 : 0;
            length = 0;
        }
        ++length;
    }
    runs.push_back(length);
    return runs;
}

std::string sceneTruthJson(const Scene& scene) {
    const SceneOptions& o = scene.options;
    std::string text = "{\"format\":\"fovea.scene.1\",\"seed\":" + std::to_string(o.seed);
    text += ",\"width\":" + std::to_string(o.width) + ",\"height\":" + std::to_string(o.height);
    text += ",\"background\":" + quoted(sceneName(scene.background));
    text += ",\"mark\":" + quoted(o.mark == SceneMark::Brackets ? "brackets" : "none");
    text += ",\"clutter\":" + quoted(o.clutter == SceneClutter::Normal ? "normal" : "none");
    text += ",\"target\":" + std::to_string(scene.target);
    text += ",\"target_class\":" + quoted(sceneClassName(sceneLabel(scene)));
    std::vector<int> order;
    for (std::size_t i = scene.objects.size(); i-- > 0;) order.push_back(static_cast<int>(i));
    text += ",\"depth_order\":" + list(order);
    text += ",\"mask_encoding\":\"row-major run lengths, zeros first\",\"questions\":[";
    for (std::size_t i = 0; i < scene.questions.size(); ++i) {
        text += (i > 0 ? ",\n  " : "\n  ") + questionText(scene.questions[i]);
    }
    text += "],\"objects\":[";
    for (std::size_t i = 0; i < scene.objects.size(); ++i) {
        text += (i > 0 ? ",\n  " : "\n  ") + objectText(scene, scene.objects[i]);
    }
    return text + "]}\n";
}

}  // namespace fovea
