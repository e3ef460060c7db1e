#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace fovea::cli {

/// One flag or operand, to be described further; refers to the parser, which outlives it.
class Flag {
public:
    /// `kind`: what a value must be, "a whole number"; empty for texts.
    explicit Flag(CLI::Option* option, std::string kind = "") : m_option(option), m_kind(std::move(kind)) {}

    Flag& typeName(const std::string& name);  ///< what its value is called in the help
    Flag& group(const std::string& name);     ///< its heading in the help
    Flag& required();
    Flag& oneAtATime();  ///< may be repeated, with one value each time
    Flag& oneOf(const std::vector<std::string>& values);
    Flag& range(double least, double most);  ///< both of them allowed
    Flag& atLeast(double least);
    Flag& marks(bool& given);  ///< sets it where the line has the flag, whatever its value

private:
    Flag& within(double least, double most, const std::string& words);

    CLI::Option* m_option;
    std::string m_kind;
};

/// The flags of the program or of a subcommand: the part of CLI11 that Fovea uses, without its header, which costs
/// seconds in every file that includes it. Variables given to it must live until the line is parsed.
class Flags {
public:
    explicit Flags(CLI::App& app) : m_app(&app) {}

    Flags subcommand(const std::string& name, const std::string& help);

    Flag option(const std::string& names, std::string& value, const std::string& help);
    Flag option(const std::string& names, std::vector<std::string>& values, const std::string& help);
    Flag option(const std::string& names, int& value, const std::string& help);
    Flag option(const std::string& names, std::uint64_t& value, const std::string& help);
    Flag option(const std::string& names, double& value, const std::string& help);
    Flag flag(const std::string& names, bool& value, const std::string& help);

    void footer(const std::string& text);              ///< stands below the help
    void whenChosen(const std::function<void()>& act);  ///< called when the line names this subcommand

private:
    CLI::App* m_app;
};

}  // namespace fovea::cli
