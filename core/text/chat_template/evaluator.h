#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/chat_template/arguments.h"
#include "text/chat_template/syntax.h"

namespace fovea::jinja {

/// The names of one level; a macro keeps the level in which it was defined.
class Scope {
public:
    explicit Scope(std::shared_ptr<Scope> outer) : m_outer(std::move(outer)) {}
    /// Null when neither this level nor one around it has the name.
    const Value* find(Meter& meter, std::string_view name) const;
    void set(Meter& meter, const std::string& name, Value value);
    void clear() { m_names.clear(); }

private:
    std::shared_ptr<Scope> m_outer;
    std::vector<std::pair<std::string, Value>> m_names;
};

/// Runs a parsed template.
class Evaluator {
public:
    explicit Evaluator(Meter& meter);
    ~Evaluator();
    Evaluator(const Evaluator&) = delete;
    Evaluator& operator=(const Evaluator&) = delete;

    Meter& meter() { return m_meter; }
    void define(const std::string& name, Value value) { m_scope->set(m_meter, name, std::move(value)); }
    std::string render(const Block& block);

    Value call(const Value& function, const Arguments& arguments);
    Value filter(const std::string& name, const Value& subject, const Arguments& arguments);
    bool test(const std::string& name, const Value& subject, const Arguments& arguments);
    /// Namespaces can hold one another; they are emptied at the end.
    Value makeNamespace(std::vector<std::pair<std::string, Value>> items);

private:
    enum class Flow { On, Break, Continue };
    class Frame;
    class Level;

    Flow execute(const Block& block);
    Flow execute(const Statement& statement);
    Flow executeIf(const Statement& statement);
    Flow executeFor(const Statement& statement);
    Flow executeElse(const Statement& statement);
    Flow executeWith(const Statement& statement);
    Flow executeScope(const Statement& statement);
    void executeSet(const Statement& statement);
    void executeFilter(const Statement& statement);
    void executeMacro(const Statement& statement);
    void assign(const Target& target, const Value& value);
    void write(std::string_view text);
    /// What a block writes, with names of its own.
    std::string capture(const Block& block);

    Value evaluate(const Expression& expression);
    Value evaluateName(const Expression& expression);
    Value evaluateList(const Expression& expression);
    Value evaluateDictionary(const Expression& expression);
    Value evaluateConditional(const Expression& expression);
    Value evaluateLogic(const Expression& expression);
    Value evaluateCompare(const Expression& expression);
    Value evaluateConcat(const Expression& expression);
    Value evaluateBinary(const Expression& expression);
    Value evaluateAccess(const Expression& expression);
    Value evaluateSlice(const Expression& expression);
    Value evaluateCall(const Expression& expression);
    Value evaluateFilter(const Expression& expression, const Value* subject);
    Value evaluateTest(const Expression& expression);
    Arguments evaluateArguments(const Expression& expression);
    bool compare(const std::string& operation, const Value& a, const Value& b);

    Value callMacro(const Callable& function, const Arguments& arguments);
    void bindMacro(const MacroStatement& macro, const Arguments& arguments);

    Meter& m_meter;
    std::shared_ptr<Scope> m_scope;
    std::string m_output;
    int m_frames = 0;
    std::vector<std::shared_ptr<Scope>> m_kept;  ///< scopes that macros hold
    std::vector<std::shared_ptr<Namespace>> m_namespaces;
};

}  // namespace fovea::jinja
