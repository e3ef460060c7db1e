#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat_template/lexer.h"
#include "text/chat_template/syntax.h"

namespace fovea::jinja {

/// Reads tokens into statements; throws Fault with the line and column of what is wrong.
class Parser {
public:
    Parser(std::vector<Token> tokens, const Limits& limits) : m_tokens(std::move(tokens)), m_limits(limits) {}
    Block parse();

private:
    /// Counts how deep the parser is for as long as it lives.
    class Level {
    public:
        explicit Level(Parser& parser);
        ~Level() { --m_parser.m_depth; }
        Level(const Level&) = delete;
        Level& operator=(const Level&) = delete;

    private:
        Parser& m_parser;
    };
    enum class Ternary { Allowed, Refused };

    const Token& now() const { return m_tokens[m_at]; }
    const Token& take() { return m_tokens[m_at + 1 < m_tokens.size() ? m_at++ : m_at]; }
    bool isOperator(std::string_view text) const;
    bool isName(std::string_view text) const;
    bool skipOperator(std::string_view text);
    bool skipName(std::string_view text);
    void expectOperator(std::string_view text);
    std::string expectName(const char* what);
    std::string found() const;
    [[noreturn]] void failExpected(const std::string& what) const;
    [[noreturn]] void failAt(const Token& token, const std::string& what) const;

    // Statements.
    Block parseBlock(const std::vector<std::string_view>& ends);
    void parseTag(Block& block);
    void parseIf(Block& block);
    void parseFor(Block& block);
    void parseSet(Block& block);
    void parseWith(Block& block);
    void parseFilterBlock(Block& block);
    void parseMacro(Block& block);
    void parseGeneration(Block& block);
    void parseJump(Block& block);
    Target parseTarget(std::string_view endName);
    Target parseTargetPart();
    Block parseBody(std::string_view end);
    void finishTag();
    Statement& add(Block& block, StatementType type) const;

    // Expressions, from the loosest to the tightest.
    ExpressionPtr parseTuple(Ternary ternary = Ternary::Allowed);
    ExpressionPtr parseExpression(Ternary ternary = Ternary::Allowed);
    ExpressionPtr parseTernary();
    ExpressionPtr parseOr();
    ExpressionPtr parseAnd();
    ExpressionPtr parseNot();
    ExpressionPtr parseCompare();
    ExpressionPtr parseSum();
    ExpressionPtr parseConcat();
    ExpressionPtr parseProduct();
    ExpressionPtr parsePower();
    ExpressionPtr parseUnary(bool withFilters);
    ExpressionPtr parsePrimary();
    ExpressionPtr parseParenthesis();
    ExpressionPtr parseList();
    ExpressionPtr parseDictionary();
    ExpressionPtr parsePostfix(ExpressionPtr base);
    ExpressionPtr parseFilters(ExpressionPtr subject);
    ExpressionPtr parseFilter(ExpressionPtr subject);
    ExpressionPtr parseTest(ExpressionPtr subject);
    ExpressionPtr parseSubscript(ExpressionPtr base);
    void parseArguments(Expression& call);
    std::string parseDottedName(const char* what);
    bool endsTuple() const;
    ExpressionPtr make(ExpressionType type, int line) const;
    /// Sets the depth of a node from its children and refuses one that is too deep.
    ExpressionPtr sealed(ExpressionPtr node) const;
    ExpressionPtr join(ExpressionType type, ExpressionPtr left, ExpressionPtr right,
                       std::string text = {}) const;

    std::vector<Token> m_tokens;
    const Limits& m_limits;
    std::size_t m_at = 0;
    int m_depth = 0;
    int m_loops = 0;
    std::vector<MacroStatement*> m_macros;  ///< the macros around this place
    std::string_view m_tupleEnd;            ///< a name that ends a tuple here ("in", "recursive")
};

}  // namespace fovea::jinja
