#include <algorithm>
#include <string>
#include <utility>

#include "text/chat_template/parser.h"

namespace fovea::jinja {
namespace {

bool isIn(std::string_view name, const std::vector<std::string_view>& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

Block Parser::parse() {
    return parseBlock({});
}

Statement& Parser::add(Block& block, StatementType type) const {
    Statement& made = block.emplace_back();
    made.type = type;
    made.line = now().place.line;
    return made;
}

/// Statements up to a tag whose name is in ends; that name is the next token then.
Block Parser::parseBlock(const std::vector<std::string_view>& ends) {
    const Level level(*this);
    const Place start = m_tokens[m_at > 0 ? m_at - 1 : 0].place;
    Block block;
    for (;;) {
        switch (now().type) {
            case TokenType::End:
                if (!ends.empty())
                    throw Fault(start, "expected {% " + std::string(ends.front()) +
                                           " %}, found the end of the template");
                return block;
            case TokenType::Data:
                add(block, StatementType::Text).text = take().text;
                break;
            case TokenType::OutputBegin: {
                take();
                Statement& output = add(block, StatementType::Output);
                output.expressions.push_back(parseTuple());
                if (now().type != TokenType::OutputEnd) failExpected("the end of {{ ... }}");
                take();
                break;
            }
            default:
                take();
                if (now().type != TokenType::Name) failExpected("the name of a tag");
                if (isIn(now().text, ends)) return block;
                parseTag(block);
        }
    }
}

void Parser::finishTag() {
    if (now().type != TokenType::TagEnd) failExpected("the end of {% ... %}");
    take();
}

/// The statements up to {% end %}, that tag included.
Block Parser::parseBody(std::string_view end) {
    finishTag();
    Block body = parseBlock({end});
    take();
    finishTag();
    return body;
}

void Parser::parseTag(Block& block) {
    const std::string name = now().text;
    if (name == "if") return parseIf(block);
    if (name == "for") return parseFor(block);
    if (name == "set") return parseSet(block);
    if (name == "macro") return parseMacro(block);
    if (name == "with") return parseWith(block);
    if (name == "filter") return parseFilterBlock(block);
    if (name == "generation") return parseGeneration(block);
    if (name == "break" || name == "continue") return parseJump(block);
    for (const char* other : {"include", "import", "from", "extends", "block", "call", "autoescape", "do",
                              "print", "trans", "debug"})
        if (name == other) failAt(now(), "the tag {% " + name + " %} is not supported in chat templates");
    failAt(now(), "found the unknown or misplaced tag {% " + name.substr(0, 60) + " %}");
}

void Parser::parseIf(Block& block) {
    Statement& made = add(block, StatementType::If);
    const std::vector<std::string_view> ends{"endif", "elif", "else"};
    for (;;) {
        take();
        made.expressions.push_back(parseTuple(Ternary::Refused));
        finishTag();
        made.blocks.push_back(parseBlock(ends));
        if (!isName("elif")) break;
    }
    if (skipName("else")) {
        finishTag();
        made.blocks.push_back(parseBlock({"endif"}));
    }
    take();
    finishTag();
}

Target Parser::parseTargetPart() {
    const Level level(*this);
    if (skipOperator("(")) {
        Target inner = parseTarget({});
        expectOperator(")");
        return inner;
    }
    Target target;
    target.line = now().place.line;
    const Token& token = now();
    target.name = expectName("a name to assign to");
    static const std::vector<std::string_view> kFixed{"true", "True", "false", "False", "none", "None"};
    if (isIn(target.name, kFixed)) failAt(token, "'" + target.name + "' cannot be assigned to");
    if (skipOperator(".")) target.attribute = expectName("the name of an attribute");
    return target;
}

Target Parser::parseTarget(std::string_view endName) {
    Target first = parseTargetPart();
    if (!isOperator(",")) return first;
    Target target;
    target.line = first.line;
    target.parts.push_back(std::move(first));
    while (skipOperator(",")) {
        if (isOperator("=") || isOperator(")") || (!endName.empty() && isName(endName))) break;
        target.parts.push_back(parseTargetPart());
    }
    return target;
}

void Parser::parseFor(Block& block) {
    Statement& made = add(block, StatementType::For);
    take();
    made.targets.push_back(parseTarget("in"));
    if (!skipName("in")) failExpected("'in'");
    const std::string_view outer = std::exchange(m_tupleEnd, "recursive");
    made.expressions.push_back(parseTuple(Ternary::Refused));
    m_tupleEnd = outer;
    made.expressions.push_back(skipName("if") ? parseExpression() : nullptr);
    if (isName("recursive")) failAt(now(), "recursive loops are not supported");
    finishTag();
    ++m_loops;
    made.blocks.push_back(parseBlock({"endfor", "else"}));
    --m_loops;
    if (skipName("else")) {
        finishTag();
        made.blocks.push_back(parseBlock({"endfor"}));
    }
    take();
    finishTag();
}

void Parser::parseSet(Block& block) {
    Statement& made = add(block, StatementType::Set);
    take();
    made.targets.push_back(parseTarget({}));
    if (skipOperator("=")) {
        made.expressions.push_back(parseTuple());
        return finishTag();
    }
    made.type = StatementType::SetBlock;
    ExpressionPtr filters;
    while (skipOperator("|")) filters = parseFilter(std::move(filters));
    made.expressions.push_back(std::move(filters));
    const int loops = std::exchange(m_loops, 0);
    made.blocks.push_back(parseBody("endset"));
    m_loops = loops;
}

void Parser::parseWith(Block& block) {
    Statement& made = add(block, StatementType::With);
    take();
    while (now().type != TokenType::TagEnd) {
        if (!made.targets.empty()) expectOperator(",");
        made.targets.push_back(parseTargetPart());
        expectOperator("=");
        made.expressions.push_back(parseExpression());
    }
    made.blocks.push_back(parseBody("endwith"));
}

void Parser::parseFilterBlock(Block& block) {
    Statement& made = add(block, StatementType::Filter);
    take();
    ExpressionPtr filters = parseFilter(nullptr);
    while (skipOperator("|")) filters = parseFilter(std::move(filters));
    made.expressions.push_back(std::move(filters));
    const int loops = std::exchange(m_loops, 0);
    made.blocks.push_back(parseBody("endfilter"));
    m_loops = loops;
}

/// Transformers marks the assistant's part so; the text is what is inside.
void Parser::parseGeneration(Block& block) {
    Statement& made = add(block, StatementType::Scope);
    take();
    const int loops = std::exchange(m_loops, 0);
    made.blocks.push_back(parseBody("endgeneration"));
    m_loops = loops;
}

void Parser::parseMacro(Block& block) {
    Statement& made = add(block, StatementType::Macro);
    take();
    made.macro = std::make_shared<MacroStatement>();
    MacroStatement& macro = *made.macro;
    macro.name = expectName("the name of a macro");
    expectOperator("(");
    while (!isOperator(")")) {
        if (!macro.parameters.empty()) expectOperator(",");
        macro.parameters.push_back(expectName("the name of a parameter"));
        if (skipOperator("="))
            macro.defaults.push_back(parseExpression());
        else if (!macro.defaults.empty() && macro.defaults.back())
            failAt(now(), "expected a default for every parameter after one that has a default");
        else
            macro.defaults.push_back(nullptr);
    }
    expectOperator(")");
    const int loops = std::exchange(m_loops, 0);
    m_macros.push_back(&macro);
    macro.body = parseBody("endmacro");
    m_macros.pop_back();
    m_loops = loops;
}

void Parser::parseJump(Block& block) {
    if (m_loops == 0) failAt(now(), "found {% " + now().text + " %} outside of a loop");
    add(block, isName("break") ? StatementType::Break : StatementType::Continue);
    take();
    finishTag();
}

}  // namespace fovea::jinja
