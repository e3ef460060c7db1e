#pragma once

#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

namespace fovea {

/// What kind of failure an Error is; the value is the exit code of fovea-cli (PRODUCT.md §4).
enum class ErrorCode {
    Internal = 1,  ///< a mistake of the program
    Usage = 2,     ///< a flag, parameter or id that does not exist or has no such value
    Input = 3,     ///< a file or tensor that cannot be read or is not supported
    Memory = 4,    ///< does not fit the budget, the memory or the devices of this machine
};

/// A failure meant for a person: what() names the file, tensor or flag, what was expected and what was found;
/// hint() says what to do about it (may be empty).
class Error : public std::runtime_error {
public:
    Error(const std::string& what, std::string hint = {}, ErrorCode code = ErrorCode::Input)
        : std::runtime_error(what), m_hint(std::move(hint)), m_code(code) {}

    const std::string& hint() const noexcept { return m_hint; }
    ErrorCode code() const noexcept { return m_code; }

private:
    std::string m_hint;
    ErrorCode m_code;
};

/// Thrown by JobContext::progress() when the job was asked to stop; handled only where jobs are started.
class Cancelled : public std::exception {
public:
    const char* what() const noexcept override { return "cancelled"; }
};

}  // namespace fovea
