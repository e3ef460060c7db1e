#include "text/chat_template/lexer.h"

#include <algorithm>

#include "text/chat_template/expression_lexer.h"
#include "text/chat_template/unicode_text.h"
#include "text/utf8.h"

namespace fovea::jinja {
namespace {

std::string withPlainLineBreaks(std::string_view source) {
    std::string made;
    made.reserve(source.size());
    for (std::size_t i = 0; i < source.size(); ++i) {
        const bool pair = source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n';
        if (!pair) made += source[i] == '\r' ? '\n' : source[i];
    }
    if (made.ends_with('\n')) made.pop_back();
    return made;
}

class Lexer {
public:
    explicit Lexer(std::string source) : m_source(std::move(source)) {}

    std::vector<Token> run() {
        while (m_at < m_source.size()) lexData();
        add(TokenType::End);
        return std::move(m_tokens);
    }

private:
    std::string_view rest() const { return std::string_view(m_source).substr(m_at); }

    Place place() {
        for (; m_counted < m_at; ++m_counted)
            if (m_source[m_counted] == '\n') {
                ++m_line;
                m_lineStart = m_counted + 1;
            }
        return {m_line, static_cast<int>(m_at - m_lineStart) + 1};
    }

    Token& add(TokenType type) {
        Token& token = m_tokens.emplace_back();
        token.type = type;
        token.place = place();
        return token;
    }

    void skipSpace() { m_at = m_source.size() - stripStart(rest()).size(); }

    /// The next "{{", "{%" or "{#".
    std::size_t nextMark(std::size_t from) const {
        for (std::size_t at = m_source.find('{', from); at != std::string::npos;
             at = m_source.find('{', at + 1))
            if (at + 1 < m_source.size() &&
                std::string_view("{%#").find(m_source[at + 1]) != std::string_view::npos)
                return at;
        return std::string::npos;
    }

    char signAt(std::size_t at) const {
        return at < m_source.size() && (m_source[at] == '-' || m_source[at] == '+') ? m_source[at] : '\0';
    }

    /// Adds the text up to end, less what the tag there strips from it.
    void addData(std::size_t end, char mark) {
        std::string_view data = std::string_view(m_source).substr(m_at, end - m_at);
        const char sign = signAt(end + 2);
        if (sign == '-') {
            data = stripEnd(data);
        } else if (sign != '+' && mark != '{') {
            const std::size_t lineStart = data.rfind('\n') + 1;  // 0 where there is no line break
            const bool startsLine = lineStart > 0 || m_startsLine;
            if (startsLine && stripStart(data.substr(lineStart)).empty()) data = data.substr(0, lineStart);
        }
        if (!data.empty()) add(TokenType::Data).text = data;
        m_at = end;
    }

    void lexData() {
        const std::size_t mark = nextMark(m_at);
        if (mark == std::string::npos) {
            add(TokenType::Data).text = rest();
            m_at = m_source.size();
            return;
        }
        const char kind = m_source[mark + 1];
        addData(mark, kind);
        const Place begin = place();
        m_at += 2;
        if (signAt(m_at) != '\0') ++m_at;
        if (kind == '#') return lexComment(begin);
        if (kind == '%' && lexRaw(begin)) return;
        lexTag(kind, begin);
    }

    void lexComment(Place begin) {
        const std::size_t end = m_source.find("#}", m_at);
        if (end == std::string::npos)
            throw Fault(begin, "expected the end of a comment, found the end of the template");
        const char sign = end > m_at ? m_source[end - 1] : '\0';
        m_at = end + 2;
        finishTag(sign == '-' ? '-' : sign == '+' ? '+' : '\0');
    }

    /// What follows a tag or comment that ends here.
    void finishTag(char sign) {
        const std::size_t end = m_at;
        if (sign == '-')
            skipSpace();
        else if (sign != '+' && rest().starts_with('\n'))
            ++m_at;
        m_startsLine = m_at > end && m_source[m_at - 1] == '\n';
    }

