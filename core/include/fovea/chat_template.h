#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace fovea {

/// Whether the text ends where the model is to answer.
enum class GenerationPrompt { No, Yes };

/// What a template is given beside the messages.
struct ChatOptions {
    GenerationPrompt addGenerationPrompt = GenerationPrompt::Yes;
    std::string
        bosToken;  ///< of the tokenizer; an empty one is undefined in the template, as in transformers
    std::string eosToken;
    /// More names for the template, in order: tools, documents, add_vision_id, enable_thinking, unk_token ...
    nlohmann::ordered_json extra = nlohmann::ordered_json::object();
};

/// How a template reads the contents of messages.
enum class ContentForm {
    Text,   ///< one text a message
    Parts,  ///< a list of {"type": ...}
    Both,
};

/// The chat template of a model folder: a Jinja template as transformers runs it, in a sandbox with bounds on
/// steps, memory, depth and output. Immutable, safe from several threads; copies share the parsed template.
class ChatTemplate {
public:
    /// The template of chat_template.jinja, chat_template.json, processor_config.json or
    /// tokenizer_config.json, the first that has one (of several the one named "default"); nothing when there
    /// is none. Throws Error (Input).
    static std::optional<ChatTemplate> fromFolder(const std::filesystem::path& folder);
    /// Parses a template; throws Error (Input) that names fileName, line and column.
    ChatTemplate(std::string source, std::string fileName);

    /// The prompt of a list of messages [{"role": "user", "content": text or [{"type": "image"}, {"type":
    /// "text", "text": ...}]}]. Throws Error (Input) with the line of the template; what a template refuses
    /// itself (raise_exception) is in the message. The order of keys shows where a template prints whole
    /// objects.
    std::string render(const nlohmann::ordered_json& messages, const ChatOptions& options = {}) const;
    std::string render(const nlohmann::json& messages, const ChatOptions& options = {}) const;

    /// Found out by rendering one message in both forms.
    ContentForm contentForm() const;
    /// The messages in the form that the template reads: lists of texts joined to one text, a text put into a
    /// list; lists with images stay as they are.
    nlohmann::ordered_json fitted(nlohmann::ordered_json messages) const;

    const std::string& source() const noexcept;
    const std::string& fileName() const noexcept;

private:
    struct Parsed;
    std::shared_ptr<const Parsed> m_parsed;
};

/// A message of the user: the images first, then the videos, then the text.
nlohmann::json userMessage(int images, const std::string& prompt, int videos = 0);

/// What a chat file holds.
struct ChatFile {
    nlohmann::ordered_json messages;
    nlohmann::ordered_json tools;  ///< null when the file names none
    std::vector<std::filesystem::path>
        images;  ///< in order of the image entries; empty where an entry names no file
    std::vector<std::filesystem::path> videos;
};

/// Reads a list of messages, or {"messages": [...], "tools": [...]}; relative names of pictures start at the
/// file's folder. Throws Error (Input) that names the message and key.
ChatFile readChatFile(const std::filesystem::path& path);
/// As readChatFile, of a text; folder is where relative names start, source begins the messages of errors.
ChatFile parseChat(const std::string& text, const std::filesystem::path& folder, const std::string& source);

}  // namespace fovea
