#pragma once

#include <filesystem>
#include <string>

#include "fovea/run.h"
#include "session.h"

namespace fovea {

/// Texts that are equal exactly when what they stand for is: own parameters plus the keys of everything
/// upstream.
namespace content_key {

/// A file by its path, size and time of change; "absent" where there is none.
std::string ofFile(const std::filesystem::path& file);
/// Files, device, dtype and adapter files of the model.
std::string ofModel(const ModelChoice& choice);
/// How strongly the model's adapters count; their files belong to the model.
std::string ofStrengths(const ModelChoice& choice);
/// The input files and texts, without the model.
std::string ofInput(const SessionInput& input);
/// What an answer depends on beside the input; empty where none is wanted.
std::string ofAnswer(const SessionInput& input, std::uint64_t seed);
/// The enabled edits in order.
std::string ofEdits(const std::vector<Intervention>& edits);
/// Everything in a RunSpec that its result depends on.
std::string ofRun(const RunSpec& spec);

}  // namespace content_key
}  // namespace fovea
