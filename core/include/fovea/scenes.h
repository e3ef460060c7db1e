#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/pixels.h"

/// Procedural scenes with ground truth, drawn in memory from a seed: the pictures of the demo models, lessons
/// and metric checks. The same options give the same bytes on every platform: the generator uses its own
/// integer random numbers and nothing but +, -, *, / and square root of IEEE-754 floats, which round
/// identically everywhere.
namespace fovea {

enum class SceneShape { Circle, Square, Triangle, Star, Cross, Ring, Hexagon, Crescent, Heart, Arrow };
/// Colours far apart in hue and lightness; their list follows Okabe and Ito's palette (vermilion for red,
/// bluish green), so that most pairs stay distinguishable for colour-blind readers.
enum class SceneColor { Red, Orange, Yellow, Green, Cyan, Blue, Purple, White };
enum class SceneTexture { Plain, Striped, Dotted, Checked, Gradient };
/// Thirds of the range of radii that scenes are drawn with.
enum class SceneSize { Small, Medium, Large };
enum class SceneBackground { Gradient, Clouds, Tiles, Wood, Linen };
/// How the target is pointed out in the picture: corner brackets around its box, or not at all.
enum class SceneMark { None, Brackets };
/// Whether thin lines and small specks are strewn below and above the objects.
enum class SceneClutter { None, Normal };

inline constexpr int kSceneShapes = 10;
inline constexpr int kSceneColors = 8;
inline constexpr int kSceneTextures = 5;
/// Number of classes of the marked-object task: every shape in every colour.
inline constexpr int kSceneClasses = kSceneShapes * kSceneColors;
/// Smallest and largest width and height of a scene in pixels.
inline constexpr int kSceneMinSide = 64;
inline constexpr int kSceneMaxSide = 4096;

/// Lower-case English names as they stand in questions, labels and the truth file.
std::string_view sceneName(SceneShape shape);
std::string_view sceneName(SceneColor color);
std::string_view sceneName(SceneTexture texture);
std::string_view sceneName(SceneSize size);
std::string_view sceneName(SceneBackground background);

/// Class index of the marked-object task: shape * kSceneColors + color.
int sceneClass(SceneShape shape, SceneColor color);
/// Label of a class index, such as "red star"; throws Error when it is outside [0, kSceneClasses).
std::string sceneClassName(int classIndex);

struct SceneOptions {
    std::uint64_t seed = 0;
    int width = 224;   ///< pixels
    int height = 224;  ///< pixels; layout scales with the shorter side
    int minObjects = 4;
    int maxObjects = 9;  ///< at most 24
    SceneMark mark = SceneMark::Brackets;
    SceneClutter clutter = SceneClutter::Normal;
    bool operator==(const SceneOptions&) const = default;
};

/// A pixel rectangle; all zero when there is no pixel.
struct SceneBox {
    int x = 0, y = 0, width = 0, height = 0;
    bool operator==(const SceneBox&) const = default;
};

struct SceneObject {
    SceneShape shape{};
    SceneColor color{};
    SceneTexture texture{};
    SceneSize size{};
    float centerX = 0, centerY = 0;  ///< pixels
    float radius = 0;                ///< of the circle around the shape, pixels
    int rotation = 0;                ///< degrees, clockwise on screen
    int depth = 0;                   ///< 0 is the farthest; a greater depth covers a smaller one
    SceneBox box;                    ///< of its visible pixels
    SceneBox fullBox;                ///< of all its pixels, as if nothing covered it
    int visiblePixels = 0;
    int fullPixels = 0;
    bool operator==(const SceneObject&) const = default;
};

/// A question about a scene with its answer and the objects one has to look at to answer it.
struct SceneQuestion {
    std::string kind;          ///< marked, color, count, left_of, in_front_of
    std::string text;          ///< "What colour is the star?"
    std::string answer;        ///< "red", "3", "yes"
    std::vector<int> objects;  ///< indices into Scene::objects
    bool operator==(const SceneQuestion&) const = default;
};

struct Scene {
    SceneOptions options;
    Pixels image;
    std::vector<SceneObject> objects;  ///< in drawing order, farthest first: objects[i].depth == i
    /// Index of the object seen at each pixel, -1 for the background; marks and clutter do not count.
    /// [height, width]
    std::vector<std::int16_t> owner;
    int target = 0;  ///< the marked (or, without a mark, merely chosen) object
    SceneBackground background{};
    std::vector<SceneQuestion> questions;  ///< the first asks for the target's class
};

/// Draws the scene of the options; throws Error (ErrorCode::Usage) for a size or object count out of range.
Scene makeScene(const SceneOptions& options);

/// Class index of the scene's target.
int sceneLabel(const Scene& scene);

/// 1 where the object is visible, else 0; [height, width]; throws Error for an index that is no object.
std::vector<std::uint8_t> sceneMask(const Scene& scene, int object);

/// Share of each cell of a gridWidth x gridHeight grid over the image that the object's visible pixels cover,
/// 0 to 1; [gridHeight, gridWidth]; a pixel belongs to the cell that holds its centre.
std::vector<float> sceneCoverage(const Scene& scene, int object, int gridWidth, int gridHeight);

/// Run lengths of a mask, row by row from the top left: the count of zeros first (may be 0), then ones,
/// zeros, ...
std::vector<int> sceneRunLengths(const std::vector<std::uint8_t>& mask);

/// The ground truth as JSON text: options, target, depth order (front to back), questions, and per object its
/// class, colour, texture, size, boxes [x, y, width, height], pixel counts and visible mask as run lengths
/// (sceneRunLengths).
std::string sceneTruthJson(const Scene& scene);

}  // namespace fovea
