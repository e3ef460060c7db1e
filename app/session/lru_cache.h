#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

namespace fovea {

/// Immutable values by content key, the least recently used dropped when their bytes exceed a limit. A value
/// larger than the limit is not kept. Keys of different types must differ.
class LruCache {
public:
    explicit LruCache(std::uint64_t maxBytes) : m_maxBytes(maxBytes) {}

    template <typename T>
    std::shared_ptr<const T> find(const std::string& key) {
        const auto found = m_index.find(key);
        if (found == m_index.end()) return {};
        m_entries.splice(m_entries.begin(), m_entries, found->second);
        return std::static_pointer_cast<const T>(found->second->value);
    }

    template <typename T>
    std::shared_ptr<const T> put(const std::string& key, std::shared_ptr<const T> value,
                                 std::uint64_t bytes) {
        erase(key);
        if (bytes > m_maxBytes) return value;
        m_entries.push_front({key, value, bytes});
        m_index[key] = m_entries.begin();
        m_bytes += bytes;
        while (m_bytes > m_maxBytes) erase(std::string(m_entries.back().key));
        return value;
    }

    void clear() {
        m_entries.clear();
        m_index.clear();
        m_bytes = 0;
    }
    std::uint64_t bytes() const { return m_bytes; }
    std::uint64_t limit() const { return m_maxBytes; }

private:
    struct Entry {
        std::string key;
        std::shared_ptr<const void> value;
        std::uint64_t bytes = 0;
    };

    void erase(const std::string& key) {
        const auto found = m_index.find(key);
        if (found == m_index.end()) return;
        m_bytes -= found->second->bytes;
        m_entries.erase(found->second);
        m_index.erase(found);
    }

    std::list<Entry> m_entries;
    std::unordered_map<std::string, std::list<Entry>::iterator> m_index;
    std::uint64_t m_maxBytes = 0, m_bytes = 0;
};

}  // namespace fovea
