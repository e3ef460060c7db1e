#include "ask.h"

#include <algorithm>
#include <functional>

#include "scenes/rng.h"

namespace ask {
namespace {

using fovea::kSceneClasses;
using fovea::kSceneColors;
using fovea::kSceneShapes;
using fovea::Scene;
using fovea::SceneObject;

constexpr std::array<const char*, 4> kDirections{"left of", "right of", "above", "below"};
constexpr std::array<const char*, kKinds> kNames{"color",   "shape",    "count_shape", "count_color",
                                                 "exists",  "relation", "pair_side",   "front",
                                                 "largest", "marked",   "name_all"};

// First number of each kind's texts.
constexpr std::array<int, kKinds + 1> firstTexts() {
    constexpr std::array<int, kKinds> sizes{kSceneShapes,
                                            kSceneColors,
                                            kSceneShapes,
                                            kSceneColors,
                                            kSceneClasses,
                                            4 * kSceneShapes * kSceneShapes,
                                            4 * kSceneClasses * kSceneClasses,
                                            kSceneClasses * kSceneClasses,
                                            1,
                                            1,
                                            1};
    std::array<int, kKinds + 1> first{};
    for (int k = 0; k < kKinds; ++k) first[k + 1] = first[k] + sizes[k];
    return first;
}
constexpr auto kFirst = firstTexts();

// First numbers of the answers.
constexpr int kShapeAnswers = kSceneColors, kNumbers = kShapeAnswers + kSceneShapes, kNo = kNumbers + 10,
              kYes = kNo + 1, kClasses = kYes + 1;

int classOf(const SceneObject& o) {
    return fovea::sceneClass(o.shape, o.color);
}
int shapeOf(const SceneObject& o) {
    return static_cast<int>(o.shape);
}
int colorOf(const SceneObject& o) {
    return static_cast<int>(o.color);
}
// Shares of 100.
bool shows(const SceneObject& o, int percent) {
    return o.visiblePixels * 100 >= o.fullPixels * percent;
}

class Asker {
public:
    explicit Asker(const Scene& scene) : m_scene(scene), m_rng(scene.options.seed, 77) {}

    std::array<Question, kSlots> ask() {
        for (int i = 0; i < 2; ++i) {
            askUnique(Color, shapeOf, [](const SceneObject& o) { return colorOf(o); });
            askUnique(Shape, colorOf, [](const SceneObject& o) { return kShapeAnswers + shapeOf(o); });
            askCount(CountShape, shapeOf, kSceneShapes);
            askCount(CountColor, colorOf, kSceneColors);
            askExists();
            askPair();
        }
        for (int i = 0; i < 3; ++i) askRelation();
        askFront();
        askLargest();
        if (m_scene.options.mark != fovea::SceneMark::None)
            add(Marked, 0, kClasses + fovea::sceneLabel(m_scene), m_scene.target);
        return m_out;
    }

private:
    using Property = std::function<int(const SceneObject&)>;

    void add(Kind kind, int index, int answer, int object) {
        if (m_used == kSlots) return;
        m_out[m_used++] = {kind, static_cast<std::uint16_t>(kFirst[kind] + index),
                           static_cast<std::uint16_t>(answer), static_cast<std::uint8_t>(object)};
    }
    template <class Match>
    std::vector<const SceneObject*> select(Match match) const {
        std::vector<const SceneObject*> found;
        for (const SceneObject& o : m_scene.objects)
            if (match(o)) found.push_back(&o);
        return found;
    }
    int count(const Property& property, int value) const {
        return static_cast<int>(select([&](const SceneObject& o) { return property(o) == value; }).size());
    }
    // Objects that the property names without doubt, and of which at least half shows.
    std::vector<const SceneObject*> named(const Property& property) const {
        return select(
            [&](const SceneObject& o) { return shows(o, 50) && count(property, property(o)) == 1; });
    }
    template <class T>
    const T& any(const std::vector<T>& list) {
        return list[static_cast<std::size_t>(m_rng.below(static_cast<int>(list.size())))];
    }

