#include "fovea/weight_report.h"

#include <algorithm>

#include "io/tensor_info.h"

namespace fovea {
namespace {

constexpr std::size_t kShown = 4;

/// "2 tensors are missing (a, b)", after what the text says already.
template <typename Items, typename Name>
void append(std::string& text, const Items& items, const char* one, const char* many, const char* between,
            Name name) {
    if (items.empty()) return;
    if (!text.empty()) text += "; ";
    text += std::to_string(items.size()) + (items.size() == 1 ? one : many) + " (";
    for (std::size_t i = 0; i < std::min(items.size(), kShown); ++i)
        text += (i == 0 ? "" : between) + name(items[i]);
    text += items.size() > kShown ? between + std::string("...)") : ")";
}

}  // namespace

std::string WeightReport::problem() const {
    std::string text;
    append(text, missing, " tensor is missing", " tensors are missing", ", ",
           [](const std::string& name) { return name; });
    append(text, misshaped, " tensor has the wrong shape", " tensors have the wrong shape", "; ",
           [](const auto& weight) {
               return weight.name + ": expected " + shapeText(weight.expected) + ", found " + shapeText(weight.found);
           });
    append(text, mistyped, " tensor has the wrong element type", " tensors have the wrong element type", "; ",
           [](const auto& weight) {
               return weight.name + " in " + weight.file + ": expected F32, F16, BF16 or F64, found " + weight.found;
           });
    return text;
}

}  // namespace fovea
