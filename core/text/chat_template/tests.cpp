// What may follow `is`.
#include <array>
#include <cmath>
#include <string>

#include "text/chat_template/access.h"
#include "text/chat_template/arithmetic.h"
#include "text/chat_template/evaluator.h"
#include "text/chat_template/functions.h"
#include "text/chat_template/python_text.h"
#include "text/chat_template/unicode_text.h"

namespace fovea::jinja {
namespace {

struct TestEntry {
    std::string_view name;
    TestFunction run;
};

void none(Evaluator& e, const Arguments& given) {
    Bound(e.meter(), "this test", given, {});
}

const Value& other(Evaluator& e, const Arguments& given) {
    if (given.positional.size() != 1 || !given.named.empty())
        e.meter().fail("expected one value to test against");
    return given.positional[0];
}

bool isDefined(Evaluator& e, const Value& value, const Arguments& given) {
    none(e, given);
    return !value.isUndefined();
}
bool isNotDefined(Evaluator& e, const Value& value, const Arguments& given) {
    return !isDefined(e, value, given);
}
bool isNone(Evaluator& e, const Value& value, const Arguments& given) {
    none(e, given);
    return value.isNone();
}
bool isString(Evaluator& e, const Value& value, const Arguments& given) {
    none(e, given);
    return value.isText();
}
bool isMapping(Evaluator& e, const Value& value, const Arguments& given) {
    none(e, given);
    return value.mapping() != nullptr;
}
bool isIterableTest(Evaluator& e, const Value& value, const Arguments& given) {
    none(e, given);
    return isIterable(value);
}
/// Whatever has a length and items by [].
bool isSequence(Evaluator& e, const Value& value, const Arguments& given) {
    none(e, given);
    if (const Sequence* list = value.sequence())
        return list->type == SequenceType::List || list->type == SequenceType::Tuple ||
               list->type == SequenceType::Range;
    return value.isText() || value.mapping() || value.isUndefined();
}
bool isNumber(Evaluator& e, const Value& value, const Arguments& given) {
    none(e, given);
    return value.isNumber();
}
bool isInteger(Evaluator& e, const Value& value, const Arguments& given) {
    none(e, given);
    return value.isInteger();
}
bool isFloat(Evaluator& e, const Value& value, const Arguments& given) {
    none(e, given);
    return value.isReal();
}
bool isBoolean(Evaluator& e, const Value& value, const Arguments& given) {
    none(e, given);
    return value.isBoolean();
}
bool isTrue(Evaluator& e, const Value& value, const Arguments& given) {
    none(e, given);
    return value.isBoolean() && truth(value);
}
bool isFalse(Evaluator& e, const Value& value, const Arguments& given) {
    none(e, given);
    return value.isBoolean() && !truth(value);
}
bool isCallable(Evaluator& e, const Value& value, const Arguments& given) {
    none(e, given);
    return value.isCallable() || value.isUndefined();
}

bool isEqual(Evaluator& e, const Value& value, const Arguments& given) {
    return equal(e.meter(), value, other(e, given));
}
bool isUnequal(Evaluator& e, const Value& value, const Arguments& given) {
    return !equal(e.meter(), value, other(e, given));
}
bool isLess(Evaluator& e, const Value& value, const Arguments& given) {
    return before(e.meter(), value, other(e, given));
}
bool isGreater(Evaluator& e, const Value& value, const Arguments& given) {
    return before(e.meter(), other(e, given), value);
}
bool isLessOrEqual(Evaluator& e, const Value& value, const Arguments& given) {
    return isLess(e, value, given) || isEqual(e, value, given);
}
bool isGreaterOrEqual(Evaluator& e, const Value& value, const Arguments& given) {
    return isGreater(e, value, given) || isEqual(e, value, given);
}
bool isIn(Evaluator& e, const Value& value, const Arguments& given) {
    return contains(e.meter(), other(e, given), value);
}

bool divides(Evaluator& e, const Value& value, std::int64_t divisor, double rest) {
    const Value left = calculate(e.meter(), "%", value, Value(divisor));
    return left.isNumber() && left.real() == rest;
}
bool isEven(Evaluator& e, const Value& value, const Arguments& given) {
    none(e, given);
    return divides(e, value, 2, 0);
}
bool isOdd(Evaluator& e, const Value& value, const Arguments& given) {
    none(e, given);
    return divides(e, value, 2, 1);
}
bool isDivisible(Evaluator& e, const Value& value, const Arguments& given) {
    const Bound bound(e.meter(), "divisibleby", given, {"num"});
    return divides(e, value, bound.whole(0), 0);
}

/// Only what lives once in Python is surely the same there: none, booleans, and a container itself.
bool isSame(Evaluator& e, const Value& value, const Arguments& given) {
    const Value& second = other(e, given);
    if (value.store().index() != second.store().index()) return false;
    if (value.sequence()) return value.sequence() == second.sequence();
    if (value.mapping()) return value.mapping() == second.mapping();
    return equal(e.meter(), value, second);
}

/// Whether a text has letters and all are of that case.
bool hasCase(Evaluator& e, const Value& value, const char* method) {
    return truth(callTextMethod(e, toText(e.meter(), value), method, {}));
}
bool isLowerTest(Evaluator& e, const Value& value, const Arguments& given) {
    none(e, given);
    return hasCase(e, value, "islower");
}
bool isUpperTest(Evaluator& e, const Value& value, const Arguments& given) {
    none(e, given);
    return hasCase(e, value, "isupper");
}
bool isFilter(Evaluator& e, const Value& value, const Arguments& given) {
    none(e, given);
    return value.isText() && findFilter(value.text()) != nullptr;
}
bool isTest(Evaluator& e, const Value& value, const Arguments& given) {
    none(e, given);
    return value.isText() && findTest(value.text()) != nullptr;
}

}  // namespace

TestFunction findTest(std::string_view name) {
    static constexpr std::array kTests{TestEntry{"defined", isDefined},
                                       TestEntry{"undefined", isNotDefined},
                                       TestEntry{"none", isNone},
                                       TestEntry{"string", isString},
                                       TestEntry{"mapping", isMapping},
                                       TestEntry{"iterable", isIterableTest},
                                       TestEntry{"sequence", isSequence},
                                       TestEntry{"number", isNumber},
                                       TestEntry{"integer", isInteger},
                                       TestEntry{"float", isFloat},
                                       TestEntry{"boolean", isBoolean},
                                       TestEntry{"true", isTrue},
                                       TestEntry{"false", isFalse},
                                       TestEntry{"callable", isCallable},
                                       TestEntry{"equalto", isEqual},
                                       TestEntry{"eq", isEqual},
                                       TestEntry{"==", isEqual},
                                       TestEntry{"ne", isUnequal},
                                       TestEntry{"!=", isUnequal},
                                       TestEntry{"lt", isLess},
                                       TestEntry{"lessthan", isLess},
                                       TestEntry{"<", isLess},
                                       TestEntry{"gt", isGreater},
                                       TestEntry{"greaterthan", isGreater},
                                       TestEntry{">", isGreater},
                                       TestEntry{"le", isLessOrEqual},
                                       TestEntry{"<=", isLessOrEqual},
                                       TestEntry{"ge", isGreaterOrEqual},
                                       TestEntry{">=", isGreaterOrEqual},
                                       TestEntry{"in", isIn},
                                       TestEntry{"even", isEven},
                                       TestEntry{"odd", isOdd},
                                       TestEntry{"divisibleby", isDivisible},
                                       TestEntry{"sameas", isSame},
                                       TestEntry{"lower", isLowerTest},
                                       TestEntry{"upper", isUpperTest},
                                       TestEntry{"filter", isFilter},
                                       TestEntry{"test", isTest}};
    for (const TestEntry& entry : kTests)
        if (entry.name == name) return entry.run;
    return nullptr;
}

}  // namespace fovea::jinja
