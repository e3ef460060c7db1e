#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fovea/analysis.h"
#include "fovea/catalog.h"
#include "fovea/viz/painter.h"
#include "fovea/viz/picture.h"
#include "session.h"

namespace fovea {

/// Reads a picture file into upright RGB; the core build reads binary PPM, the full build everything viz/codec reads.
using ImageReader = std::function<Pixels(const std::filesystem::path&)>;

/// The results of one analysis on one item.
struct AnalysisResult {
    std::vector<Finding> findings;
    std::vector<std::string> notices;
};

/// A drawn picture with everything that its file's metadata says.
struct PictureResult {
    viz::Picture picture;
    std::string recipe;    ///< the one-line recipe
    std::string document;  ///< the session JSON that makes this picture again
};

/// Plans and executes sessions: loads, encodes, runs, analyses and paints, keeping results by content key so that a
/// changed session recomputes only what the change can affect (ARCHITECTURE.md §4). Not thread safe: one compute thread
/// owns it. Results are immutable and may be handed to any thread.
class Engine {
public:
    Engine(std::shared_ptr<const Catalog> catalog, std::shared_ptr<const viz::PainterCatalog> painters,
           ImageReader reader);
    ~Engine();

    std::shared_ptr<const Model> model(const Session& session, const JobContext& job);
    std::shared_ptr<const ModelInput> input(const Session& session, const JobContext& job);
    /// What the session's next run will take beside the weights; loads and encodes when need be.
    MemoryEstimate estimate(const Session& session, const JobContext& job);
    /// The main run of one item with the session's edits and at least `capture`.
    std::shared_ptr<const RunResult> run(const Session& session, int item, const CaptureRequest& capture,
                                         const JobContext& job);
    std::shared_ptr<const AnalysisResult> analyse(const Session& session, int analysis, int item,
                                                  const JobContext& job);
    std::shared_ptr<const PictureResult> paint(const Session& session, int picture, int item, const JobContext& job);

    const Catalog& catalog() const;
    const viz::PainterCatalog& painters() const;

private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

}  // namespace fovea
