// Statements, scopes and macros.
#include "text/chat_template/evaluator.h"

#include <algorithm>

#include "text/chat_template/access.h"
#include "text/chat_template/functions.h"
#include "text/chat_template/python_text.h"

namespace fovea::jinja {

const Value* Scope::find(Meter& meter, std::string_view name) const {
    for (const Scope* level = this; level != nullptr; level = level->m_outer.get()) {
        meter.work(level->m_names.size() / 16);
        for (const auto& [known, value] : level->m_names)
            if (known == name) return &value;
    }
    return nullptr;
}

void Scope::set(Meter& meter, const std::string& name, Value value) {
    meter.work(m_names.size() / 16);
    for (auto& [known, held] : m_names)
        if (known == name) {
            held = std::move(value);
            return;
        }
    // Not counted as memory: a level has as many names as the source assigns, and goes with its block.
    m_names.emplace_back(name, std::move(value));
}

/// Opens a scope within another for as long as it lives.
class Evaluator::Frame {
public:
    Frame(Evaluator& evaluator, const std::shared_ptr<Scope>& outer)
        : m_evaluator(evaluator), m_before(evaluator.m_scope) {
        evaluator.m_scope = std::make_shared<Scope>(outer);
    }
    ~Frame() { m_evaluator.m_scope = m_before; }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

private:
    Evaluator& m_evaluator;
    std::shared_ptr<Scope> m_before;
};

/// Counts how deep the evaluator is for as long as it lives.
class Evaluator::Level {
public:
    explicit Level(Evaluator& evaluator) : m_evaluator(evaluator) {
        const int most = evaluator.m_meter.limits().frames;
        if (evaluator.m_frames >= most)
            evaluator.m_meter.fail("expected at most " + std::to_string(most) +
                                   " levels of evaluation, found more: macros call one another without end");
        ++evaluator.m_frames;
    }
    ~Level() { --m_evaluator.m_frames; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

private:
    Evaluator& m_evaluator;
};

Evaluator::Evaluator(Meter& meter) : m_meter(meter), m_scope(std::make_shared<Scope>(nullptr)) {}

Evaluator::~Evaluator() {
    for (const auto& scope : m_kept) scope->clear();
    for (const auto& space : m_namespaces) space->items.clear();
}

std::string Evaluator::render(const Block& block) {
    // What the template sets lies above what it was given.
    const Frame frame(*this, m_scope);
    m_output.clear();
    execute(block);
    return std::move(m_output);
}

Value Evaluator::makeNamespace(std::vector<std::pair<std::string, Value>> items) {
    m_meter.hold(256 + items.size() * 128);
    auto made = std::make_shared<Namespace>();
    made->items = std::move(items);
    m_namespaces.push_back(made);
    return Value(std::move(made));
}

void Evaluator::write(std::string_view text) {
    m_meter.checkText(m_output.size() + text.size());
    m_meter.scan(text.size());
    m_output += text;
}

std::string Evaluator::capture(const Block& block) {
    const Frame frame(*this, m_scope);
    std::string outer;
    outer.swap(m_output);
    execute(block);
    outer.swap(m_output);
    return outer;
}

Evaluator::Flow Evaluator::execute(const Block& block) {
    const Level level(*this);
    for (const Statement& statement : block)
        if (const Flow flow = execute(statement); flow != Flow::On) return flow;
    return Flow::On;
}

Evaluator::Flow Evaluator::execute(const Statement& statement) {
    m_meter.at(statement.line);
    m_meter.work();
    switch (statement.type) {
        case StatementType::Text:
            write(statement.text);
            return Flow::On;
        case StatementType::Output:
            write(toText(m_meter, evaluate(*statement.expressions[0])));
            return Flow::On;
        case StatementType::If:
            return executeIf(statement);
        case StatementType::For:
            return executeFor(statement);
        case StatementType::Set:
        case StatementType::SetBlock:
            executeSet(statement);
            return Flow::On;
        case StatementType::With:
            return executeWith(statement);
        case StatementType::Filter:
            executeFilter(statement);
            return Flow::On;
        case StatementType::Scope:
            return executeScope(statement);
        case StatementType::Macro:
            executeMacro(statement);
            return Flow::On;
        case StatementType::Break:
            return Flow::Break;
        default:
            return Flow::Continue;
    }
}

Evaluator::Flow Evaluator::executeIf(const Statement& statement) {
    for (std::size_t i = 0; i < statement.expressions.size(); ++i)
        if (truth(evaluate(*statement.expressions[i]))) return execute(statement.blocks[i]);
    return statement.blocks.size() > statement.expressions.size() ? execute(statement.blocks.back())
                                                                  : Flow::On;
}

Evaluator::Flow Evaluator::executeFor(const Statement& statement) {
    const Target& target = statement.targets[0];
    std::vector<Value> items = iterate(m_meter, evaluate(*statement.expressions[0]));
    if (statement.expressions[1]) {
        std::vector<Value> kept;
        for (const Value& item : items) {
            const Frame frame(*this, m_scope);
            m_meter.work();
            assign(target, item);
            if (truth(evaluate(*statement.expressions[1]))) kept.push_back(item);
        }
        items = std::move(kept);
    }
    if (items.empty()) return executeElse(statement);
    auto loop = std::make_shared<LoopState>();
    loop->items = std::move(items);
    m_meter.hold(128);
    for (loop->index = 0; loop->index < loop->items.size(); ++loop->index) {
        const Frame frame(*this, m_scope);
        m_meter.at(statement.line);
        m_meter.work();
        m_scope->set(m_meter, "loop", Value(loop));
        assign(target, loop->items[loop->index]);
        if (execute(statement.blocks[0]) == Flow::Break) break;
    }
    return Flow::On;
}

Evaluator::Flow Evaluator::executeElse(const Statement& statement) {
    if (statement.blocks.size() < 2) return Flow::On;
    const Frame frame(*this, m_scope);
    return execute(statement.blocks[1]);
}

Evaluator::Flow Evaluator::executeWith(const Statement& statement) {
    std::vector<Value> values;
    for (const auto& expression : statement.expressions) values.push_back(evaluate(*expression));
    const Frame frame(*this, m_scope);
    for (std::size_t i = 0; i < values.size(); ++i) assign(statement.targets[i], values[i]);
    return execute(statement.blocks[0]);
}

Evaluator::Flow Evaluator::executeScope(const Statement& statement) {
    const Frame frame(*this, m_scope);
    return execute(statement.blocks[0]);
}

void Evaluator::executeSet(const Statement& statement) {
    if (statement.type == StatementType::Set)
        return assign(statement.targets[0], evaluate(*statement.expressions[0]));
    Value text = makeText(m_meter, capture(statement.blocks[0]));
    if (statement.expressions[0]) text = evaluateFilter(*statement.expressions[0], &text);
    assign(statement.targets[0], text);
}

void Evaluator::executeFilter(const Statement& statement) {
    const Value text = makeText(m_meter, capture(statement.blocks[0]));
    write(toText(m_meter, evaluateFilter(*statement.expressions[0], &text)));
}

void Evaluator::executeMacro(const Statement& statement) {
    auto function = std::make_shared<Callable>();
    function->name = statement.macro->name;
    function->macro = statement.macro.get();
    function->scope = m_scope;
    m_meter.hold(256);
    m_kept.push_back(m_scope);
    m_scope->set(m_meter, statement.macro->name, Value(std::shared_ptr<const Callable>(std::move(function))));
}

void Evaluator::assign(const Target& target, const Value& value) {
    if (!target.parts.empty()) {
        const std::vector<Value> items = iterate(m_meter, value);
        if (items.size() != target.parts.size())
            m_meter.fail("expected " + std::to_string(target.parts.size()) + " values to assign, found " +
                         std::to_string(items.size()));
        for (std::size_t i = 0; i < items.size(); ++i) assign(target.parts[i], items[i]);
        return;
    }
    if (target.attribute.empty()) return m_scope->set(m_meter, target.name, value);
    const Value* found = m_scope->find(m_meter, target.name);
    Namespace* space = found ? found->nameSpace() : nullptr;
    if (space == nullptr)
        m_meter.fail("expected a namespace to set an attribute of, found '" + target.name + "'");
    m_meter.work(space->items.size() / 16);
    for (auto& [name, held] : space->items)
        if (name == target.attribute) {
            held = value;
            return;
        }
    m_meter.hold(128 + target.attribute.size());
    space->items.emplace_back(target.attribute, value);
}

Value Evaluator::call(const Value& function, const Arguments& arguments) {
    const Callable* callable = function.callable();
    if (function.isUndefined()) failUndefined(m_meter, function);
    if (callable == nullptr) m_meter.fail("expected a function to call, found " + typeName(function));
    if (callable->macro) return callMacro(*callable, arguments);
    if (!callable->object.isUndefined())
        return callMethod(*this, callable->object, callable->name, arguments);
    return callFunction(*this, callable->name, arguments);
}

Value Evaluator::callMacro(const Callable& function, const Arguments& arguments) {
    const Level level(*this);
    const int line = m_meter.line();
    const Frame frame(*this, function.scope);
    bindMacro(*function.macro, arguments);
    std::string text = capture(function.macro->body);
    m_meter.at(line);
    return makeText(m_meter, std::move(text));
}

void Evaluator::bindMacro(const MacroStatement& macro, const Arguments& arguments) {
    const std::string title = "the macro '" + macro.name + "'";
    std::vector<std::pair<std::string, Value>> named = arguments.named;
    std::vector<Value> more;
    for (std::size_t i = macro.parameters.size(); i < arguments.positional.size(); ++i)
        more.push_back(arguments.positional[i]);
    for (std::size_t i = 0; i < macro.parameters.size(); ++i) {
        const std::string& name = macro.parameters[i];
        const auto given =
            std::find_if(named.begin(), named.end(), [&](const auto& one) { return one.first == name; });
        if (i < arguments.positional.size()) {
            if (given != named.end()) m_meter.fail(title + " is given the argument '" + name + "' twice");
            m_scope->set(m_meter, name, arguments.positional[i]);
        } else if (given != named.end()) {
            m_scope->set(m_meter, name, given->second);
            named.erase(given);
        } else {
            m_scope->set(m_meter, name,
                         macro.defaults[i] ? evaluate(*macro.defaults[i])
                                           : Value::undefined("the argument '" + name + "' was not given"));
        }
    }
    if (!more.empty() && !macro.takesMore)
        m_meter.fail(title + " takes at most " + std::to_string(macro.parameters.size()) +
                     " arguments, found " + std::to_string(arguments.positional.size()));
    if (!named.empty() && !macro.takesMoreNamed)
        m_meter.fail(title + " has no argument named '" + named.front().first.substr(0, 60) + "'");
    if (macro.takesMore)
        m_scope->set(m_meter, "varargs", makeSequence(m_meter, std::move(more), SequenceType::Tuple));
    if (!macro.takesMoreNamed) return;
    MappingBuilder rest(m_meter);
    for (auto& [name, value] : named) rest.put(makeText(m_meter, name), value);
    m_scope->set(m_meter, "kwargs", rest.take());
}

}  // namespace fovea::jinja
