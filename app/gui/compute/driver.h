#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "compute/box_query.h"
#include "compute/offer.h"
#include "compute/text_answer.h"
#include "fovea/capture.h"
#include "fovea/job_context.h"
#include "fovea/model.h"
#include "session/engine.h"
#include "session/session.h"

namespace fovea::gui {

/// The kind of a result that is no finding of its own: maps of several pictures side by side.
inline constexpr const char* sheetKind = "Sheet";

/// What an analysis offers to draw.
struct FindingOffer {
    std::string name, title, kind;
    int steps = 0;  ///< of its time axis (fixations of a path); 0 where it has none
};

/// Per head of one attention site, means over its rows: the share on the head's own sinks (keys that draw more than five
/// times their uniform share), the entropy in nats, and the share on tokens of the image (NaN where no key is one).
struct SiteSummary {
    int site = 0;  ///< index into ModelSpec::sites
    std::vector<double> sinkMass, entropy, imageShare;
};

/// A class that the model sees in the picture.
struct Answer {
    std::string label;
    double probability = 0;
};

/// What the next run takes, beside what the machine offers.
struct MemoryOutlook {
    MemoryEstimate estimate;
    std::uint64_t available = 0;  ///< the session's budget, or what the machine offers
};

/// The waist between the window and everything that computes: blocking calls, made on one thread only. The
/// window sees nothing else of models and engines, so a scripted driver stands in for them in tests. Every
/// call may throw Error or Cancelled.
class Driver {
public:
    virtual ~Driver() = default;
    virtual const Offer& offer() const = 0;
    virtual std::shared_ptr<const ModelSpec> model(const Session& session, const JobContext& job) = 0;
    virtual std::shared_ptr<const ModelInput> input(const Session& session, const JobContext& job) = 0;
    virtual MemoryOutlook outlook(const Session& session, const JobContext& job) = 0;
    virtual std::vector<FindingOffer> findings(const Session& session, int analysis, int item,
                                               const JobContext& job) = 0;
    virtual std::shared_ptr<const PictureResult> paint(const Session& session, int picture, int item,
                                                       const JobContext& job) = 0;
    /// The finding of `b` minus that of `a`, drawn on a diverging map around 0; both must have the same
    /// shape.
    virtual std::shared_ptr<const PictureResult> paintDifference(const Session& a, const Session& b,
                                                                 int picture, int item,
                                                                 const JobContext& job) = 0;
    virtual std::vector<SiteSummary> summary(const Session& session, int item, const JobContext& job) = 0;
    /// The model's answer, most probable class first, at most five; empty for models without classes.
    virtual std::vector<Answer> answers(const Session& session, int item, const JobContext& job) = 0;
    /// The answer to the session's prompt; `onToken` sees every token as it comes. Stopped, it gives what there is.
    virtual std::shared_ptr<const TextAnswer> answer(const Session& session, int item, const AnswerCallback& onToken,
                                                     const JobContext& job) = 0;
    /// How much the tokens read the box that the session asks about; null when it asks about none.
    virtual std::shared_ptr<const BoxReaders> readers(const Session& session, int item, const JobContext& job) = 0;
    /// How many attention sites each edit of the session touches, in list order.
    virtual std::vector<int> sitesTouched(const Session& session, int item, const JobContext& job) = 0;
    /// Writes the picture (png, svg, pdf) or its numbers (json, csv, npz, safetensors), by the file's
    /// extension.
    virtual void exportPicture(const Session& session, int picture, int item,
                               const std::filesystem::path& file, const JobContext& job) = 0;
    /// Lets go of what can be computed again: memory ran out.
    virtual void saveMemory() = 0;
};

}  // namespace fovea::gui
