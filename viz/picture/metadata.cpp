#include "picture/metadata.h"

#include <cstdint>

#include "picture/utf8.h"

namespace fovea::viz {
namespace {

constexpr const char* replacement = "\xEF\xBF\xBD";

bool allowedInXml(char32_t c) {
    return c == 0x9 || c == 0xA || c == 0xD || (c >= 0x20 && c <= 0xD7FF) || (c >= 0xE000 && c <= 0xFFFD) ||
           (c >= 0x10000 && c <= 0x10FFFF);
}

char32_t numericReference(std::string_view name) {
    const bool hex = name.size() > 2 && (name[1] == 'x' || name[1] == 'X');
    char32_t value = 0;
    for (std::size_t i = hex ? 2 : 1; i < name.size(); ++i) {
        const char c = name[i];
        int digit = -1;
        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if (hex && c >= 'a' && c <= 'f')
            digit = c - 'a' + 10;
        else if (hex && c >= 'A' && c <= 'F')
            digit = c - 'A' + 10;
        if (digit < 0) return 0xFFFD;
        value = value * (hex ? 16 : 10) + static_cast<char32_t>(digit);
        if (value > 0x10FFFF) return 0xFFFD;
    }
    return value;
}

}  // namespace

std::string xmlEscaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t from = at;
        const char32_t c = nextCodePoint(text, at);
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            case '\r':
                out += "&#13;";
                break;  // parsers turn a bare one into a line feed
            case 0xFFFD:
                out += replacement;
                break;
            default:
                if (allowedInXml(c))
                    out += text.substr(from, at - from);
                else
                    out += replacement;
        }
    }
    return out;
}

std::string xmlUnescaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
        const std::size_t end = text[at] == '&' ? text.find_first_of("; &<", at + 1) : std::string_view::npos;
        if (end == std::string_view::npos || text[end] != ';' || end - at > 12) {
            out.push_back(text[at]);
            continue;
        }
        const std::string_view name = text.substr(at + 1, end - at - 1);
        if (name == "amp")
            out += '&';
        else if (name == "lt")
            out += '<';
        else if (name == "gt")
            out += '>';
        else if (name == "quot")
            out += '"';
        else if (name == "apos")
            out += '\'';
        else if (!name.empty() && name[0] == '#')
            appendUtf8(out, numericReference(name));
        else
            out += text.substr(at, end - at + 1);
        at = end;
    }
    return out;
}

std::string documentElement(const Picture& picture) {
    if (picture.document.empty()) return {};
    return "<fovea:document xmlns:fovea=\"urn:fovea:picture\">" + xmlEscaped(picture.document) +
           "</fovea:document>";
}

std::string xmpPacket(const Picture& picture) {
    const auto alternative = [](const std::string& name, const std::string& text) {
        if (text.empty()) return std::string();
        return "<dc:" + name + "><rdf:Alt><rdf:li xml:lang=\"x-default\">" + xmlEscaped(text) +
               "</rdf:li></rdf:Alt></dc:" + name + ">\n";
    };
    return "<?xpacket begin=\"\xEF\xBB\xBF\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n"
           "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n"
           "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n"
           "<rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" "
           "xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" xmp:CreatorTool=\"Fovea " FOVEA_VERSION "\">\n" +
           alternative("title", picture.title) + alternative("description", picture.recipe) +
           documentElement(picture) +
           "\n</rdf:Description>\n</rdf:RDF>\n</x:xmpmeta>\n<?xpacket end=\"r\"?>\n";
}

}  // namespace fovea::viz
