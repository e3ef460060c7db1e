#include "picture/text_metrics.h"

#include <doctest/doctest.h>

using namespace fovea::viz;

TEST_CASE("widths are those of DejaVu Sans") {
    // Advances in font units of 2048 per em: H 1540, i 569.
    CHECK(textWidth("Hi", 2048) == doctest::Approx(1540 + 569));
    CHECK(textWidth("Hi", 10) == doctest::Approx(10 * (1540 + 569) / 2048.0));
    CHECK(textWidth("Hi", 2048, Face::Bold) == doctest::Approx(1714 + 702));
    CHECK(textWidth("Hi", 2048, Face::Mono) == doctest::Approx(2 * 1233));
    CHECK(textWidth("", 12) == 0);
    CHECK(textWidth("\u661F", 12) == 12);
}

TEST_CASE("wrapping loses nothing, keeps to the width and breaks words only when it must") {
    const std::string text = "model demo:vit | input a.png | attention_from layers=all heads=mean " +
                             std::string(300, 'x') + " end";
    const auto lines = wrapText(text, 200, 10);
    CHECK(lines.size() > 4);
    std::string joined;
    for (const std::string& line : lines) {
        CHECK(textWidth(line, 10) <= 200 + 1e-9);
        joined += line;
    }
    const auto without = [](std::string s) {
        std::erase(s, ' ');
        return s;
    };
    CHECK(without(joined) == without(text));
    CHECK(lines.front() == "model demo:vit | input a.png |");
    CHECK(wrapText("", 100, 10) == std::vector<std::string>{""});
    CHECK(wrapText("a\nb", 100, 10) == std::vector<std::string>{"a", "b"});
    CHECK(wrapText("abc", 0.1, 10).size() == 3);
}

TEST_CASE("signs of fallback fonts are reckoned as wide as they are drawn") {
    CHECK(textWidth("\uFFFD", 2048) == doctest::Approx(2100));
    CHECK(textWidth("\uFFFD", 2048, Face::Bold) == doctest::Approx(2280));
    CHECK(textWidth("\u25A1", 2048) >= 1935);
    CHECK(textWidth("\U0001F600", 2048) >= 2550);
    std::string broken = "answer \"";
    for (int i = 0; i < 60; ++i) broken += "\uFFFD";
    const auto lines = wrapText(broken + "\" | layers last", 300, 10);
    CHECK(lines.size() > 2);
    for (const std::string& line : lines) CHECK(textWidth(line, 10) <= 300);
}

TEST_CASE("lines of one length leave no word alone on the last") {
    const std::string title = "Attention while writing the 32 answer tokens, text layer 2, mean of 4 heads";
    const double width = textWidth(title, 10) * 0.95;
    const auto lines = wrapEvenly(title, width, 10);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0] + " " + lines[1] == title);
    CHECK(textWidth(lines[1], 10) > 0.6 * textWidth(lines[0], 10));
    CHECK(wrapText(title, width, 10)[1] == "heads");
    CHECK(wrapEvenly("short", 100, 10) == std::vector<std::string>{"short"});
    CHECK(wrapEvenly("", 100, 10) == std::vector<std::string>{""});
}

TEST_CASE("eliding keeps whole characters and says that something is missing") {
    CHECK(elideText("short", 100, 10) == "short");
    const std::string cut = elideText("\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9", 40, 10);
    CHECK(textWidth(cut, 10) <= 40);
    CHECK(cut.substr(cut.size() - 3) == "\u2026");
    CHECK((cut.size() - 3) % 2 == 0);
}

TEST_CASE("control characters and word marks become visible") {
    CHECK(printable("\u2581star\n") == "\u00B7star\u21B5");
    CHECK(printable(std::string("\x01\xff", 2)) == "\uFFFD\uFFFD");
    CHECK(printable(" ") == "\u00B7");
    CHECK(printable(" red") == " red");
    CHECK(printable("").empty());
    CHECK(printable("a<0xF0><0x9F>b") == "a\uFFFD\uFFFDb");
    CHECK(printable("<0xF0>", BrokenBytes::Names) == "<0xF0>");
    CHECK(printable("<0x41> <0xGG> <0xF0") == "<0x41> <0xGG> <0xF0");
}
