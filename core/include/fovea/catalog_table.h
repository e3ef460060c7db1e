#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fovea/error.h"
#include "fovea/suggestion.h"

namespace fovea {

/// An ordered table of entries with unique ids.
template <typename Entry>
class EntryTable {
public:
    /// `kind` is what messages call an entry: "analysis", "painter".
    explicit EntryTable(std::string kind = "entry") : m_kind(std::move(kind)) {}

    /// Adds an entry; throws Error (Internal) when its id is taken.
    void add(Entry entry) {
        if (find(entry.info.id))
            throw Error("two catalogue entries are called " + entry.info.id, {}, ErrorCode::Internal);
        m_entries.push_back(std::move(entry));
    }
    const std::vector<Entry>& all() const { return m_entries; }
    /// The entry of that id, or null.
    const Entry* find(const std::string& id) const {
        for (const Entry& entry : m_entries)
            if (entry.info.id == id) return &entry;
        return nullptr;
    }
    /// The entry of that id; throws Error (Usage) that says what was probably meant and lists what there is.
    const Entry& get(const std::string& id) const {
        if (const Entry* entry = find(id)) return *entry;
        std::vector<std::string> known;
        for (const Entry& entry : m_entries) known.push_back(entry.info.id);
        throw Error("there is no " + m_kind + " called \"" + id + "\"", suggestionHint(id, known),
                    ErrorCode::Usage);
    }

private:
    std::string m_kind;
    std::vector<Entry> m_entries;
};

}  // namespace fovea
