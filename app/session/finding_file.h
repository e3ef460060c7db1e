#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "answer_text.h"
#include "engine.h"
#include "fovea/array.h"
#include "fovea/finding.h"
#include "fovea/token_map.h"

namespace fovea {

/// What one analysis found on one item of an input.
struct ItemFindings {
    int item = 0;
    std::string input;  ///< name of the picture or tensor file
    std::shared_ptr<const AnalysisResult> result;
    std::shared_ptr<const TokenMap> tokens = nullptr;  ///< of the item, its answer included; may be null
    std::optional<AnswerText> answer = std::nullopt;
};

/// The numbers of one analysis, ready to be written.
struct Numbers {
    Session session;
    int analysis = 0;
    std::vector<ItemFindings> items;
    std::string finding;  ///< CSV holds one finding: this one, or the first when empty
    nlohmann::json params = nlohmann::json::object();  ///< of the analysis, with its defaults
};

/// The numbers of the session's analysis on all its items.
Numbers computeNumbers(Engine& engine, const Session& session, int analysis, const JobContext& job);

/// {"version", "analysis", "params" (with defaults), "session" (without), "items": [{"item", "input", "answer" (where there is one),
/// "findings": [...], "notices"}]}.
nlohmann::ordered_json numbersJson(const Numbers& numbers);

/// One finding of every item as CSV, with an item column when there are several. Throws Error (Usage) on an
/// unknown name.
std::string numbersCsv(const Numbers& numbers);

/// A finding as named arrays: values of maps and scores, columns of tables that hold numbers, ...
std::vector<std::pair<std::string, Array>> arraysOf(const Finding& finding);

/// The columns of texts, which arraysOf() leaves out, under the names that their arrays would have.
std::vector<std::string> columnsLeftOut(const Finding& finding);

/// What the axes of arraysOf() stand for, and the columns that it leaves out.
struct FindingLabels {
    std::vector<std::pair<std::string, Array>> tokens;  ///< indices of tokens in their stage
    std::vector<std::pair<std::string, std::vector<std::string>>> texts;
};

/// Under the finding's name: "tokens" and "labels" of scores, "row_tokens", "row_labels", "column_tokens" and
/// "column_labels" of matrices, "planes" of maps, "labels" of the nodes of trees, and every column of texts of a table.
/// Labels only where `tokens` (may be null) knows the stage.
FindingLabels labelsOf(const Finding& finding, const TokenMap* tokens);

/// Writes .json, .csv, .npz or .safetensors by suffix, complete or not at all; arrays of several items are under
/// image<N>/. Labels go beside them: as arrays of Unicode texts in npz, which so leaves no column out; in the metadata
/// of safetensors as "fovea.texts" ({name: texts}), which has no tensors of texts and lists the columns of texts as
/// "fovea.columns_left_out". Throws Error (Usage) for another suffix.
void writeNumbers(const std::filesystem::path& file, const Numbers& numbers);

}  // namespace fovea
