#include "fovea/weight_report.h"

#include <algorithm>

#include "io/tensor_info.h"

namespace fovea {

std::string WeightReport::problem() const {
    constexpr std::size_t shown = 4;
    std::string text;
    if (!missing.empty()) {
        text = std::to_string(missing.size()) +
               (missing.size() == 1 ? " tensor is missing (" : " tensors are missing (");
        for (std::size_t i = 0; i < std::min(missing.size(), shown); ++i)
            text += (i == 0 ? "" : ", ") + missing[i];
        text += missing.size() > shown ? ", ...)" : ")";
    }
    if (!misshaped.empty()) {
        if (!text.empty()) text += "; ";
        text += std::to_string(misshaped.size()) +
                (misshaped.size() == 1 ? " tensor has the wrong shape (" : " tensors have the wrong shape (");
        for (std::size_t i = 0; i < std::min(misshaped.size(), shown); ++i)
            text += (i == 0 ? "" : "; ") + misshaped[i].name + ": expected " +
                    shapeText(misshaped[i].expected) + ", found " + shapeText(misshaped[i].found);
        text += misshaped.size() > shown ? "; ...)" : ")";
    }
    return text;
}

}  // namespace fovea