    /// Past "raw %}" and its like at m_at; false where there is no such thing.
    bool skipTag(std::string_view name) {
        std::size_t at = m_source.size() - stripStart(rest()).size();
        if (!std::string_view(m_source).substr(at).starts_with(name)) return false;
        at += name.size();
        at = m_source.size() - stripStart(std::string_view(m_source).substr(at)).size();
        const char sign = signAt(at);
        if (sign != '\0') ++at;
        if (!std::string_view(m_source).substr(at).starts_with("%}")) return false;
        const bool isBegin = name == "raw";
        if (isBegin && sign == '+') return false;
        m_at = at + 2;
        if (!isBegin)
            finishTag(sign);
        else if (sign == '-')
            finishTag(sign);
        else
            m_startsLine = false;  // the line break after it belongs to the text
        return true;
    }

    bool lexRaw(Place begin) {
        if (!skipTag("raw")) return false;
        const std::size_t start = m_at;
        for (std::size_t mark = m_source.find("{%", start); mark != std::string::npos;
             mark = m_source.find("{%", mark + 1)) {
            const bool startedLine = m_startsLine;
            m_at = mark + 2;
            if (signAt(m_at) != '\0') ++m_at;
            if (!skipTag("endraw")) continue;
            const std::size_t after = m_at;
            const bool startsLine = m_startsLine;
            m_at = start;
            m_startsLine = startedLine;
            addData(mark, '%');
            m_at = after;
            m_startsLine = startsLine;
            return true;
        }
        throw Fault(begin, "expected {% endraw %}, found the end of the template");
    }

    void lexTag(char kind, Place begin) {
        add(kind == '{' ? TokenType::OutputBegin : TokenType::TagBegin).place = begin;
        std::string open;  // brackets that wait for their other half
        for (;;) {
            skipSpace();
            if (rest().empty())
                throw Fault(begin, std::string("expected the end of ") +
                                       (kind == '{' ? "{{ ... }}" : "{% ... %}") +
                                       ", found the end of the template");
            if (open.empty() && lexTagEnd(kind)) return;
            const bool afterDot = m_source[m_at - 1] == '.';
            LexedToken lexed = lexExpressionToken(rest(), place(), afterDot ? AfterDot::Yes : AfterDot::No);
            if (lexed.token.type == TokenType::Operator) balance(open, lexed.token);
            m_tokens.push_back(std::move(lexed.token));
            m_at += lexed.length;
        }
    }

    bool lexTagEnd(char kind) {
        const std::string_view close = kind == '{' ? "}}" : "%}";
        char sign = signAt(m_at);
        if (sign == '+' && kind == '{') sign = '\0';
        if (!rest().substr(sign == '\0' ? 0 : 1).starts_with(close)) return false;
        add(kind == '{' ? TokenType::OutputEnd : TokenType::TagEnd);
        m_at += (sign == '\0' ? 0 : 1) + 2;
        if (kind == '{' && sign == '\0')
            m_startsLine = false;
        else
            finishTag(sign);
        return true;
    }

    static void balance(std::string& open, const Token& token) {
        if (token.text.size() != 1) return;
        const char c = token.text[0];
        if (c == '(' || c == '[' || c == '{') open += c == '(' ? ')' : c == '[' ? ']' : '}';
        if (c != ')' && c != ']' && c != '}') return;
        if (open.empty() || open.back() != c)
            throw Fault(token.place, "found '" + token.text + "'" +
                                         (open.empty() ? " that closes nothing"
                                                       : std::string(", expected '") + open.back() + "'"));
        open.pop_back();
    }

    std::string m_source;
    std::size_t m_at = 0;
    std::size_t m_counted = 0;
    std::size_t m_lineStart = 0;
    int m_line = 1;
    bool m_startsLine = true;
    std::vector<Token> m_tokens;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source, const Limits& limits) {
    if (source.size() > limits.sourceBytes)
        throw Fault({1, 0}, "expected a template of at most " + std::to_string(limits.sourceBytes) +
                                " bytes, found " + std::to_string(source.size()));
    if (!text::isUtf8(source)) throw Fault({1, 0}, "expected text in UTF-8, found other bytes");
    return Lexer(withPlainLineBreaks(source)).run();
}

}  // namespace fovea::jinja
