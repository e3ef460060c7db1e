#include "conversation.h"

#include <fmt/format.h>

#include <fstream>
#include <random>

#include "fovea/chat_template.h"
#include "fovea/error.h"

namespace fovea {
namespace {

// The texts of a message; its pictures have none.
std::string textsOf(const nlohmann::ordered_json& message) {
    const auto content = message.find("content");
    if (content == message.end()) return {};
    if (content->is_string()) return content->get<std::string>();
    std::string texts;
    for (const auto& part : *content)
        if (part.contains("text") && part["text"].is_string())
            texts += (texts.empty() ? "" : " ") + part["text"].get<std::string>();
    return texts;
}

}  // namespace

std::string lastQuestion(const SessionInput& input) {
    if (input.chat.empty()) return input.prompt;
    try {
        const ChatFile chat = readChatFile(input.chat);
        for (std::size_t i = chat.messages.size(); i > 0; --i)
            if (const auto& message = chat.messages[i - 1]; message["role"] == "user") return textsOf(message);
    } catch (const Error&) {
        // Only named here: who reads the conversation for the model says what is wrong with it.
    }
    return input.prompt;
}

nlohmann::ordered_json conversationMessages(const SessionInput& input) {
    nlohmann::ordered_json messages = nlohmann::ordered_json::array();
    int pictures = static_cast<int>(input.images.size());
    const auto add = [&](const std::string& role, const std::string& text) {
        if (role != "user" || pictures == 0) {
            messages.push_back({{"role", role}, {"content", text}});
            return;
        }
        messages.push_back(nlohmann::ordered_json(userMessage(pictures, text)));
        pictures = 0;
    };
    for (const ChatTurn& turn : input.turns) add(turn.role, turn.text);
    add("user", input.prompt);
    return messages;
}

ConversationFile::ConversationFile(const SessionInput& input) {
    std::random_device random;
    const auto folder = std::filesystem::temp_directory_path();
    m_path = folder / fmt::format("fovea-conversation-{:08x}{:08x}.json", random(), random());
    std::ofstream file(m_path, std::ios::binary);
    file << conversationMessages(input).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    file.close();
    if (!file) throw Error(m_path.string() + ": the conversation cannot be written", "free some space in " + folder.string());
}

ConversationFile::~ConversationFile() {
    std::error_code error;
    std::filesystem::remove(m_path, error);
}

}  // namespace fovea
