#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/chat_template/value.h"

namespace fovea::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

enum class ExpressionType {
    Constant,     ///< constant
    Name,         ///< text
    List,         ///< children: the items
    Tuple,        ///< children: the items
    Dictionary,   ///< children: key, value, key, value ...
    Conditional,  ///< children: condition, value, other value (null when there is none)
    And,          ///< children: left, right
    Or,           ///< children: left, right
    Not,          ///< children: operand
    Compare,      ///< children: operands; operators between them
    Binary,       ///< text: + - * / // % **; children: left, right
    Concat,       ///< children: operands of ~
    Negative,     ///< children: operand
    Positive,     ///< children: operand
    Attribute,    ///< text; children: object
    Item,         ///< children: object, index
    Slice,        ///< children: object, start, stop, step (null where left out)
    Call,         ///< children: function, then positional arguments; named
    Filter,       ///< text; children: subject (null in a block), then positional arguments; named
    Test,         ///< text; children: subject, then positional arguments; named
};

struct Expression {
    ExpressionType type = ExpressionType::Constant;
    int line = 1;
    int depth = 1;
    std::string text;
    Value constant;
    std::vector<ExpressionPtr> children;
    std::vector<std::pair<std::string, ExpressionPtr>> named;
    std::vector<std::string> operators;
};

/// What an assignment or a loop fills: a name, an attribute of a namespace, or several of them.
struct Target {
    std::string name;
    std::string attribute;  ///< of the namespace `name`
    std::vector<Target> parts;
    int line = 1;
};

struct Statement;
using Block = std::vector<Statement>;

enum class StatementType {
    Text,      ///< text
    Output,    ///< expressions[0]
    If,        ///< expressions: the conditions; blocks: one each, then that of else
    For,       ///< target; expressions: what is walked, the filter (may be null); blocks: body, else
    Set,       ///< target; expressions[0]
    SetBlock,  ///< target; expressions[0]: filters around the block, or null; blocks[0]
    With,      ///< targets; expressions: their values; blocks[0]
    Filter,    ///< expressions[0]; blocks[0]
    Scope,     ///< blocks[0], whose names stay inside
    Macro,     ///< macro
    Break,
    Continue,
};

struct MacroStatement;

struct Statement {
    StatementType type = StatementType::Text;
    int line = 1;
    std::string text;
    std::vector<Target> targets;
    std::vector<ExpressionPtr> expressions;
    std::vector<Block> blocks;
    std::shared_ptr<MacroStatement> macro;
};

struct MacroStatement {
    std::string name;
    std::vector<std::string> parameters;
    std::vector<ExpressionPtr> defaults;  ///< one for each parameter, null where it has none
    bool takesMore = false;               ///< reads varargs
    bool takesMoreNamed = false;          ///< reads kwargs
    Block body;
};

}  // namespace fovea::jinja