    void askUnique(Kind kind, const Property& by, const Property& answer) {
        const auto candidates = named(by);
        if (candidates.empty()) return;
        const SceneObject& o = *any(candidates);
        add(kind, by(o), answer(o), o.depth);
    }
    void askCount(Kind kind, const Property& by, int values) {
        int value = by(
            m_scene.objects[static_cast<std::size_t>(m_rng.below(static_cast<int>(m_scene.objects.size())))]);
        const float turn = m_rng.unit();
        if (turn < 0.2f) {
            value = m_rng.below(values);
        } else if (turn < 0.5f) {
            for (int v = 0; v < values; ++v)
                if (count(by, v) > count(by, value)) value = v;
        }
        const auto counted = select([&](const SceneObject& o) { return by(o) == value; });
        for (const SceneObject* o : counted)
            if (!shows(*o, 35)) return;
        add(kind, value, kNumbers + static_cast<int>(counted.size()),
            counted.size() == 1 ? counted[0]->depth : kNone);
    }
    void askExists() {
        const SceneObject& o =
            m_scene.objects[static_cast<std::size_t>(m_rng.below(static_cast<int>(m_scene.objects.size())))];
        const SceneObject& p =
            m_scene.objects[static_cast<std::size_t>(m_rng.below(static_cast<int>(m_scene.objects.size())))];
        int wanted = classOf(o);
        // Half of the absent ones have the colour of one object and the shape of another.
        if (m_rng.chance(0.65f))
            wanted = m_rng.chance(0.5f) ? fovea::sceneClass(p.shape, o.color) : m_rng.below(kSceneClasses);
        const auto found = select([&](const SceneObject& q) { return classOf(q) == wanted; });
        const bool clear =
            std::any_of(found.begin(), found.end(), [](const SceneObject* q) { return shows(*q, 50); });
        if (!found.empty() && !clear) return;
        add(Exists, wanted, found.empty() ? kNo : kYes, found.size() == 1 ? found[0]->depth : kNone);
    }
    // 1 if a lies clearly in the direction from b, -1 if clearly not, 0 if it is a matter of taste.
    static int lies(const SceneObject& a, const SceneObject& b, int direction) {
        const float away = direction < 2 ? b.centerX - a.centerX : b.centerY - a.centerY;
        const float along = direction % 2 == 0 ? away : -away;
        const float least = 0.5f * std::min(a.radius, b.radius);
        return along > least ? 1 : (along < -least ? -1 : 0);
    }
    void askRelation() {
        const auto bases = named(shapeOf);
        if (bases.empty()) return;
        const SceneObject& base = *any(bases);
        const bool wanted = m_rng.chance(0.5f);
        for (int attempt = 0; attempt < 12; ++attempt) {
            const int direction = m_rng.below(4);
            int shape = shapeOf(m_scene.objects[static_cast<std::size_t>(
                m_rng.below(static_cast<int>(m_scene.objects.size())))]);
            if (m_rng.chance(0.1f)) shape = m_rng.below(kSceneShapes);
            if (shape == shapeOf(base)) continue;
            const auto others = select([&](const SceneObject& o) { return shapeOf(o) == shape; });
            bool yes = false, doubt = false;
            for (const SceneObject* o : others) {
                const int where = shows(*o, 50) ? lies(*o, base, direction) : 0;
                yes = yes || where > 0;
                doubt = doubt || where == 0;
            }
            if (doubt || (yes != wanted && attempt < 8)) continue;
            add(Relation, (direction * kSceneShapes + shape) * kSceneShapes + shapeOf(base), yes ? kYes : kNo,
                base.depth);
            return;
        }
    }
    void askPair() {
        const auto candidates = named(classOf);
        if (candidates.size() < 2) return;
        const SceneObject &a = *any(candidates), &b = *any(candidates);
        const int direction = m_rng.below(4);
        if (&a == &b || lies(a, b, direction) == 0) return;
        add(Pair, (direction * kSceneClasses + classOf(a)) * kSceneClasses + classOf(b),
            lies(a, b, direction) > 0 ? kYes : kNo, a.depth);
    }
    // With a single object that reaches over it, there is no doubt which one covers it.
    void askFront() {
        const auto candidates = named(classOf);
        std::vector<std::pair<const SceneObject*, const SceneObject*>> covered;
        const auto overlap = [](const fovea::SceneBox& p, const fovea::SceneBox& q) {
            return p.x < q.x + q.width && q.x < p.x + p.width && p.y < q.y + q.height && q.y < p.y + p.height;
        };
        for (const SceneObject* o : candidates) {
            if (o->visiblePixels == o->fullPixels) continue;
            const auto above = select(
                [&](const SceneObject& p) { return p.depth > o->depth && overlap(o->fullBox, p.fullBox); });
            if (above.size() == 1 &&
                std::find(candidates.begin(), candidates.end(), above[0]) != candidates.end())
                covered.emplace_back(above[0], o);
        }
        if (covered.empty()) return;
        const auto [over, under] = any(covered);
        const bool forward = m_rng.chance(0.5f);
        const SceneObject &a = forward ? *over : *under, &b = forward ? *under : *over;
        add(Front, classOf(a) * kSceneClasses + classOf(b), forward ? kYes : kNo, a.depth);
    }
    // The object with the most visible pixels, where it has a fifth more than the next and nothing reaches
    // further.
    void askLargest() {
        const auto more = [](const SceneObject& a, const SceneObject& b) {
            return a.visiblePixels > b.visiblePixels;
        };
        std::vector<SceneObject> sorted(m_scene.objects);
        std::partial_sort(sorted.begin(), sorted.begin() + std::min<std::ptrdiff_t>(2, std::ssize(sorted)),
                          sorted.end(), more);
        const SceneObject& o = sorted[0];
        if (!shows(o, 70) || (sorted.size() > 1 && o.visiblePixels * 5 < sorted[1].visiblePixels * 6)) return;
        for (const SceneObject& p : m_scene.objects)
            if (p.radius > o.radius) return;
        add(Largest, 0, kClasses + classOf(o), o.depth);
    }

