#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fovea/run.h"
#include "toolbox.h"

namespace fovea::cli {

/// Which files a session's outputs become, beside the numbers of every analysis as JSON.
struct OutputPlan {
    std::filesystem::path folder;
    std::vector<std::string> alsoAs;  ///< further picture suffixes (".svg")
};

/// Computes everything of a session and writes its pictures and numbers; returns the paths in order. Pictures
/// without a file name get one from their number and analysis. Throws Error (Input) for names that leave the
/// folder.
std::vector<std::filesystem::path> writeOutputs(Toolbox& toolbox, const Session& session,
                                                const OutputPlan& plan, const JobContext& job);

/// Throws what writeOutputs() would throw for the session's names and catalogue entries, before anything is
/// computed.
void checkOutputs(Toolbox& toolbox, const Session& session);

/// Which attention routes served a run and why others declined, for `--json` output.
nlohmann::ordered_json routesJson(const RunResult& run);
/// The same of the session's main run of its first item.
nlohmann::ordered_json routesJson(Toolbox& toolbox, const Session& session, const JobContext& job);

/// The most probable class of an item; empty label without a classifier.
struct Prediction {
    std::string label;
    int index = -1;
    double probability = 0;
    double logit = 0;
};

/// The `count` most probable classes of a trace that recorded its outputs, best first; empty without logits.
std::vector<Prediction> predictions(const AttentionTrace& trace, int count);

}  // namespace fovea::cli
