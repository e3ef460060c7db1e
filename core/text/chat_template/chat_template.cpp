#include "fovea/chat_template.h"

#include <string>
#include <utility>

#include "fovea/error.h"
#include "io/json_file.h"
#include "io/mapped_file.h"
#include "text/chat_template/program.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;
using Ordered = nlohmann::ordered_json;

std::string where(const std::string& file, const jinja::Place& place) {
    std::string text = file + ":" + std::to_string(place.line);
    if (place.column > 0) text += ":" + std::to_string(place.column);
    return text + ": ";
}

std::string readText(const fs::path& path) {
    const auto file = MappedFile::open(path);
    const auto bytes = file->bytes();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The template of a value of the key "chat_template": a text, or a list of named ones.
std::optional<std::string> chosen(const nlohmann::json& value, const std::string& file) {
    if (value.is_null()) return std::nullopt;
    if (value.is_string()) return value.get<std::string>();
    if (value.is_array()) {
        for (const auto& one : value)
            if (one.is_object() && one.value("name", nlohmann::json()) == "default" &&
                one.contains("template") && one["template"].is_string())
                return one["template"].get<std::string>();
        throw Error(file + ": expected a chat template named \"default\", found " +
                        std::to_string(value.size()) + " others",
                    "Give the template in chat_template.jinja.");
    }
    throw Error(file + ": expected a text or a list of {name, template} under \"chat_template\", found " +
                describeJson(value));
}

}  // namespace

struct ChatTemplate::Parsed {
    std::string source;
    std::string fileName;
    jinja::Program program;
};

ChatTemplate::ChatTemplate(std::string source, std::string fileName) {
    try {
        jinja::Program program(source);
        m_parsed = std::make_shared<const Parsed>(
            Parsed{std::move(source), std::move(fileName), std::move(program)});
    } catch (const jinja::Fault& fault) {
        throw Error(where(fileName, fault.place()) + fault.what(),
                    "The chat template cannot be read; a raw prompt does without it.");
    }
}

std::optional<ChatTemplate> ChatTemplate::fromFolder(const fs::path& folder) {
    const fs::path plain = folder / "chat_template.jinja";
    if (fs::is_regular_file(plain)) return ChatTemplate(readText(plain), plain.string());
    for (const char* name : {"chat_template.json", "processor_config.json", "tokenizer_config.json"}) {
        const fs::path path = folder / name;
        if (!fs::is_regular_file(path)) continue;
        const nlohmann::json config = readJsonFile(path);
        if (!config.is_object() || !config.contains("chat_template")) continue;
        if (auto source = chosen(config["chat_template"], path.string()))
            return ChatTemplate(std::move(*source), path.string());
    }
    return std::nullopt;
}

std::string ChatTemplate::render(const nlohmann::json& messages, const ChatOptions& options) const {
    return render(Ordered(messages), options);
}

std::string ChatTemplate::render(const Ordered& messages, const ChatOptions& options) const {
    Ordered variables = {{"messages", messages}, {"tools", nullptr}, {"documents", nullptr}};
    variables["add_generation_prompt"] = options.addGenerationPrompt == GenerationPrompt::Yes;
    if (!options.bosToken.empty()) variables["bos_token"] = options.bosToken;
    if (!options.eosToken.empty()) variables["eos_token"] = options.eosToken;
    if (options.extra.is_object())
        for (const auto& [name, value] : options.extra.items()) variables[name] = value;
    try {
        return m_parsed->program.run(variables);
    } catch (const jinja::Refusal& refusal) {
        throw Error(where(m_parsed->fileName, refusal.place()) +
                        "the chat template refuses these messages: " + refusal.what(),
                    "Change the messages; a raw prompt does without the template.");
    } catch (const jinja::Fault& fault) {
        throw Error(where(m_parsed->fileName, fault.place()) + fault.what(),
                    "The chat template cannot be applied to these messages; a raw prompt does without it.");
    }
}

ContentForm ChatTemplate::contentForm() const {
    // A word that no template has; the name of the key shows where a list was printed as it is.
    const std::string word = "zqfoveaqz";
    const auto reads = [&](const Ordered& content) {
        try {
            const std::string text = render(Ordered::array({{{"role", "user"}, {"content", content}}}));
            return text.find(word) != std::string::npos && text.find("'text': '" + word) == std::string::npos;
        } catch (const Error&) {
            return false;
        }
    };
    const bool parts = reads(Ordered::array({{{"type", "text"}, {"text", word}}}));
    const bool text = reads(Ordered(word));
    return parts && text ? ContentForm::Both : parts ? ContentForm::Parts : ContentForm::Text;
}

Ordered ChatTemplate::fitted(Ordered messages) const {
    const ContentForm form = contentForm();
    if (!messages.is_array() || form == ContentForm::Both) return messages;
    for (Ordered& message : messages) {
        if (!message.is_object() || !message.contains("content")) continue;
        Ordered& content = message["content"];
        if (form == ContentForm::Parts && content.is_string()) {
            content = Ordered::array({{{"type", "text"}, {"text", content}}});
        } else if (form == ContentForm::Text && content.is_array()) {
            std::string joined;
            bool onlyText = true;
            for (const Ordered& part : content) {
                const bool isText = part.is_object() && part.contains("text") && part["text"].is_string();
                onlyText = onlyText && isText;
                if (isText) joined += (joined.empty() ? "" : "\n") + part["text"].get<std::string>();
            }
            if (onlyText) content = joined;
        }
    }
    return messages;
}

const std::string& ChatTemplate::source() const noexcept {
    return m_parsed->source;
}
const std::string& ChatTemplate::fileName() const noexcept {
    return m_parsed->fileName;
}

}  // namespace fovea
