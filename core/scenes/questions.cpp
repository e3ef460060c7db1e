#include <algorithm>
#include <string>

#include "scenes/parts.h"

namespace fovea::scenes {
namespace {

std::string describe(const SceneObject& o) {
    return std::string(sceneName(o.color)) + " " + std::string(sceneName(o.shape));
}

std::string plural(SceneShape shape) {
    const std::string name(sceneName(shape));
    return name + (shape == SceneShape::Cross ? "es" : "s");
}

template <class Match>
std::vector<int> select(const Scene& scene, Match match) {
    std::vector<int> found;
    for (const SceneObject& o : scene.objects) {
        if (match(o)) found.push_back(o.depth);
    }
    return found;
}

// Objects that their colour and shape name without doubt, and of which enough shows.
std::vector<int> nameable(const Scene& scene) {
    return select(scene, [&](const SceneObject& o) {
        return o.visiblePixels * 2 >= o.fullPixels && select(scene, [&](const SceneObject& p) {
                                                          return p.shape == o.shape && p.color == o.color;
                                                      }).size() == 1;
    });
}

void askRelations(const Scene& scene, Rng& rng, std::vector<SceneQuestion>& questions) {
    const std::vector<int> named = nameable(scene);
    if (named.size() < 2) return;
    const int count = static_cast<int>(named.size());
    const int pick = rng.below(count);
    const int other = (pick + 1 + rng.below(count - 1)) % count;
    const int i = named[static_cast<std::size_t>(pick)], j = named[static_cast<std::size_t>(other)];
    const SceneObject& a = scene.objects[static_cast<std::size_t>(i)];
    const SceneObject& b = scene.objects[static_cast<std::size_t>(j)];
    // Centres too close to a vertical line would make left and right a matter of taste.
    if (absolute(a.centerX - b.centerX) > 0.5f * minimum(a.radius, b.radius)) {
        questions.push_back({"left_of",
                             "Is the " + describe(a) + " left of the " + describe(b) + "?",
                             a.centerX < b.centerX ? "yes" : "no",
                             {i, j}});
    }
    const auto overlap = [](const SceneBox& p, const SceneBox& q) {
        return p.x < q.x + q.width && q.x < p.x + p.width && p.y < q.y + q.height && q.y < p.y + p.height;
    };
    for (const int back : named) {
        const SceneObject& o = scene.objects[static_cast<std::size_t>(back)];
        if (o.visiblePixels == o.fullPixels) continue;
        // With a single object that reaches over it, there is no doubt which one covers it.
        const std::vector<int> above = select(
            scene, [&](const SceneObject& p) { return p.depth > o.depth && overlap(o.fullBox, p.fullBox); });
        if (above.size() != 1 || std::find(named.begin(), named.end(), above[0]) == named.end()) continue;
        const SceneObject& p = scene.objects[static_cast<std::size_t>(above[0])];
        // Asked from either side, so that "yes" is not always right.
        const bool forward = rng.chance(0.5f);
        const SceneObject& first = forward ? p : o;
        const SceneObject& second = forward ? o : p;
        questions.push_back({"in_front_of",
                             "Is the " + describe(first) + " in front of the " + describe(second) + "?",
                             forward ? "yes" : "no",
                             {first.depth, second.depth}});
        return;
    }
}

}  // namespace

std::vector<SceneQuestion> askQuestions(const Scene& scene, Rng rng) {
    std::vector<SceneQuestion> questions;
    const SceneObject& target = scene.objects[static_cast<std::size_t>(scene.target)];
    const bool marked = scene.options.mark != SceneMark::None;
    if (marked) {
        questions.push_back({"marked", "What is in the brackets?", describe(target), {scene.target}});
    }
    const auto sameShape = select(scene, [&](const SceneObject& o) { return o.shape == target.shape; });
    if (sameShape.size() == 1) {
        questions.push_back({"color", "What colour is the " + std::string(sceneName(target.shape)) + "?",
                             std::string(sceneName(target.color)), sameShape});
    }
    const SceneObject& any =
        scene.objects[static_cast<std::size_t>(rng.below(static_cast<int>(scene.objects.size())))];
    if (rng.chance(0.5f)) {
        const auto found = select(scene, [&](const SceneObject& o) { return o.color == any.color; });
        questions.push_back({"count", "How many " + std::string(sceneName(any.color)) + " objects are there?",
                             std::to_string(found.size()), found});
    } else {
        const auto found = select(scene, [&](const SceneObject& o) { return o.shape == any.shape; });
        questions.push_back(
            {"count", "How many " + plural(any.shape) + " are there?", std::to_string(found.size()), found});
    }
    askRelations(scene, rng, questions);
    return questions;
}

}  // namespace fovea::scenes
