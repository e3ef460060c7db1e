#include "common/picture_box.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "fovea/error.h"

namespace fovea {
namespace {

[[noreturn]] void reject(const std::string& text, int width, int height) {
    throw Error(fmt::format("box \"{}\": expected x,y,width,height in pixels of the {} x {} picture", text, width, height),
                fmt::format("the whole picture is 0,0,{},{}", width, height), ErrorCode::Usage);
}

}  // namespace

Rect parseBox(const std::string& text, int width, int height) {
    std::array<double, 4> numbers{};
    const char *at = text.data(), *end = at + text.size();
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        while (at != end && *at == ' ') ++at;
        const auto [rest, problem] = std::from_chars(at, end, numbers[i]);
        if (problem != std::errc() || !std::isfinite(numbers[i])) reject(text, width, height);
        at = rest;
        while (at != end && *at == ' ') ++at;
        if (i < 3 ? at == end || *at++ != ',' : at != end) reject(text, width, height);
    }
    const double left = std::max(0.0, numbers[0]), top = std::max(0.0, numbers[1]);
    const double right = std::min<double>(width, numbers[0] + numbers[2]);
    const double bottom = std::min<double>(height, numbers[1] + numbers[3]);
    if (!(right > left) || !(bottom > top)) reject(text, width, height);
    return {left, top, right - left, bottom - top};
}

double sharedArea(const Rect& a, const Rect& b) {
    const double width = std::min(a.x + a.width, b.x + b.width) - std::max(a.x, b.x);
    const double height = std::min(a.y + a.height, b.y + b.height) - std::max(a.y, b.y);
    return width > 0 && height > 0 ? width * height : 0;
}

std::vector<std::pair<int, double>> tokensInBox(const StageTokens& stage, int image, const Rect& box) {
    std::vector<std::pair<int, double>> inside;
    for (const Token& token : stage.tokens) {
        if (token.image != image || token.row < 0 || token.rect.empty()) continue;
        const double share = sharedArea(token.rect, box) / (token.rect.width * token.rect.height);
        if (share > 0) inside.emplace_back(token.index, std::min(1.0, share));
    }
    return inside;
}

}  // namespace fovea
