#include "fovea/weight_report.h"

#include <algorithm>

#include "io/tensor_info.h"

namespace fovea {
namespace {

constexpr std::size_t kNamedTensors = 4;

/// "2 tensors are missing (a, b)", after what the text says already.
template <typename Items, typename Name>
void appendTensors(std::string& text, const Items& items, const char* one, const char* many, const char* between,
                   Name name) {
    if (items.empty()) return;
    if (!text.empty()) text += "; ";
    text += std::to_string(items.size()) + (items.size() == 1 ? one : many) + " (";
    for (std::size_t i = 0; i < std::min(items.size(), kNamedTensors); ++i)
        text += (i == 0 ? "" : between) + name(items[i]);
    text += items.size() > kNamedTensors ? between + std::string("...)") : ")";
}

}  // namespace

std::string WeightReport::problem() const {
    std::string text;
    appendTensors(text, missing, " tensor is missing", " tensors are missing", ", ",
                         [](const std::string& name) { return name; });
    appendTensors(text, misshaped, " tensor has the wrong shape", " tensors have the wrong shape", "; ",
           [](const auto& weight) {
               return weight.name + ": expected " + shapeText(weight.expected) + ", found " + shapeText(weight.found);
           });
    appendTensors(text, mistyped, " tensor has the wrong element type", " tensors have the wrong element type", "; ",
           [](const auto& weight) {
               return weight.name + " in " + weight.file + ": expected F32, F16, BF16 or F64, found " + weight.found;
           });
    if (!text.empty())
        appendTensors(text, unexpected, " tensor is not used", " tensors are not used", ", ",
                      [](const std::string& name) { return name; });
    return text;
}

std::string WeightReport::unexpectedNotice() const {
    if (unexpected.empty()) return {};
    std::string text = std::to_string(unexpected.size()) +
                       (unexpected.size() == 1 ? " tensor of the weight files is not used: "
                                               : " tensors of the weight files are not used: ");
    const std::size_t named = std::min(unexpected.size(), kNamedTensors);
    for (std::size_t i = 0; i < named; ++i) text += (i == 0 ? "" : ", ") + unexpected[i];
    if (unexpected.size() > named) text += " and " + std::to_string(unexpected.size() - named) + " more";
    return text;
}

}  // namespace fovea