    const Scene& m_scene;
    fovea::scenes::Rng m_rng;
    std::array<Question, kSlots> m_out{};
    std::size_t m_used = 0;
};

std::string colorName(int color) {
    return std::string(fovea::sceneName(static_cast<fovea::SceneColor>(color)));
}
std::string shapeName(int shape) {
    return std::string(fovea::sceneName(static_cast<fovea::SceneShape>(shape)));
}
std::string withArticle(const std::string& name) {
    return (std::string("aeiou").find(name[0]) == std::string::npos ? "a " : "an ") + name;
}

}  // namespace

const char* kindName(int kind) {
    return kNames.at(static_cast<std::size_t>(kind));
}

std::vector<std::pair<Kind, std::string>> questionTexts() {
    std::vector<std::pair<Kind, std::string>> texts;
    const auto add = [&](Kind kind, const std::string& text) { texts.emplace_back(kind, text); };
    const auto object = [](int i) { return fovea::sceneClassName(i); };
    for (int s = 0; s < kSceneShapes; ++s) add(Color, "What colour is the " + shapeName(s) + "?");
    for (int c = 0; c < kSceneColors; ++c) add(Shape, "What shape is the " + colorName(c) + " object?");
    for (int s = 0; s < kSceneShapes; ++s)
        add(CountShape,
            "How many " + shapeName(s) + (shapeName(s).back() == 's' ? "es" : "s") + " are there?");
    for (int c = 0; c < kSceneColors; ++c)
        add(CountColor, "How many " + colorName(c) + " objects are there?");
    for (int i = 0; i < kSceneClasses; ++i) add(Exists, "Is there " + withArticle(object(i)) + "?");
    for (const char* direction : kDirections)
        for (int a = 0; a < kSceneShapes; ++a)
            for (int b = 0; b < kSceneShapes; ++b)
                add(Relation,
                    "Is there " + withArticle(shapeName(a)) + " " + direction + " the " + shapeName(b) + "?");
    for (const char* direction : kDirections)
        for (int a = 0; a < kSceneClasses; ++a)
            for (int b = 0; b < kSceneClasses; ++b)
                add(Pair, "Is the " + object(a) + " " + direction + " the " + object(b) + "?");
    for (int a = 0; a < kSceneClasses; ++a)
        for (int b = 0; b < kSceneClasses; ++b)
            add(Front, "Is the " + object(a) + " in front of the " + object(b) + "?");
    add(Largest, "What is the largest object?");
    add(Marked, "What is in the brackets?");
    add(Name, "Name all objects.");
    return texts;
}

std::vector<std::string> answerTexts() {
    std::vector<std::string> texts;
    for (int c = 0; c < kSceneColors; ++c) texts.push_back(colorName(c));
    for (int s = 0; s < kSceneShapes; ++s) texts.push_back(shapeName(s));
    for (int n = 0; n < 10; ++n) texts.push_back(std::to_string(n));
    texts.insert(texts.end(), {"no", "yes"});
    for (int i = 0; i < kSceneClasses; ++i) texts.push_back(fovea::sceneClassName(i));
    return texts;
}

std::array<Question, kSlots> questionsOf(const Scene& scene) {
    return Asker(scene).ask();
}

Naming namingOf(const Scene& scene) {
    Naming naming;
    const auto at = [&](int i) -> const SceneObject& { return scene.objects[static_cast<std::size_t>(i)]; };
    for (const SceneObject& o : scene.objects) {
        naming.order.push_back(o.depth);
        naming.visible = std::min(naming.visible, o.visiblePixels * 255 / std::max(o.fullPixels, 1));
    }
    std::stable_sort(naming.order.begin(), naming.order.end(),
                     [&](int a, int b) { return at(a).centerX < at(b).centerX; });
    for (std::size_t i = 1; i < naming.order.size(); ++i) {
        const float gap = (at(naming.order[i]).centerX - at(naming.order[i - 1]).centerX) * 224.0f /
                          static_cast<float>(scene.options.width);
        naming.gap = std::min(naming.gap, static_cast<int>(gap));
    }
    return naming;
}

}  // namespace ask
