#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "fovea/scenes.h"

/// Questions about scenes for the demo vision-language model: short numbers for every question and answer
/// text, and questions drawn from a scene's ground truth where it leaves no doubt.
namespace ask {

enum Kind : std::uint8_t {
    Color,       ///< What colour is the star?
    Shape,       ///< What shape is the red object?
    CountShape,  ///< How many stars are there?
    CountColor,  ///< How many red objects are there?
    Exists,      ///< Is there a red star?
    Relation,    ///< Is there a star left of the cross?
    Pair,        ///< Is the red star left of the blue cross?
    Front,       ///< Is the red star in front of the blue cross?
    Largest,     ///< What is the largest object?
    Marked,      ///< What is in the brackets?
    Name,        ///< Name all objects.
    kKinds
};

inline constexpr std::uint8_t kNone = 255;
inline constexpr int kSlots = 18;

/// A question of a scene: numbers of its text and answer, and the object to look at (kNone if it is no single
/// one).
struct Question {
    std::uint8_t kind = kNone;
    std::uint16_t text = 0, answer = 0;
    std::uint8_t object = kNone;
};

/// How all objects are named from left to right, and how clear that order is.
struct Naming {
    std::vector<int> order;  ///< indices into Scene::objects, by the centre's x
    int gap = 255;           ///< least distance of two neighbours in that order, in 224ths of the width
    int visible = 255;       ///< least visible share of an object, in 255ths
};

/// Name of a kind, as the model card writes it.
const char* kindName(int kind);
/// Every question text with its kind; the position is Question::text.
std::vector<std::pair<Kind, std::string>> questionTexts();
/// Every answer text but those to Name; the position is Question::answer. The last 80 are the classes by
/// class index.
std::vector<std::string> answerTexts();

/// At most kSlots questions; the rest of the array has kind kNone.
std::array<Question, kSlots> questionsOf(const fovea::Scene& scene);
Naming namingOf(const fovea::Scene& scene);

}  // namespace ask
