#include "text/chat_template/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

#include "text/chat_template/python_text.h"
#include "text/chat_template/unicode_text.h"

namespace fovea::jinja {
namespace {

class Writer {
public:
    Writer(Meter& meter, const JsonStyle& style) : m_meter(meter), m_style(style) {}

    std::string take() { return std::move(m_text); }

    void write(const Value& value) {
        m_meter.work();
        m_meter.checkText(m_text.size());
        if (value.isText()) return writeText(value.text());
        if (value.isNone() || value.isNumber()) {
            m_text += scalar(value);
            return;
        }
        if (const Mapping* dictionary = value.mapping()) return writeMapping(*dictionary);
        const Sequence* list = value.sequence();
        if (list == nullptr || (list->type != SequenceType::List && list->type != SequenceType::Tuple))
            m_meter.fail("expected a value that JSON has, found " + typeName(value));
        writeList(*list);
    }

private:
    static std::string scalar(const Value& value) {
        if (value.isNone()) return "null";
        if (value.isBoolean()) return value.whole() ? "true" : "false";
        if (value.isInteger()) return std::to_string(value.whole());
        if (std::isnan(value.real())) return "NaN";
        if (std::isinf(value.real())) return value.real() < 0 ? "-Infinity" : "Infinity";
        return realText(value.real());
    }

    void writeText(std::string_view text) {
        m_meter.scan(text.size());
        m_text += '"';
        for (std::string_view one : characters(text)) writeCharacter(one);
        m_text += '"';
    }

    void writeCharacter(std::string_view one) {
        static constexpr std::string_view kMeant = "\"\\\n\r\t\b\f";
        static constexpr std::string_view kWritten = "\"\\nrtbf";
        const std::int32_t code = codePoint(one);
        if (const auto at = kMeant.find(one[0]); one.size() == 1 && at != std::string_view::npos) {
            m_text += '\\';
            m_text += kWritten[at];
        } else if (code < 0x20 || (m_style.asciiOnly && code >= 0x7F && code < 0x10000)) {
            m_text += fmt::format("\\u{:04x}", code);
        } else if (m_style.asciiOnly && code >= 0x10000) {
            const std::int32_t rest = code - 0x10000;
            m_text += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
        } else {
            m_text += one;
        }
    }

    void breakLine() {
        if (!m_style.indent) return;
        m_text += '\n';
        m_meter.checkText(m_text.size() + m_style.indent->size() * m_level);
        for (std::size_t i = 0; i < m_level; ++i) m_text += *m_style.indent;
    }

    template <typename Items, typename WriteOne>
    void writeAll(char open, char close, const Items& items, WriteOne writeOne) {
        m_text += open;
        if (!items.empty()) {
            ++m_level;
            bool first = true;
            for (const auto& item : items) {
                if (!first) m_text += m_style.itemSeparator;
                first = false;
                breakLine();
                writeOne(item);
            }
            --m_level;
            breakLine();
        }
        m_text += close;
    }

    void writeList(const Sequence& list) {
        writeAll('[', ']', list.items, [this](const Value& item) { write(item); });
    }

    void writeMapping(const Mapping& dictionary) {
        std::vector<const std::pair<Value, Value>*> items;
        for (const auto& item : dictionary.items) items.push_back(&item);
        if (m_style.sortKeys)
            std::stable_sort(items.begin(), items.end(), [this](const auto* a, const auto* b) {
                return before(m_meter, a->first, b->first);
            });
        writeAll('{', '}', items, [this](const std::pair<Value, Value>* item) {
            const Value& key = item->first;
            if (!key.isText() && !key.isNumber() && !key.isNone())
                m_meter.fail("expected a key that JSON has, found " + typeName(key));
            writeText(key.isText() ? key.text() : scalar(key));
            m_text += m_style.keySeparator;
            write(item->second);
        });
    }

    Meter& m_meter;
    const JsonStyle& m_style;
    std::string m_text;
    std::size_t m_level = 0;
};

}  // namespace

std::string toJson(Meter& meter, const Value& value, const JsonStyle& style) {
    Writer writer(meter, style);
    writer.write(value);
    return writer.take();
}

}  // namespace fovea::jinja
