#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "session.h"

namespace fovea {

/// The messages of a conversation as chat files have them: its turns, then the prompt; the pictures go with the first
/// message of the user.
nlohmann::ordered_json conversationMessages(const SessionInput& input);

/// What the model was asked last, for people: the last message of the user in the chat file, or without one (or where it
/// cannot be read) the prompt.
std::string lastQuestion(const SessionInput& input);

/// A conversation as a chat file, for as long as the object lives.
class ConversationFile {
public:
    /// Throws Error (Input) where it cannot be written.
    explicit ConversationFile(const SessionInput& input);
    ~ConversationFile();
    ConversationFile(const ConversationFile&) = delete;
    ConversationFile& operator=(const ConversationFile&) = delete;
    const std::filesystem::path& path() const { return m_path; }

private:
    std::filesystem::path m_path;
};

}  // namespace fovea
