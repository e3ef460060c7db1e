#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "session.h"

namespace fovea {

/// The messages of a conversation as chat files have them: its turns, then the prompt; the pictures go with the first
/// message of the user.
nlohmann::ordered_json conversationMessages(const SessionInput& input);

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
