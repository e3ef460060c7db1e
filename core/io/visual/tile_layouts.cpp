// Families that write each tile out as a run of image tokens between texts: Idefics3, SmolVLM, InternVL,
// Gemma 3.
#include <array>
#include <cstdint>
#include <fmt/format.h>

#include "io/visual/layouts.h"

namespace fovea {
namespace {

// 0 to 9999 in words, as the num2words package writes them.
std::string inWords(int n) {
    static constexpr std::array<const char*, 20> kSmall{
        "zero",     "one",     "two",     "three",     "four",     "five",    "six",
        "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",  "thirteen",
        "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
    static constexpr std::array<const char*, 10> kTens{"",      "",      "twenty",  "thirty", "forty",
                                                       "fifty", "sixty", "seventy", "eighty", "ninety"};
    if (n < 20) return kSmall[static_cast<std::size_t>(n)];
    if (n < 100) {
        const std::string tens = kTens[static_cast<std::size_t>(n / 10)];
        return n % 10 == 0 ? tens : tens + "-" + kSmall[static_cast<std::size_t>(n % 10)];
    }
    const bool thousands = n >= 1000;
    const int unit = thousands ? 1000 : 100;
    const std::string head = inWords(n / unit) + (thousands ? " thousand" : " hundred");
    if (n % unit == 0) return head;
    return head + (thousands && n % unit >= 100 ? ", " : " and ") + inWords(n % unit);
}

std::string durationText(std::int64_t seconds) {
    const std::int64_t days = seconds / 86400;
    const std::string clock =
        fmt::format("{}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    if (days == 0) return clock;
    return fmt::format("{} day{}, {}", days, days == 1 ? "" : "s", clock);
}

void addWhole(std::vector<LayoutItem>& items, const LayoutRules& rules, const VisionImage& image, int tile) {
    addText(items, rules.begin + rules.overview);
    addGrid(items, rules, image, tile);
    addText(items, rules.end);
}

int tileCount(const VisionImage& image) {
    return static_cast<int>(image.tiles.size());
}

}  // namespace

std::vector<LayoutItem> idefics3Layout(const LayoutRules& rules, const VisionImage& image) {
    std::vector<LayoutItem> items;
    for (int tile = 0; tile + 1 < tileCount(image); ++tile) {
        const VisionTile& t = image.tiles[static_cast<std::size_t>(tile)];
        addText(items, fmt::format("{}<row_{}_col_{}>", rules.begin, t.row + 1, t.column + 1));
        addGrid(items, rules, image, tile);
        if (t.column + 1 == image.tileColumns) addText(items, "\n");
    }
    if (tileCount(image) > 1) addText(items, "\n");
    addWhole(items, rules, image, tileCount(image) - 1);
    return items;
}

std::vector<LayoutItem> smolVlmVideoLayout(const LayoutRules& rules, const VisionImage& video) {
    const VideoTiming& timing = video.timing;
    const double fps = timing.fps > 0 ? timing.fps : 24;
    const double last = static_cast<double>(timing.indices.back()) / fps;
    const auto duration = static_cast<std::int64_t>(timing.duration > 0 ? timing.duration : last);
    std::vector<LayoutItem> items;
    addText(items,
            fmt::format("You are provided the following series of {} frames from a {} [H:MM:SS] video.\n",
                        inWords(video.frames), durationText(duration)));
    for (int i = 0; i < tileCount(video); ++i) {
        const double second = static_cast<double>(timing.indices[static_cast<std::size_t>(i)]) / fps;
        const auto whole = static_cast<std::int64_t>(second);
        addText(items, fmt::format("\nFrame from {:02}:{:02}:", whole / 60, whole % 60));
        addWhole(items, rules, video, i);
    }
    addText(items, "\n\n");
    return items;
}

std::vector<LayoutItem> internVlLayout(const LayoutRules& rules, const VisionImage& image) {
    std::vector<LayoutItem> items;
    addText(items, rules.begin);
    for (int tile = 0; tile < tileCount(image); ++tile) addGrid(items, rules, image, tile);
    addText(items, rules.end);
    return items;
}

std::vector<LayoutItem> internVlVideoLayout(const LayoutRules& rules, const VisionImage& video) {
    std::vector<LayoutItem> items;
    for (int i = 0; i < tileCount(video); ++i) {
        addText(items, fmt::format("{}Frame{}: {}", i > 0 ? "\n" : "", i + 1, rules.begin));
        addGrid(items, rules, video, i);
        addText(items, rules.end);
    }
    return items;
}

std::vector<LayoutItem> gemma3Layout(const LayoutRules& rules, const VisionImage& image) {
    std::vector<LayoutItem> items;
    const int crops = tileCount(image) - 1;
    for (int tile = 0; tile < tileCount(image); ++tile) {
        if (crops > 0 && tile == 0) addText(items, "Here is the original image ");
        if (tile == 1) addText(items, " and here are some crops to help you see better ");
        if (tile > 1) addText(items, " ");
        addText(items, "\n\n" + rules.begin);
        addGrid(items, rules, image, tile);
        addText(items, rules.end + "\n\n");
    }
    return items;
}

}  // namespace fovea
