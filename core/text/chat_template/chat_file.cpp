// Conversations in files (--chat FILE.json) and of one prompt.
#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "fovea/chat_template.h"
#include "fovea/error.h"
#include "io/json_file.h"
#include "io/mapped_file.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;
using Ordered = nlohmann::ordered_json;

std::string describe(const Ordered& value) {
    return describeJson(nlohmann::json(value));
}

class ChatReader {
public:
    ChatReader(const fs::path& folder, std::string source) : m_folder(folder), m_source(std::move(source)) {}

    ChatFile read(Ordered document) {
        if (document.is_object()) {
            if (!document.contains("messages"))
                fail("", "the key \"messages\" or a list of messages", document);
            m_file.messages = document["messages"];
            if (document.contains("tools")) m_file.tools = document["tools"];
            if (!m_file.tools.is_null() && !m_file.tools.is_array()) fail("tools", "a list", m_file.tools);
        } else {
            m_file.messages = std::move(document);
        }
        if (!m_file.messages.is_array() || m_file.messages.empty())
            fail("messages", "a list with at least one message", m_file.messages);
        for (std::size_t i = 0; i < m_file.messages.size(); ++i)
            readMessage(m_file.messages[i], "messages[" + std::to_string(i) + "]");
        return std::move(m_file);
    }

private:
    [[noreturn]] void fail(const std::string& place, const std::string& expected,
                           const Ordered& found) const {
        throw Error(
            m_source + (place.empty() ? "" : ": " + place) + ": expected " + expected + ", found " +
                describe(found),
            R"(A chat is [{"role": "user", "content": "..."}], or content as a list of {"type": "image"} and )"
            R"({"type": "text", "text": "..."}.)");
    }

    void readMessage(Ordered& message, const std::string& place) {
        if (!message.is_object()) fail(place, "an object", message);
        if (!message.contains("role") || !message["role"].is_string())
            fail(place + ".role", "a text", message.value("role", Ordered()));
        const bool callsTools = message.contains("tool_calls");
        if (!message.contains("content")) {
            if (!callsTools) fail(place + ".content", "a text or a list", Ordered());
            return;
        }
        Ordered& content = message["content"];
        if (content.is_string() || (content.is_null() && callsTools)) return;
        if (!content.is_array()) fail(place + ".content", "a text or a list", content);
        for (std::size_t i = 0; i < content.size(); ++i)
            readPart(content[i], place + ".content[" + std::to_string(i) + "]");
    }

    void readPart(Ordered& part, const std::string& place) {
        if (!part.is_object()) fail(place, "an object", part);
        if (!part.contains("type") || !part["type"].is_string())
            fail(place + ".type", "a text", part.value("type", Ordered()));
        const std::string type = part["type"].get<std::string>();
        if (type == "text") {
            if (!part.contains("text") || !part["text"].is_string())
                fail(place + ".text", "a text", part.value("text", Ordered()));
            return;
        }
        if (type == "image" || type == "image_url") {
            m_file.images.push_back(fileOf(part, place, "image"));
            part["type"] = "image";  // the one word that every template knows
            return;
        }
        if (type != "video") fail(place + ".type", "text, image or video", part["type"]);
        m_file.videos.push_back(fileOf(part, place, "video"));
    }

    /// The file of an image or video entry; empty when it names none.
    fs::path fileOf(const Ordered& part, const std::string& place, const std::string& kind) const {
        const std::array<std::string, 5> keys{kind, "path", "url", kind + "_url", "file"};
        for (const std::string& key : keys) {
            if (!part.contains(key)) continue;
            const Ordered& value =
                part[key].is_object() && part[key].contains("url") ? part[key]["url"] : part[key];
            if (!value.is_string() || value.get_ref<const std::string&>().empty())
                fail(place + "." + key, "the name of a file", value);
            std::string name = value.get<std::string>();
            if (name.starts_with("file://")) name = name.substr(7);
            if (name.find("://") != std::string::npos || name.starts_with("data:"))
                throw Error(m_source + ": " + place + "." + key +
                                ": expected the name of a local file, found " + describe(value),
                            "Nothing is loaded from the network; save the picture and name the file.");
            if (name.find('\0') != std::string::npos) fail(place + "." + key, "the name of a file", value);
            const fs::path path(name);
            return path.is_absolute() ? path : m_folder / path;
        }
        return {};
    }

    fs::path m_folder;
    std::string m_source;
    ChatFile m_file;
};

}  // namespace

nlohmann::json userMessage(int images, const std::string& prompt, int videos) {
    nlohmann::json content = nlohmann::json::array();
    for (int i = 0; i < images; ++i) content.push_back({{"type", "image"}});
    for (int i = 0; i < videos; ++i) content.push_back({{"type", "video"}});
    content.push_back({{"type", "text"}, {"text", prompt}});
    return {{"role", "user"}, {"content", std::move(content)}};
}

ChatFile parseChat(const std::string& text, const fs::path& folder, const std::string& source) {
    parseJson(text, source);  // for its limits and messages; the order of keys needs the second reading
    return ChatReader(folder, source).read(Ordered::parse(text));
}

ChatFile readChatFile(const fs::path& path) {
    const auto file = MappedFile::open(path);
    const auto bytes = file->bytes();
    return parseChat({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path.parent_path(),
                     path.string());
}

}  // namespace fovea
