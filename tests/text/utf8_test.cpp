// One reading of UTF-8 for tokenizers, templates and files of weights.
#include <doctest/doctest.h>

#include <string>

#include "text/chat_template/unicode_text.h"
#include "text/utf8.h"

using namespace fovea;

TEST_CASE("whole characters are read, parts and wrong forms of them are not") {
    for (const char32_t code : {U'\0', U'a', U'\x7F', U'\x80', U'\x7FF', U'\x800', U'\xD7FF', U'\xE000', U'\xFFFF', U'\x10000', U'\x10FFFF'}) {
        const std::string bytes = "x" + text::toUtf8(code);
        const auto one = text::wholeCharAt(bytes, 1);
        REQUIRE(one.has_value());
        CHECK(one->code == code);
        CHECK(one->length == bytes.size() - 1);
        CHECK(text::isUtf8(bytes));
        for (std::size_t cut = 1; cut + 1 < bytes.size(); ++cut) CHECK_FALSE(text::wholeCharAt(bytes.substr(0, bytes.size() - cut), 1).has_value());
    }
    for (const char* wrong : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x28\xA1"}) {
        CHECK_FALSE(text::wholeCharAt(wrong, 0).has_value());
        CHECK_FALSE(text::isUtf8(wrong));
    }
}

TEST_CASE("templates see a stray byte as a character of its own") {
    const std::string mixed = "a\xC3\xA9\xFF\xE2\x82";
    const auto all = jinja::characters(mixed);
    REQUIRE(all.size() == 5);
    CHECK(all[1] == "\xC3\xA9");
    CHECK(jinja::codePoint(all[1]) == 0xE9);
    CHECK(jinja::codePoint(all[2]) == 0xFFFD);
    CHECK(jinja::codePoint(all[4]) == 0xFFFD);
    CHECK(jinja::characterCount(mixed) == 5);
    CHECK(jinja::toUpper(mixed) == "A\xC3\x89\xFF\xE2\x82");
}
