#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flags.h"
#include "fovea/catalog.h"
#include "fovea/intervention.h"
#include "session/session.h"

namespace fovea::cli {

/// The flags that every subcommand takes (PRODUCT.md §4, "all").
struct CommonOptions {
    std::string device = "auto";
    std::string dtype = "auto";
    std::string budget;
    std::vector<std::string> edits;  ///< ID{"param":...}
    std::vector<std::string> adapters;  ///< DIR or DIR:STRENGTH
    int threads = 0;
    bool quiet = false;
    bool json = false;
};

/// The INPUT flags.
struct InputOptions {
    std::vector<std::string> images;
    std::string video, prompt, chat, tensors;
    bool rawPrompt = false;
    bool promptGiven = false;  ///< also an empty one
    std::uint64_t seed = 0;
    int maxNewTokens = 0, steps = 0;
    double guidance = 0;
    double repetitionPenalty = 0;  ///< 0: as the model's own files say
    Sampling sampling;
};

/// Adds the common flags to a subcommand.
void addCommonOptions(Flags& command, CommonOptions& options);

/// Adds the INPUT flags to a subcommand.
void addInputOptions(Flags& command, InputOptions& options);

/// A session of a model and an input with the common options, edits checked against the catalogue. Throws
/// Error (Usage) on a bad edit and (Input) on kinds of input that no family of models takes.
Session sessionFor(const std::string& model, const InputOptions& input, const CommonOptions& common,
                   const Catalog& catalog);

/// The adapters that the command line names; throws Error (Usage).
std::vector<AdapterChoice> adaptersOf(const CommonOptions& options);

/// Reads ID{"param":...}; throws Error (Usage) naming what is wrong.
Intervention parseEdit(const std::string& text, const InterventionCatalog& catalog);

/// Reads K=V texts as parameters of an entry, keeping what differs from the defaults; throws Error (Usage).
nlohmann::json parseParams(const EntryInfo& owner, const std::vector<std::string>& texts, const char* flag);

}  // namespace fovea::cli
