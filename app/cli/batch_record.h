#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "session/answer_text.h"
#include "session/batch.h"
#include "session_outputs.h"

namespace fovea::cli {

/// A file that was written for an item, as it was when it was complete.
struct WrittenFile {
    std::string name;  ///< relative to the item's folder
    std::uint64_t size = 0;
    std::string sha256;
};

/// What is kept of a finished item of a batch; its presence says that all files of the item were complete.
struct BatchRecord {
    std::string key;  ///< resumeKey() of the item's session
    std::string input;
    Prediction prediction;
    std::string prompt;
    std::optional<AnswerText> answer;
    std::vector<std::pair<std::string, double>> metrics;  ///< "attention_from.map mean", ...
    std::vector<WrittenFile> files;
};

/// The record of an item's folder; nothing when there is none or it cannot be read.
std::optional<BatchRecord> readRecord(const std::filesystem::path& folder);
void writeRecord(const std::filesystem::path& folder, const BatchRecord& record);

/// A file of an item's folder with its size and hash; throws Error (Input) when it cannot be read.
WrittenFile writtenFile(const std::filesystem::path& folder, const std::string& name);

/// Whether every file of the record is there with the bytes that were written.
bool intact(const std::filesystem::path& folder, const BatchRecord& record);

/// Prediction or answer, and the smallest, mean and largest value of every map and score of a session with one input.
BatchRecord measured(Toolbox& toolbox, const BatchItem& item, const JobContext& job);

/// The table of a batch: its text, and the items whose folders hold results of another session, which have no row.
struct BatchTable {
    std::string csv;
    std::vector<std::string> foreign;
};

/// One row per item that is finished with its session as it is now, of whichever shard: input, prediction (empty without
/// a classifier), metrics, prompt and answer (empty without one).
BatchTable metricsTable(const std::vector<BatchItem>& items, const std::filesystem::path& folder);

}  // namespace fovea::cli
