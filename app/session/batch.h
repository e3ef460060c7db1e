#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "session.h"

namespace fovea {

/// One input of a batch: the session with that input, and a name that is unique within the batch and safe as
/// a folder.
struct BatchItem {
    std::string name;
    Session session;
};

/// One item per picture file of a folder, by name; hidden files and files without a picture's suffix are left
/// out. Throws Error (Input) when there is none.
std::vector<BatchItem> batchOfFolder(const Session& session, const std::filesystem::path& folder);

/// One item per row of a CSV file with a header line: `image` (relative to the file, or scene:SEED) and, if
/// wanted, `name` and `seed`. Throws Error (Input) naming the line.
std::vector<BatchItem> batchOfManifest(const Session& session, const std::filesystem::path& manifest);

/// Part I of N: every N-th item from the I-th on, counted from 1.
struct Shard {
    int index = 1, count = 1;
    /// Reads "I/N"; throws Error (Usage).
    static Shard parse(const std::string& text);
    bool holds(std::size_t position) const {
        return position % static_cast<std::size_t>(count) == static_cast<std::size_t>(index - 1);
    }
};

/// Hash of a session and of the sizes and times of the files it reads: results of equal keys are equal.
std::string resumeKey(const Session& session);

/// Rows of a CSV text (RFC 4180: quotes, line ends inside quotes); `source` begins messages.
std::vector<std::vector<std::string>> parseCsv(const std::string& text, const std::string& source);

}  // namespace fovea
