#include <algorithm>
#include <string>
#include <utility>

#include "text/chat_template/parser.h"

namespace fovea::jinja {

Parser::Level::Level(Parser& parser) : m_parser(parser) {
    if (++parser.m_depth > parser.m_limits.nesting) {
        --parser.m_depth;
        parser.failAt(parser.now(), "expected at most " + std::to_string(parser.m_limits.nesting) +
                                        " nested statements and expressions, found more");
    }
}

bool Parser::isOperator(std::string_view text) const {
    return now().type == TokenType::Operator && now().text == text;
}
bool Parser::isName(std::string_view text) const {
    return now().type == TokenType::Name && now().text == text;
}
bool Parser::skipOperator(std::string_view text) {
    if (!isOperator(text)) return false;
    take();
    return true;
}
bool Parser::skipName(std::string_view text) {
    if (!isName(text)) return false;
    take();
    return true;
}
void Parser::expectOperator(std::string_view text) {
    if (!skipOperator(text)) failExpected("'" + std::string(text) + "'");
}
std::string Parser::expectName(const char* what) {
    if (now().type != TokenType::Name) failExpected(what);
    return take().text;
}

std::string Parser::found() const {
    switch (now().type) {
        case TokenType::End:
            return "the end of the template";
        case TokenType::OutputEnd:
            return "the end of {{ ... }}";
        case TokenType::TagEnd:
            return "the end of {% ... %}";
        case TokenType::Text:
            return "a text";
        case TokenType::Integer:
        case TokenType::Real:
            return "a number";
        case TokenType::Data:
            return "text of the template";
        case TokenType::OutputBegin:
        case TokenType::TagBegin:
            return "the start of a tag";
        default:
            return "'" + now().text.substr(0, 60) + "'";
    }
}
void Parser::failAt(const Token& token, const std::string& what) const {
    throw Fault(token.place, what);
}
void Parser::failExpected(const std::string& what) const {
    failAt(now(), "expected " + what + ", found " + found());
}

ExpressionPtr Parser::make(ExpressionType type, int line) const {
    auto node = std::make_unique<Expression>();
    node->type = type;
    node->line = line;
    return node;
}

ExpressionPtr Parser::sealed(ExpressionPtr node) const {
    for (const auto& child : node->children)
        if (child) node->depth = std::max(node->depth, child->depth + 1);
    for (const auto& [name, child] : node->named) node->depth = std::max(node->depth, child->depth + 1);
    if (node->depth > m_limits.nesting)
        failAt(now(), "expected at most " + std::to_string(m_limits.nesting) +
                          " nested statements and expressions, found more");
    return node;
}

ExpressionPtr Parser::join(ExpressionType type, ExpressionPtr left, ExpressionPtr right,
                           std::string text) const {
    auto node = make(type, left->line);
    node->text = std::move(text);
    node->children.push_back(std::move(left));
    if (right) node->children.push_back(std::move(right));
    return sealed(std::move(node));
}

bool Parser::endsTuple() const {
    const TokenType type = now().type;
    return type == TokenType::OutputEnd || type == TokenType::TagEnd || type == TokenType::End ||
           isOperator(")") || (!m_tupleEnd.empty() && isName(m_tupleEnd));
}

ExpressionPtr Parser::parseTuple(Ternary ternary) {
    const int line = now().place.line;
    auto first = parseExpression(ternary);
    if (!isOperator(",")) return first;
    auto node = make(ExpressionType::Tuple, line);
    node->children.push_back(std::move(first));
    while (skipOperator(",") && !endsTuple()) node->children.push_back(parseExpression(ternary));
    return sealed(std::move(node));
}

ExpressionPtr Parser::parseExpression(Ternary ternary) {
    const Level level(*this);
    return ternary == Ternary::Allowed ? parseTernary() : parseOr();
}

ExpressionPtr Parser::parseTernary() {
    auto value = parseOr();
    while (skipName("if")) {
        auto node = make(ExpressionType::Conditional, value->line);
        node->children.push_back(parseOr());
        node->children.push_back(std::move(value));
        node->children.push_back(skipName("else") ? parseExpression() : nullptr);
        value = sealed(std::move(node));
    }
    return value;
}

ExpressionPtr Parser::parseOr() {
    auto left = parseAnd();
    while (skipName("or")) left = join(ExpressionType::Or, std::move(left), parseAnd());
    return left;
}

ExpressionPtr Parser::parseAnd() {
    auto left = parseNot();
    while (skipName("and")) left = join(ExpressionType::And, std::move(left), parseNot());
    return left;
}

ExpressionPtr Parser::parseNot() {
    if (!isName("not")) return parseCompare();
    const Level level(*this);
    take();
    return join(ExpressionType::Not, parseNot(), nullptr);
}

ExpressionPtr Parser::parseCompare() {
    auto node = make(ExpressionType::Compare, now().place.line);
    node->children.push_back(parseSum());
    for (;;) {
        static constexpr std::string_view kOperators[] = {"==", "!=", "<", "<=", ">", ">="};
        const bool compares = std::any_of(std::begin(kOperators), std::end(kOperators),
                                          [this](std::string_view text) { return isOperator(text); });
        if (compares || isName("in")) {
            node->operators.push_back(take().text);
        } else if (isName("not") && m_tokens[m_at + 1].type == TokenType::Name &&
                   m_tokens[m_at + 1].text == "in") {
            take();
            take();
            node->operators.push_back("not in");
        } else {
            break;
        }
        node->children.push_back(parseSum());
    }
    if (node->operators.empty()) return std::move(node->children.front());
    return sealed(std::move(node));
}

ExpressionPtr Parser::parseSum() {
    auto left = parseConcat();
    while (isOperator("+") || isOperator("-")) {
        std::string text = take().text;
        left = join(ExpressionType::Binary, std::move(left), parseConcat(), std::move(text));
    }
    return left;
}

ExpressionPtr Parser::parseConcat() {
    auto first = parseProduct();
    if (!isOperator("~")) return first;
    auto node = make(ExpressionType::Concat, first->line);
    node->children.push_back(std::move(first));
    while (skipOperator("~")) node->children.push_back(parseProduct());
    return sealed(std::move(node));
}

ExpressionPtr Parser::parseProduct() {
    auto left = parsePower();
    while (isOperator("*") || isOperator("/") || isOperator("//") || isOperator("%")) {
        std::string text = take().text;
        left = join(ExpressionType::Binary, std::move(left), parsePower(), std::move(text));
    }
    return left;
}

ExpressionPtr Parser::parsePower() {
    auto left = parseUnary(true);
    while (skipOperator("**")) left = join(ExpressionType::Binary, std::move(left), parseUnary(true), "**");
    return left;
}

ExpressionPtr Parser::parseUnary(bool withFilters) {
    const Level level(*this);
    ExpressionPtr node;
    if (skipOperator("-"))
        node = join(ExpressionType::Negative, parseUnary(false), nullptr);
    else if (skipOperator("+"))
        node = join(ExpressionType::Positive, parseUnary(false), nullptr);
    else
        node = parsePrimary();
    node = parsePostfix(std::move(node));
    return withFilters ? parseFilters(std::move(node)) : std::move(node);
}

ExpressionPtr Parser::parsePrimary() {
    const int line = now().place.line;
    if (isOperator("(")) return parseParenthesis();
    if (isOperator("[")) return parseList();
    if (isOperator("{")) return parseDictionary();
    auto node = make(ExpressionType::Constant, line);
    switch (now().type) {
        case TokenType::Name: {
            const std::string& name = take().text;
            if (name == "true" || name == "True" || name == "false" || name == "False") {
                node->constant = Value(name == "true" || name == "True");
            } else if (name == "none" || name == "None") {
                node->constant = Value(None{});
            } else {
                node->type = ExpressionType::Name;
                node->text = name;
                for (MacroStatement* macro : m_macros) {
                    macro->takesMore = macro->takesMore || name == "varargs";
                    macro->takesMoreNamed = macro->takesMoreNamed || name == "kwargs";
                }
            }
            return node;
        }
        case TokenType::Text: {
            std::string text;
            while (now().type == TokenType::Text) text += take().text;  // neighbours are one text
            node->constant = Value(std::make_shared<const std::string>(std::move(text)));
            return node;
        }
        case TokenType::Integer:
            node->constant = Value(take().integer);
            return node;
        case TokenType::Real:
            node->constant = Value(take().real);
            return node;
        default:
            failExpected("an expression");
    }
}

ExpressionPtr Parser::parseParenthesis() {
    const int line = take().place.line;
    const std::string_view outer = std::exchange(m_tupleEnd, {});
    ExpressionPtr node;
    if (isOperator(")"))
        node = make(ExpressionType::Tuple, line);
    else
        node = parseTuple();
    m_tupleEnd = outer;
    expectOperator(")");
    return node;
}

ExpressionPtr Parser::parseList() {
    auto node = make(ExpressionType::List, take().place.line);
    while (!isOperator("]")) {
        if (!node->children.empty()) expectOperator(",");
        if (isOperator("]")) break;
        node->children.push_back(parseExpression());
    }
    expectOperator("]");
    return sealed(std::move(node));
}

ExpressionPtr Parser::parseDictionary() {
    auto node = make(ExpressionType::Dictionary, take().place.line);
    while (!isOperator("}")) {
        if (!node->children.empty()) expectOperator(",");
        if (isOperator("}")) break;
        node->children.push_back(parseExpression());
        expectOperator(":");
        node->children.push_back(parseExpression());
    }
    expectOperator("}");
    return sealed(std::move(node));
}

ExpressionPtr Parser::parsePostfix(ExpressionPtr base) {
    for (;;) {
        if (skipOperator(".")) {
            if (now().type == TokenType::Integer) {
                auto index = make(ExpressionType::Constant, now().place.line);
                index->constant = Value(take().integer);
                base = join(ExpressionType::Item, std::move(base), std::move(index));
            } else {
                std::string name = expectName("the name of an attribute");
                base = join(ExpressionType::Attribute, std::move(base), nullptr, std::move(name));
            }
        } else if (isOperator("[")) {
            base = parseSubscript(std::move(base));
        } else if (isOperator("(")) {
            auto call = make(ExpressionType::Call, base->line);
            call->children.push_back(std::move(base));
            parseArguments(*call);
            base = sealed(std::move(call));
        } else {
            return base;
        }
    }
}

ExpressionPtr Parser::parseSubscript(ExpressionPtr base) {
    take();
    const int line = base->line;
    ExpressionPtr parts[3];
    int part = 0;
    bool isSlice = false;
    while (!isOperator("]")) {
        if (skipOperator(":")) {
            isSlice = true;
            if (++part > 2) failExpected("']'");
        } else if (parts[part]) {
            if (isOperator(","))
                failAt(now(), "several subscripts in one pair of brackets are not supported");
            failExpected("']'");
        } else {
            parts[part] = parseExpression();
        }
    }
    if (!isSlice && !parts[0]) failExpected("a subscript");
    take();
    if (!isSlice) return join(ExpressionType::Item, std::move(base), std::move(parts[0]));
    auto node = make(ExpressionType::Slice, line);
    node->children.push_back(std::move(base));
    for (auto& one : parts) node->children.push_back(std::move(one));
    return sealed(std::move(node));
}

void Parser::parseArguments(Expression& call) {
    expectOperator("(");
    bool first = true;
    while (!isOperator(")")) {
        if (!first) expectOperator(",");
        if (isOperator(")")) break;
        first = false;
        if (isOperator("*") || isOperator("**"))
            failAt(now(), "arguments unpacked by * or ** are not supported");
        const bool isNamed = now().type == TokenType::Name &&
                             m_tokens[m_at + 1].type == TokenType::Operator && m_tokens[m_at + 1].text == "=";
        if (isNamed) {
            std::string name = take().text;
            take();
            for (const auto& [other, value] : call.named)
                if (other == name) failAt(now(), "the argument '" + name + "' is given twice");
            call.named.emplace_back(std::move(name), parseExpression());
        } else {
            if (!call.named.empty()) failAt(now(), "expected named arguments after a named one");
            call.children.push_back(parseExpression());
        }
    }
    expectOperator(")");
}

std::string Parser::parseDottedName(const char* what) {
    std::string name = expectName(what);
    while (skipOperator(".")) name += "." + expectName(what);
    return name;
}

ExpressionPtr Parser::parseFilters(ExpressionPtr subject) {
    for (;;) {
        if (isOperator("|")) {
            take();
            subject = parseFilter(std::move(subject));
        } else if (isName("is")) {
            subject = parseTest(std::move(subject));
        } else if (isOperator("(")) {
            auto call = make(ExpressionType::Call, subject->line);
            call->children.push_back(std::move(subject));
            parseArguments(*call);
            subject = sealed(std::move(call));
        } else {
            return subject;
        }
    }
}

ExpressionPtr Parser::parseFilter(ExpressionPtr subject) {
    auto node = make(ExpressionType::Filter, now().place.line);
    node->text = parseDottedName("the name of a filter");
    node->children.push_back(std::move(subject));
    if (isOperator("(")) parseArguments(*node);
    return sealed(std::move(node));
}

ExpressionPtr Parser::parseTest(ExpressionPtr subject) {
    const int line = take().place.line;
    const bool negated = skipName("not");
    auto node = make(ExpressionType::Test, line);
    node->text = parseDottedName("the name of a test");
    node->children.push_back(std::move(subject));
    const TokenType type = now().type;
    const bool takesValue = type == TokenType::Text || type == TokenType::Integer ||
                            type == TokenType::Real || isOperator("[") || isOperator("{") ||
                            (type == TokenType::Name && !isName("else") && !isName("or") && !isName("and"));
    if (isOperator("(")) {
        parseArguments(*node);
    } else if (takesValue) {
        if (isName("is")) failAt(now(), "tests cannot follow one another; put the first into parentheses");
        const Level level(*this);
        node->children.push_back(parsePostfix(parsePrimary()));
    }
    node = sealed(std::move(node));
    return negated ? join(ExpressionType::Not, std::move(node), nullptr) : std::move(node);
}

}  // namespace fovea::jinja
