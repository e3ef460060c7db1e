#include "text/vocabulary.h"

#include "fovea/error.h"
#include "text/limits.h"

namespace fovea::text {

Vocabulary::Vocabulary(const JsonNode& node) {
    const nlohmann::json& object = node.expectObject().value();
    if (object.size() > maxVocabulary) node.fail("at most " + std::to_string(maxVocabulary) + " tokens");
    m_ids.reserve(object.size());
    m_tokens.reserve(object.size());
    const auto largest = static_cast<std::int64_t>(maxVocabulary) - 1;
    for (const auto& [token, id] : object.items()) {
        if (token.size() > maxTokenBytes)
            throw Error(node.path() + ": expected tokens of at most " + std::to_string(maxTokenBytes) +
                        " bytes, found one of " + std::to_string(token.size()));
        const bool good = id.is_number_unsigned() && id.get<std::uint64_t>() <= static_cast<std::uint64_t>(largest);
        if (!good) JsonNode(id, node.path() + ".\"" + token.substr(0, 40) + "\"").integer(0, largest);
        add(token, id.get<int>());
    }
}

void Vocabulary::add(std::string token, int id) {
    const auto index = static_cast<std::size_t>(id);
    const auto entry = m_ids.insert_or_assign(std::move(token), id).first;
    if (index >= m_tokens.size()) m_tokens.resize(index + 1, nullptr);
    if (!m_tokens[index]) m_tokens[index] = &entry->first;
}

std::optional<int> Vocabulary::idOf(std::string_view token) const {
    const auto found = m_ids.find(token);
    return found == m_ids.end() ? std::nullopt : std::optional(found->second);
}

const std::string* Vocabulary::tokenOf(int id) const {
    return id >= 0 && id < idEnd() ? m_tokens[static_cast<std::size_t>(id)] : nullptr;
}

}  // namespace fovea::text
