#include "picture/metadata.h"

#include <doctest/doctest.h>

#include "picture/deflate.h"

using namespace fovea::viz;

TEST_CASE("prompts with tags, quotes and control characters survive XML") {
    const std::string nasty = "<image> a & b ]]> \"quoted\" 'x' \r\n\t \u661F \xF0\x9F\x98\x80";
    CHECK(xmlUnescaped(xmlEscaped(nasty)) == nasty);
    CHECK(xmlEscaped("<image>]]>&") == "&lt;image&gt;]]&gt;&amp;");
}

TEST_CASE("what XML forbids becomes the replacement character") {
    CHECK(xmlEscaped(std::string("a\0b", 3)) == "a\uFFFDb");
    CHECK(xmlEscaped("\x1b[0m") == "\uFFFD[0m");
    CHECK(xmlEscaped("\xff\xc0\x80\xed\xa0\x80") == "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD");
    CHECK(xmlEscaped("\xEF\xBF\xBE") == "\uFFFD");
    CHECK(xmlEscaped("cut \xE6\x98") == "cut \uFFFD\uFFFD");
}

TEST_CASE("unescaping leaves what it does not know") {
    CHECK(xmlUnescaped("&unknown; & &#x41;&#66; &#xZZ; &#x110000;") == "&unknown; & AB \uFFFD \uFFFD");
}

TEST_CASE("the checksum is that of PNG") {
    CHECK(crc32("123456789") == 0xCBF43926u);
    CHECK(crc32("IEND") == 0xAE426082u);
}

TEST_CASE("repetitive data shrink") {
    std::string cells;
    for (int i = 0; i < 100000; ++i) cells.push_back(static_cast<char>((i / 40) % 7));
    CHECK(zlibCompressed(cells).size() < 6000);
    CHECK(zlibCompressed("").size() < 100);
}
