// Templates are untrusted: every way to run without end stops at a limit that the error names.
#include <doctest/doctest.h>

#include <chrono>

#include "text/chat_template/program.h"

using namespace fovea::jinja;
using nlohmann::ordered_json;

namespace {

std::string repeated(const std::string& text, int times) {
    std::string made;
    for (int i = 0; i < times; ++i) made += text;
    return made;
}

std::string failure(const std::string& source, const ordered_json& variables = ordered_json::object()) {
    try {
        Program(source).run(variables);
    } catch (const Fault& fault) {
        CHECK(fault.place().line >= 1);
        return fault.what();
    }
    return "";
}

struct Hostile {
    const char* source;
    const char* named;
};

}  // namespace

TEST_CASE("what would run, grow or recurse without end is stopped") {
    const Hostile cases[] = {
        {"{{ range(100001) }}", "at most 100000 numbers"},
        {"{{ range(0, 9223372036854775807, 1) }}", "at most 100000 numbers"},
        {"{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
         "bytes of values"},
        {"{% set l = range(1000)|list %}{% for a in l %}{% for b in l %}{% for c in l %}{% endfor %}{% "
         "endfor %}"
         "{% endfor %}",
         "steps"},
        {"{% set ns = namespace(x='ab') %}{% for i in range(90) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
         "a text of at most"},
        {"{% set ns = namespace(x='ab') %}{% for i in range(90) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
         "a text of at most"},
        {"{% set ns = namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
         "bytes of values"},
        {"{% set ns = namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ "
         "ns.x }}",
         "a text of at most"},
        {"{% set ns = namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ "
         "ns.x|tojson }}",
         "a text of at most"},
        {"{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% set "
         "ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
         "steps"},
        {"{% set ns = namespace(x=[]) %}{% for i in range(1000) %}{% set ns.x = [ns.x] %}{% endfor %}",
         "levels of values"},
        {"{% set ns = namespace(x={}) %}{% for i in range(1000) %}{% set ns.x = {'a': ns.x} %}{% endfor %}",
         "levels of values"},
        {"{{ 'x' * 999999999999 }}", "a text of at most"},
        {"{{ [1] * 999999999999 }}", "steps"},
        {"{{ 'x'.ljust(999999999999) }}", "a text of at most"},
        {"{{ 'x'|center(999999999) }}", "a text of at most"},
        {"{{ 'x'|indent(999999999) }}", "at most 1000 blanks"},
        {"{{ [1]|tojson(indent=999999999) }}", "at most 1000 blanks"},
        {"{{ ('a' * 100000).replace('a', 'b' * 100000) }}", "a text of at most"},
        {"{{ ('a' * 100000)|list|join('b' * 100000) }}", "a text of at most"},
        {"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "levels of evaluation"},
        {"{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ f() }}",
         "levels of evaluation"},
        {"{% macro f(n) %}{{ f(n + 1) }}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}", "levels of evaluation"},
        {"{{ 10 ** 100 }}", "64 bits"},
        {"{% for i in range(100000) %}{% for j in range(100) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' }}{% "
         "endfor %}{% endfor %}",
         "a text of at most"},
        {"{% set a = 'a' * 1000000 %}{% for i in range(100000) %}{{ 'b' in a }}{% endfor %}", "steps"},
        {"{% set a = 'a' * 1000000 %}{% for i in range(100000) %}{{ a|length }}{% endfor %}", "steps"},
        {"{% set a = 'a' * 1000000 %}{% for i in range(100000) %}{{ a[5] }}{% endfor %}", "steps"},
        {"{% set a = 'a' * 1000000 %}{% for i in range(100000) %}{{ a == a ~ '' }}{% endfor %}",
         "bytes of values"},
        {"{% set a = 'a' * 2000000 %}{% set b = 'a' * 1000000 ~ 'b' %}{{ b in a }}", "steps"},
        {"{% for i in range(100000) %}{{ range(100000)|sort|first }}{% endfor %}", "steps"},
        {"{{ strftime_now('%c' * 200) }}", "at most 200 bytes"},
    };
    for (const Hostile& one : cases) {
        INFO(std::string(one.source));
        const auto start = std::chrono::steady_clock::now();
        const std::string what = failure(one.source);
        CHECK_MESSAGE(what.find(one.named) != std::string::npos, what);
        CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(30));
    }
}

TEST_CASE("nesting in the source is bounded before anything runs") {
    const std::string nested = "nested statements and expressions";
    const std::pair<const char*, const char*> pairs[] = {
        {"(", ")"},  {"[", "]"},  {"{'a':", "}"},       {"not ", ""},        {"- ", ""},    {"-(", ")"},
        {"a[", "]"}, {"f(", ")"}, {"1 if 1 else ", ""}, {"a|default(", ")"}, {"1 ~ (", ")"}};
    for (const auto& [open, close] : pairs)
        CHECK_MESSAGE(
            failure("{{ " + repeated(open, 2000) + "1" + repeated(close, 2000) + " }}").find(nested) !=
                std::string::npos,
            open);
    for (const char* more : {" + 1", " and 1", ".a", "[0]", "()", "|e", " is defined or 1", " // 1", " ** 1"})
        CHECK_MESSAGE(failure("{{ 1" + repeated(more, 2000) + " }}").find(nested) != std::string::npos, more);
    CHECK(failure(repeated("{% if 1 %}", 2000)).find(nested) != std::string::npos);
    CHECK(failure(repeated("{% for a in b %}", 2000)).find(nested) != std::string::npos);
    CHECK(failure("{% set " + repeated("(", 2000) + "a" + repeated(")", 2000) + " = 1 %}").find(nested) !=
          std::string::npos);
    CHECK(Program("{{ 1" + repeated(" ~ 1", 2000) + " }}").run({}).size() == 2001);
    CHECK(Program("{% if 0 %}" + repeated("{% elif 0 %}", 2000) + "{% endif %}x").run({}) == "x");
    CHECK(Program("{{ " + repeated("(", 30) + "1" + repeated(")", 30) + " }}").run({}) == "1");
}

TEST_CASE("sources and variables are bounded too") {
    CHECK(failure(std::string((std::size_t{1} << 19) + 1, 'x')).find("a template of at most") !=
          std::string::npos);
    ordered_json deep = 1;
    for (int i = 0; i < 200; ++i) deep = ordered_json::array({std::move(deep)});
    CHECK(failure("x", {{"deep", deep}}).find("levels of values") != std::string::npos);
    CHECK(failure("x", {{"n", std::uint64_t{1} << 63}}).find("64 bits") != std::string::npos);
}

TEST_CASE("values that hold themselves are given back") {
    const std::string source =
        "{% set a = namespace() %}{% set b = namespace(a=a) %}{% set a.b = [b] %}{% set a.self = a %}"
        "{% macro m() %}{{ a.b|length }}{% endmacro %}{% set a.m = m %}{{ a.m() }}";
    CHECK(Program(source).run({}) == "1");
    CHECK(failure(source + "{{ a }}").find("printing a namespace") != std::string::npos);
}
