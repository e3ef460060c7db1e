#include "text/chat_template/arithmetic.h"

#include <cmath>
#include <limits>

#include "text/chat_template/access.h"

namespace fovea::jinja {
namespace {

[[noreturn]] void failLarge(Meter& meter) {
    meter.fail("expected whole numbers of at most 64 bits, found a larger result");
}

[[noreturn]] void failOperands(Meter& meter, const std::string& operation, const Value& left,
                               const Value& right) {
    for (const Value* value : {&left, &right})
        if (value->isUndefined()) failUndefined(meter, *value);
    meter.fail("expected values that '" + operation + "' takes, found " + typeName(left) + " and " +
               typeName(right));
}

void checkDivisor(Meter& meter, bool isZero) {
    if (isZero) meter.fail("a division by zero");
}

std::int64_t wholePower(Meter& meter, std::int64_t base, std::int64_t exponent) {
    std::int64_t result = 1;
    while (exponent > 0) {
        if ((exponent & 1) && __builtin_mul_overflow(result, base, &result)) failLarge(meter);
        exponent >>= 1;
        if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) failLarge(meter);
    }
    return result;
}

Value floorDivision(Meter& meter, std::int64_t a, std::int64_t b, bool wantsRest) {
    checkDivisor(meter, b == 0);
    if (b == -1) {
        if (wantsRest) return Value(std::int64_t{0});
        if (a == std::numeric_limits<std::int64_t>::min()) failLarge(meter);
        return Value(-a);
    }
    const std::int64_t rest = a % b;
    const bool below = rest != 0 && (rest < 0) != (b < 0);
    return wantsRest ? Value(below ? rest + b : rest) : Value(a / b - (below ? 1 : 0));
}

Value onWholes(Meter& meter, const std::string& operation, std::int64_t a, std::int64_t b) {
    std::int64_t result = 0;
    bool large = false;
    if (operation == "+")
        large = __builtin_add_overflow(a, b, &result);
    else if (operation == "-")
        large = __builtin_sub_overflow(a, b, &result);
    else if (operation == "*")
        large = __builtin_mul_overflow(a, b, &result);
    else if (operation == "//" || operation == "%")
        return floorDivision(meter, a, b, operation == "%");
    else if (operation == "**" && b >= 0)
        result = wholePower(meter, a, b);
    else if (operation == "/") {
        checkDivisor(meter, b == 0);
        return Value(static_cast<double>(a) / static_cast<double>(b));
    } else {
        checkDivisor(meter, a == 0);
        return Value(std::pow(static_cast<double>(a), static_cast<double>(b)));
    }
    if (large) failLarge(meter);
    return Value(result);
}

double realRest(double a, double b) {
    double rest = std::fmod(a, b);
    if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
    return rest == 0 ? std::copysign(0.0, b) : rest;
}

Value onReals(Meter& meter, const std::string& operation, double a, double b) {
    if (operation == "+") return Value(a + b);
    if (operation == "-") return Value(a - b);
    if (operation == "*") return Value(a * b);
    if (operation == "**") {
        checkDivisor(meter, a == 0 && b < 0);
        const double power = std::pow(a, b);
        if (std::isnan(power) && !std::isnan(a) && !std::isnan(b))
            meter.fail("the power of two numbers is not real");
        if (std::isinf(power) && std::isfinite(a) && std::isfinite(b))
            meter.fail("the power of two numbers is too large");
        return Value(power);
    }
    checkDivisor(meter, b == 0);
    if (operation == "/") return Value(a / b);
    if (operation == "%") return Value(realRest(a, b));
    const double rest = realRest(a, b);
    const double quotient = (a - rest) / b;
    const double floored = std::floor(quotient);
    return Value(quotient - floored > 0.5 ? floored + 1 : floored);
}

Value repeatText(Meter& meter, const std::string& text, std::int64_t times) {
    if (times <= 0 || text.empty()) return makeText(meter, "");
    if (static_cast<std::uint64_t>(times) > meter.limits().outputBytes / text.size())
        meter.checkText(std::uint64_t{meter.limits().outputBytes} + 1);
    std::string made;
    made.reserve(text.size() * static_cast<std::size_t>(times));
    for (std::int64_t i = 0; i < times; ++i) made += text;
    meter.scan(made.size());
    return makeText(meter, std::move(made));
}

Value repeatList(Meter& meter, const Sequence& list, std::int64_t times) {
    std::vector<Value> items;
    for (std::int64_t i = 0; i < times && !list.items.empty(); ++i) {
        meter.work(1 + list.items.size());
        meter.hold(list.items.size() * sizeof(Value));
        items.insert(items.end(), list.items.begin(), list.items.end());
    }
    return makeSequence(meter, std::move(items), list.type);
}

bool isList(const Value& value) {
    return value.isSequence(SequenceType::List) || value.isSequence(SequenceType::Tuple);
}

}  // namespace

Value calculate(Meter& meter, const std::string& operation, const Value& left, const Value& right) {
    if (left.isWhole() && right.isWhole()) return onWholes(meter, operation, left.whole(), right.whole());
    if (left.isNumber() && right.isNumber()) return onReals(meter, operation, left.real(), right.real());
    if (operation == "+" && left.isText() && right.isText()) {
        meter.checkText(left.text().size() + right.text().size());
        meter.scan(left.text().size() + right.text().size());
        return makeText(meter, left.text() + right.text());
    }
    if (operation == "+" && isList(left) && isList(right) &&
        left.sequence()->type == right.sequence()->type) {
        std::vector<Value> items = left.sequence()->items;
        items.insert(items.end(), right.sequence()->items.begin(), right.sequence()->items.end());
        meter.work(items.size() / 4);
        return makeSequence(meter, std::move(items), left.sequence()->type);
    }
    if (operation == "*") {
        const bool swapped = left.isWhole();
        const Value& repeated = swapped ? right : left;
        const Value& times = swapped ? left : right;
        if (times.isWhole() && repeated.isText()) return repeatText(meter, repeated.text(), times.whole());
        if (times.isWhole() && isList(repeated))
            return repeatList(meter, *repeated.sequence(), times.whole());
    }
    if (operation == "%" && left.isText()) meter.fail("formatting a text with % is not supported; use ~");
    failOperands(meter, operation, left, right);
}

Value negate(Meter& meter, const Value& value) {
    if (value.isReal()) return Value(-value.real());
    if (!value.isWhole()) failOperands(meter, "-", value, value);
    return calculate(meter, "-", Value(std::int64_t{0}), value);
}

Value keepSign(Meter& meter, const Value& value) {
    if (!value.isNumber()) failOperands(meter, "+", value, value);
    return value.isBoolean() ? Value(value.whole()) : value;
}

}  // namespace fovea::jinja
