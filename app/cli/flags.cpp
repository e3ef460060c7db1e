#include "flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <limits>

#include "fovea/suggestion.h"

namespace fovea::cli {
namespace {

template <typename Number>
bool parses(const std::string& text) {
    Number number{};
    const char* end = text.data() + text.size();
    const auto [rest, problem] = std::from_chars(text.data(), end, number);
    if constexpr (std::is_floating_point_v<Number>)
        if (!std::isfinite(number)) return false;
    return problem == std::errc() && rest == end;
}

// Says what was expected, where the parser would only say that it could not convert the text.
template <typename Number>
CLI::Option* numeric(CLI::Option* option, const char* expected) {
    return option->check(CLI::Validator(
        [expected](const std::string& text) {
            return parses<Number>(text) ? std::string()
                                        : std::string("expected ") + expected + ", found \"" + text + "\"";
        },
        ""));
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
}

}  // namespace

Flag& Flag::typeName(const std::string& name) {
    m_option->type_name(name);
    return *this;
}

Flag& Flag::group(const std::string& name) {
    m_option->group(name);
    return *this;
}

Flag& Flag::marks(bool& given) {
    m_option->each([&given](const std::string&) { given = true; });
    return *this;
}

Flag& Flag::required() {
    m_option->required();
    return *this;
}

Flag& Flag::oneAtATime() {
    m_option->allow_extra_args(false);
    return *this;
}

Flag& Flag::oneOf(const std::vector<std::string>& values) {
    m_option->check(CLI::Validator(
        [values](const std::string& text) {
            if (std::find(values.begin(), values.end(), text) != values.end()) return std::string();
            const std::string meant = closestWord(text, values);
            return "expected one of " + joined(values) + ", found \"" + text + "\"" +
                   (meant.empty() ? "" : "; did you mean \"" + meant + "\"?");
        },
        "{" + joined(values) + "}"));
    return *this;
}

Flag& Flag::within(double least, double most, const std::string& words) {
    m_option->check(CLI::Validator(
        [kind = m_kind, least, most, words](const std::string& text) {
            double number = 0;
            std::from_chars(text.data(), text.data() + text.size(), number);
            if (number >= least && number <= most) return std::string();
            return "expected " + kind + " " + words + ", found \"" + text + "\"";
        },
        words));
    return *this;
}

Flag& Flag::range(double least, double most) {
    return within(least, most, fmt::format("from {:g} to {:g}", least, most));
}

Flag& Flag::atLeast(double least) {
    return within(least, std::numeric_limits<double>::infinity(), fmt::format("from {:g} on", least));
}

Flags Flags::subcommand(const std::string& name, const std::string& help) {
    return Flags(*m_app->add_subcommand(name, help));
}

Flag Flags::option(const std::string& names, std::string& value, const std::string& help) {
    return Flag(m_app->add_option(names, value, help));
}

Flag Flags::option(const std::string& names, std::vector<std::string>& values, const std::string& help) {
    return Flag(m_app->add_option(names, values, help));
}

Flag Flags::option(const std::string& names, int& value, const std::string& help) {
    return Flag(numeric<int>(m_app->add_option(names, value, help), "a whole number"), "a whole number");
}

Flag Flags::option(const std::string& names, std::uint64_t& value, const std::string& help) {
    return Flag(numeric<std::uint64_t>(m_app->add_option(names, value, help), "a whole number from 0 on"));
}

Flag Flags::option(const std::string& names, double& value, const std::string& help) {
    return Flag(numeric<double>(m_app->add_option(names, value, help), "a number"), "a number");
}

Flag Flags::flag(const std::string& names, bool& value, const std::string& help) {
    return Flag(m_app->add_flag(names, value, help));
}

void Flags::footer(const std::string& text) { m_app->footer(text); }

void Flags::whenChosen(const std::function<void()>& act) { m_app->callback(act); }

}  // namespace fovea::cli
