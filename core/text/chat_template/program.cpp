#include "text/chat_template/program.h"

#include "text/chat_template/evaluator.h"
#include "text/chat_template/parser.h"

namespace fovea::jinja {

Program::Program(std::string_view source, const Limits& limits)
    : m_limits(limits), m_block(Parser(tokenize(source, limits), m_limits).parse()) {}

std::string Program::run(const nlohmann::ordered_json& variables) const {
    Meter meter(m_limits);
    Evaluator evaluator(meter);
    for (const auto& [name, value] : variables.items()) evaluator.define(name, fromJson(meter, value));
    return evaluator.render(m_block);
}

}  // namespace fovea::jinja
