#include "flags.h"

#include <CLI/CLI.hpp>

namespace fovea::cli {

Flag& Flag::typeName(const std::string& name) {
    m_option->type_name(name);
    return *this;
}

Flag& Flag::group(const std::string& name) {
    m_option->group(name);
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
    m_option->check(CLI::IsMember(values));
    return *this;
}

Flag& Flag::range(int least, int most) {
    m_option->check(CLI::Range(least, most));
    return *this;
}

Flag& Flag::range(double least, double most) {
    m_option->check(CLI::Range(least, most));
    return *this;
}

Flag& Flag::positive() {
    m_option->check(CLI::PositiveNumber);
    return *this;
}

Flag& Flag::notNegative() {
    m_option->check(CLI::NonNegativeNumber);
    return *this;
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
    return Flag(m_app->add_option(names, value, help));
}

Flag Flags::option(const std::string& names, std::uint64_t& value, const std::string& help) {
    return Flag(m_app->add_option(names, value, help));
}

Flag Flags::option(const std::string& names, double& value, const std::string& help) {
    return Flag(m_app->add_option(names, value, help));
}

Flag Flags::flag(const std::string& names, bool& value, const std::string& help) {
    return Flag(m_app->add_flag(names, value, help));
}

void Flags::footer(const std::string& text) { m_app->footer(text); }

void Flags::whenChosen(const std::function<void()>& act) { m_app->callback(act); }

}  // namespace fovea::cli
