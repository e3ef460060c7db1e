#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fovea/analysis.h"
#include "fovea/catalog.h"
#include "fovea/generate.h"
#include "fovea/token_map.h"
#include "fovea/video_source.h"
#include "fovea/viz/painter.h"
#include "fovea/viz/picture.h"
#include "session.h"

namespace fovea {

/// Reads a picture file into upright RGB; the core build reads binary PPM, the full build everything
/// viz/codec reads.
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
    std::string finding;   ///< name of the finding that was drawn
    std::string painter;   ///< id of the painter that drew it
    std::pair<double, double> linked{0, 0};  ///< range of a linked scale; both 0 when nothing is scaled so
    std::vector<std::string> notices;        ///< what the run did otherwise than one might expect
};

/// Plans and executes sessions: loads, encodes, runs, analyses and paints, keeping results by content key so
/// that a changed session recomputes only what the change can affect (ARCHITECTURE.md §4). Not thread safe:
/// one compute thread owns it. Results are immutable and may be handed to any thread.
class Engine {
public:
    Engine(std::shared_ptr<const Catalog> catalog, std::shared_ptr<const viz::PainterCatalog> painters,
           ImageReader reader, VideoOpener films = {});
    ~Engine();

    std::shared_ptr<const Model> model(const Session& session, const JobContext& job);
    /// The encoded input; throws Error (Usage) when the session has none and the model needs one.
    std::shared_ptr<const ModelInput> input(const Session& session, const JobContext& job);
    /// What the run of the session's first item will take beside the weights, edits included; loads and encodes when need
    /// be, and runs the unedited model where an edit looks for its tokens in it.
    MemoryEstimate estimate(const Session& session, const JobContext& job);
    /// Bytes that a run of the session may take: its budget, or what the machine offers.
    std::uint64_t budget(const Session& session) const;
    /// The session's enabled edits for one item; detected tokens are found by a run of the unedited model.
    EditPlan edits(const Session& session, int item, const JobContext& job);
    /// The plan of a single edit of the session alone, for counts of the sites it touches.
    EditPlan edit(const Session& session, int index, int item, const JobContext& job);
    /// The main run of one item with the session's edits and at least `capture`; what the session's analyses
    /// need is recorded in the same run. Resumes from an earlier run where a change affects only later
    /// blocks.
    std::shared_ptr<const RunResult> run(const Session& session, int item, const CaptureRequest& capture,
                                         const JobContext& job);
    /// The answer to the session's prompt (SessionInput::maxNewTokens), recorded as its analyses need it; `onToken`
    /// sees every token as it comes, also those of an answer that is there already. `besides` is recorded, too, where it
    /// fits into the budget, so that what is asked later needs no second answer.
    std::shared_ptr<const Generation> answer(const Session& session, int item, const TokenCallback& onToken,
                                             const JobContext& job, const CaptureRequest& besides = {});
    /// What the tokens of an item are: those of the prompt, and of an answer where the session asks for one.
    std::shared_ptr<const TokenMap> tokens(const Session& session, int item, const JobContext& job);
    std::shared_ptr<const AnalysisResult> analyse(const Session& session, int analysis, int item,
                                                  const JobContext& job);
    std::shared_ptr<const PictureResult> paint(const Session& session, int picture, int item,
                                               const JobContext& job);
    /// Paints the finding of `b` minus that of `a`; throws Error (Usage) when their shapes differ.
    std::shared_ptr<const PictureResult> paintDifference(const Session& a, const Session& b, int picture,
                                                         int item, const JobContext& job);

    /// Forgets all results but not the models, and keeps no checkpoints from now on: after memory ran out.
    void saveMemory();

    const Catalog& catalog() const;
    const viz::PainterCatalog& painters() const;

    struct Impl;  // app/session/engine_state.h

private:
    std::unique_ptr<Impl> m_impl;
};

/// The findings that a picture request is drawn as: one a picture of the prompt where it draws maps and names none
/// of them, the finest view of each in their order; else the one it draws. Empty where none can be drawn.
std::vector<std::string> findingsDrawn(const std::vector<Finding>& findings, const PictureRequest& picture,
                                       const viz::PainterCatalog& painters);

/// The pictures that a request becomes in files: one for each picture of the prompt, the frames of a film side by side, or
/// the request as it is where it names its finding or there is one picture.
std::vector<PictureRequest> picturesDrawn(const SessionInput& input, const PictureRequest& picture,
                                          const std::vector<Finding>& findings, const viz::PainterCatalog& painters);

/// b - a, value by value, as a finding on a diverging scale; throws Error (Usage) when kinds or shapes differ
/// or the kind has no values that could be subtracted.
Finding difference(const Finding& a, const Finding& b);

}  // namespace fovea
