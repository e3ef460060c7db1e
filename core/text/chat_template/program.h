#pragma once

#include <string>
#include <string_view>

#include "text/chat_template/syntax.h"

namespace fovea::jinja {

/// A parsed template with the limits it runs under.
class Program {
public:
    /// Throws Fault.
    explicit Program(std::string_view source, const Limits& limits = {});
    /// The text for these variables; throws Fault, Refusal when the template calls raise_exception().
    std::string run(const nlohmann::ordered_json& variables) const;

private:
    Limits m_limits;
    Block m_block;
};

}  // namespace fovea::jinja
