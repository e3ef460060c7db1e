#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace fovea::jinja {

/// What an untrusted template may cost. Each limit is an error of its own that names it.
struct Limits {
    std::size_t sourceBytes = std::size_t{1} << 19;
    int nesting = 100;                 ///< of statements and expressions in the source
    int frames = 1200;                 ///< of the evaluator, macros calling macros included
    int valueDepth = 100;              ///< lists within lists
    std::uint64_t steps = 10'000'000;  ///< evaluated nodes, compared elements, 64 read bytes
    std::uint64_t memoryBytes = std::uint64_t{1} << 28;  ///< of all values made during one rendering
    std::size_t outputBytes = std::size_t{1} << 22;      ///< of the rendering and of every text in it
};

/// Lines and columns count from 1; column 0 where only the line is known.
struct Place {
    int line = 1;
    int column = 0;
};

/// A failure inside a template; ChatTemplate puts the file's name before it.
class Fault : public std::runtime_error {
public:
    Fault(Place place, const std::string& what) : std::runtime_error(what), m_place(place) {}
    Place place() const noexcept { return m_place; }

private:
    Place m_place;
};

/// The text that a template handed to raise_exception().
class Refusal : public Fault {
    using Fault::Fault;
};

/// Counts what a rendering has used and knows the line it is at.
class Meter {
public:
    explicit Meter(const Limits& limits) : m_limits(limits) {}

    const Limits& limits() const noexcept { return m_limits; }
    void at(int line) noexcept { m_line = line; }
    int line() const noexcept { return m_line; }

    void work(std::uint64_t steps = 1) {
        if ((m_steps += steps) > m_limits.steps)
            fail("expected at most " + std::to_string(m_limits.steps) + " steps of evaluation, found more");
    }
    void scan(std::size_t bytes) { work(bytes / 64); }
    void hold(std::uint64_t bytes) {
        if ((m_bytes += bytes) > m_limits.memoryBytes)
            fail("expected at most " + std::to_string(m_limits.memoryBytes) +
                 " bytes of values, found more: the template makes text or lists without end");
    }
    void checkText(std::uint64_t bytes) const {
        if (bytes > m_limits.outputBytes)
            fail("expected a text of at most " + std::to_string(m_limits.outputBytes) + " bytes, found more");
    }
    [[noreturn]] void fail(const std::string& what) const { throw Fault({m_line, 0}, what); }

private:
    Limits m_limits;
    std::uint64_t m_steps = 0;
    std::uint64_t m_bytes = 0;
    int m_line = 1;
};

}  // namespace fovea::jinja
