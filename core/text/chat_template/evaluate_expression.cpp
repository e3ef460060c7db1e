#include <string>
#include <utility>

#include "text/chat_template/access.h"
#include "text/chat_template/arithmetic.h"
#include "text/chat_template/evaluator.h"
#include "text/chat_template/functions.h"
#include "text/chat_template/python_text.h"

namespace fovea::jinja {

Value Evaluator::evaluate(const Expression& expression) {
    if (m_frames >= m_meter.limits().frames)
        m_meter.fail("expected at most " + std::to_string(m_frames) + " levels of evaluation, found more");
    struct Depth {
        int& count;
        explicit Depth(int& frames) : count(frames) { ++count; }
        ~Depth() { --count; }
    } const depth(m_frames);
    m_meter.at(expression.line);
    m_meter.work();
    switch (expression.type) {
        case ExpressionType::Constant:
            return expression.constant;
        case ExpressionType::Name:
            return evaluateName(expression);
        case ExpressionType::List:
        case ExpressionType::Tuple:
            return evaluateList(expression);
        case ExpressionType::Dictionary:
            return evaluateDictionary(expression);
        case ExpressionType::Conditional:
            return evaluateConditional(expression);
        case ExpressionType::And:
        case ExpressionType::Or:
        case ExpressionType::Not:
            return evaluateLogic(expression);
        case ExpressionType::Compare:
            return evaluateCompare(expression);
        case ExpressionType::Concat:
            return evaluateConcat(expression);
        case ExpressionType::Binary:
        case ExpressionType::Negative:
        case ExpressionType::Positive:
            return evaluateBinary(expression);
        case ExpressionType::Attribute:
        case ExpressionType::Item:
            return evaluateAccess(expression);
        case ExpressionType::Slice:
            return evaluateSlice(expression);
        case ExpressionType::Call:
            return evaluateCall(expression);
        case ExpressionType::Filter:
            return evaluateFilter(expression, nullptr);
        case ExpressionType::Test:
            return evaluateTest(expression);
    }
    return {};
}

Value Evaluator::evaluateName(const Expression& expression) {
    if (const Value* found = m_scope->find(m_meter, expression.text)) return *found;
    if (isFunction(expression.text)) {
        auto function = std::make_shared<Callable>();
        function->name = expression.text;
        return Value(std::shared_ptr<const Callable>(std::move(function)));
    }
    return Value::undefined("'" + expression.text.substr(0, 80) + "' is undefined");
}

Value Evaluator::evaluateList(const Expression& expression) {
    std::vector<Value> items;
    items.reserve(expression.children.size());
    for (const auto& child : expression.children) items.push_back(evaluate(*child));
    return makeSequence(m_meter, std::move(items),
                        expression.type == ExpressionType::List ? SequenceType::List : SequenceType::Tuple);
}

Value Evaluator::evaluateDictionary(const Expression& expression) {
    MappingBuilder builder(m_meter);
    for (std::size_t i = 0; i < expression.children.size(); i += 2) {
        const Value key = evaluate(*expression.children[i]);
        builder.put(key, evaluate(*expression.children[i + 1]));
    }
    return builder.take();
}

Value Evaluator::evaluateConditional(const Expression& expression) {
    if (truth(evaluate(*expression.children[0]))) return evaluate(*expression.children[1]);
    if (expression.children[2]) return evaluate(*expression.children[2]);
    return Value::undefined("an inline if without else was false");
}

Value Evaluator::evaluateLogic(const Expression& expression) {
    Value left = evaluate(*expression.children[0]);
    if (expression.type == ExpressionType::Not) return Value(!truth(left));
    const bool decided = truth(left) == (expression.type == ExpressionType::Or);
    return decided ? left : evaluate(*expression.children[1]);
}

bool Evaluator::compare(const std::string& operation, const Value& a, const Value& b) {
    if (operation == "==") return equal(m_meter, a, b);
    if (operation == "!=") return !equal(m_meter, a, b);
    if (operation == "in") return contains(m_meter, b, a);
    if (operation == "not in") return !contains(m_meter, b, a);
    if (operation == "<") return before(m_meter, a, b);
    if (operation == ">") return before(m_meter, b, a);
    // Neither direction holds for a number that is not one.
    return operation == "<=" ? before(m_meter, a, b) || equal(m_meter, a, b)
                             : before(m_meter, b, a) || equal(m_meter, a, b);
}

Value Evaluator::evaluateCompare(const Expression& expression) {
    Value left = evaluate(*expression.children[0]);
    for (std::size_t i = 0; i < expression.operators.size(); ++i) {
        Value right = evaluate(*expression.children[i + 1]);
        if (!compare(expression.operators[i], left, right)) return Value(false);
        left = std::move(right);
    }
    return Value(true);
}

Value Evaluator::evaluateConcat(const Expression& expression) {
    std::string text;
    for (const auto& child : expression.children) {
        text += toText(m_meter, evaluate(*child));
        m_meter.checkText(text.size());
    }
    return makeText(m_meter, std::move(text));
}

Value Evaluator::evaluateBinary(const Expression& expression) {
    const Value left = evaluate(*expression.children[0]);
    if (expression.type == ExpressionType::Negative) return negate(m_meter, left);
    if (expression.type == ExpressionType::Positive) return keepSign(m_meter, left);
    const Value right = evaluate(*expression.children[1]);
    m_meter.at(expression.line);
    return calculate(m_meter, expression.text, left, right);
}

Value Evaluator::evaluateAccess(const Expression& expression) {
    const Value object = evaluate(*expression.children[0]);
    if (expression.type == ExpressionType::Attribute) return attributeOf(m_meter, object, expression.text);
    const Value key = evaluate(*expression.children[1]);
    m_meter.at(expression.line);
    return itemOf(m_meter, object, key);
}

Value Evaluator::evaluateSlice(const Expression& expression) {
    const Value object = evaluate(*expression.children[0]);
    Value bounds[3];
    for (std::size_t i = 0; i < 3; ++i)
        bounds[i] = expression.children[i + 1] ? evaluate(*expression.children[i + 1]) : Value(None{});
    return sliceOf(m_meter, object, bounds[0], bounds[1], bounds[2]);
}

Arguments Evaluator::evaluateArguments(const Expression& expression) {
    Arguments arguments;
    for (std::size_t i = 1; i < expression.children.size(); ++i)
        arguments.positional.push_back(evaluate(*expression.children[i]));
    for (const auto& [name, value] : expression.named) arguments.named.emplace_back(name, evaluate(*value));
    m_meter.at(expression.line);
    return arguments;
}

Value Evaluator::evaluateCall(const Expression& expression) {
    const Value function = evaluate(*expression.children[0]);
    return call(function, evaluateArguments(expression));
}

Value Evaluator::evaluateFilter(const Expression& expression, const Value* subject) {
    // A filter of a block has the block's text at the end of its chain.
    const Value on = expression.children[0] == nullptr ? *subject
                     : subject                         ? evaluateFilter(*expression.children[0], subject)
                                                       : evaluate(*expression.children[0]);
    return filter(expression.text, on, evaluateArguments(expression));
}

Value Evaluator::evaluateTest(const Expression& expression) {
    const Value subject = evaluate(*expression.children[0]);
    return Value(test(expression.text, subject, evaluateArguments(expression)));
}

Value Evaluator::filter(const std::string& name, const Value& subject, const Arguments& arguments) {
    m_meter.work();
    const FilterFunction function = findFilter(name);
    if (function == nullptr) m_meter.fail("the filter '" + name.substr(0, 60) + "' is not known");
    return function(*this, subject, arguments);
}

bool Evaluator::test(const std::string& name, const Value& subject, const Arguments& arguments) {
    m_meter.work();
    const TestFunction function = findTest(name);
    if (function == nullptr) m_meter.fail("the test '" + name.substr(0, 60) + "' is not known");
    return function(*this, subject, arguments);
}

}  // namespace fovea::jinja
