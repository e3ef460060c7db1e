#include "text/chat_template/python_text.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "text/chat_template/unicode_text.h"

namespace fovea::jinja {
namespace {

class Printer {
public:
    explicit Printer(Meter& meter) : m_meter(meter) {}

    std::string take() { return std::move(m_text); }

    void print(const Value& value) {
        m_meter.work();
        m_meter.checkText(m_text.size());
        if (value.isText())
            appendQuoted(m_text, value.text());
        else if (const Sequence* list = value.sequence())
            printSequence(*list);
        else if (const Mapping* dictionary = value.mapping())
            printMapping(*dictionary);
        else if (const Namespace* space = value.nameSpace())
            printNamespace(*space);
        else if (value.isUndefined())
            m_text += "Undefined";
        else
            m_text += scalar(value);
    }

    std::string scalar(const Value& value) const {
        if (value.isNone()) return "None";
        if (value.isBoolean()) return value.whole() ? "True" : "False";
        if (value.isInteger()) return std::to_string(value.whole());
        if (value.isReal()) return realText(value.real());
        m_meter.fail("expected a value that can be printed, found " + typeName(value));
    }

private:
    void printItems(const std::vector<Value>& items) {
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (i > 0) m_text += ", ";
            print(items[i]);
        }
    }

    void printSequence(const Sequence& list) {
        switch (list.type) {
            case SequenceType::List:
                m_text += '[';
                printItems(list.items);
                m_text += ']';
                return;
            case SequenceType::Tuple:
                m_text += '(';
                printItems(list.items);
                m_text += list.items.size() == 1 ? ",)" : ")";
                return;
            case SequenceType::Range:
                m_text += fmt::format("range({}, {}", list.range[0], list.range[1]);
                m_text += list.range[2] == 1 ? ")" : fmt::format(", {})", list.range[2]);
                return;
            case SequenceType::Generator:
                m_meter.fail(
                    "expected a value that can be printed, found a generator; make it a list with |list");
            default:
                m_text += list.type == SequenceType::Keys     ? "dict_keys(["
                          : list.type == SequenceType::Values ? "dict_values(["
                                                              : "dict_items([";
                printItems(list.items);
                m_text += "])";
        }
    }

    void printMapping(const Mapping& dictionary) {
        m_text += '{';
        bool first = true;
        for (const auto& [key, value] : dictionary.items) {
            if (!first) m_text += ", ";
            first = false;
            print(key);
            m_text += ": ";
            print(value);
        }
        m_text += '}';
    }

    void printNamespace(const Namespace& space) {
        m_text += "<Namespace {";
        bool first = true;
        for (const auto& [name, value] : space.items) {
            if (value.nameSpace() || value.sequence() || value.mapping())
                m_meter.fail("printing a namespace that holds lists or namespaces is not supported");
            if (!first) m_text += ", ";
            first = false;
            appendQuoted(m_text, name);
            m_text += ": ";
            print(value);
        }
        m_text += "}>";
    }

    Meter& m_meter;
    std::string m_text;
};

}  // namespace

std::string realText(double value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    char buffer[64];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
    const std::string shortest(buffer, end);
    const int exponent = std::atoi(shortest.c_str() + shortest.find('e') + 1);
    if (exponent < -4 || exponent >= 16) return shortest;
    const auto plainEnd = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed).ptr;
    std::string plain(buffer, plainEnd);
    if (plain.find('.') == std::string::npos) plain += ".0";
    return plain;
}

void appendQuoted(std::string& text, std::string_view value) {
    const bool doubled =
        value.find('\'') != std::string_view::npos && value.find('"') == std::string_view::npos;
    const char quote = doubled ? '"' : '\'';
    text += quote;
    for (std::string_view one : characters(value)) {
        const std::int32_t code = codePoint(one);
        if (one[0] == quote || one[0] == '\\')
            text += '\\', text += one;
        else if (code == '\n')
            text += "\\n";
        else if (code == '\r')
            text += "\\r";
        else if (code == '\t')
            text += "\\t";
        else if (isPrintable(code))
            text += one;
        else
            text += code < 0x100     ? fmt::format("\\x{:02x}", code)
                    : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                                     : fmt::format("\\U{:08x}", code);
    }
    text += quote;
}

std::string toText(Meter& meter, const Value& value) {
    if (value.isUndefined()) return "";
    if (value.isText()) {
        meter.scan(value.text().size());
        return value.text();
    }
    Printer printer(meter);
    printer.print(value);
    std::string text = printer.take();
    meter.checkText(text.size());
    return text;
}

}  // namespace fovea::jinja
