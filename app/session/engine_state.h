#pragma once

#include <list>
#include <memory>
#include <string>
#include <utility>

#include "capture_union.h"
#include "engine.h"
#include "fovea/generate.h"
#include "fovea/run.h"
#include "lru_cache.h"

namespace fovea {

/// What an Engine owns: catalogues, models, results by content key, and the latest runs for resuming.
struct Engine::Impl {
    /// A finished main run of an item: what the next one with other edits resumes from.
    struct Recorded {
        std::string input;  ///< key of input and item, whatever the edits
        std::string key;    ///< with the edits
        CaptureRequest capture;
        std::shared_ptr<const RunResult> run;
    };
    /// An answer with what was recorded of it.
    struct Answered {
        std::string question;  ///< key of everything but the edits
        std::string key;       ///< with the edits
        CaptureRequest capture;
        std::shared_ptr<const Generation> answer;
        std::shared_ptr<const RunResult> run;  ///< its trace, as of any run
    };

    std::shared_ptr<const Catalog> catalog;
    std::shared_ptr<const viz::PainterCatalog> painters;
    ImageReader reader;
    VideoOpener films;
    LruCache results;
    std::list<std::pair<std::string, std::shared_ptr<const Model>>>
        models;                                         ///< the last two, for comparisons
    std::list<std::shared_ptr<const Recorded>> latest;  ///< the last two runs, kept however large they are
    std::list<std::shared_ptr<const Answered>> latestAnswers;  ///< the last two, kept however large they are
    bool checkpoints = true;

    Impl(std::shared_ptr<const Catalog> c, std::shared_ptr<const viz::PainterCatalog> p, ImageReader r, VideoOpener v);

    std::string inputKey(const Session& session) const;
    /// Key of everything that an analysis of an item depends on beside its own parameters.
    std::string itemKey(const Session& session, int item) const;
    std::shared_ptr<const Model> openedModel(const Session& session, const JobContext& job);
    std::shared_ptr<const ModelInput> encodedInput(const Session& session, const JobContext& job);
    std::uint64_t budget(const Session& session) const;
    /// Needs of all analyses of the session; throws Error (Usage) for unknown analyses and bad parameters.
    Needs needs(const Session& session, const ModelSpec& spec) const;
    EditPlan plan(const Session& session, const std::vector<Intervention>& edits, int item,
                  const JobContext& job);
    /// The main run of an item with `edits` that records `needs`, but for what it may resume from.
    RunSpec mainSpec(const Session& session, const std::vector<Intervention>& edits, int item, const Needs& needs,
                     const JobContext& job);
    /// A run that serves `key`, or null.
    std::shared_ptr<const Recorded> recorded(const std::string& key, const CaptureRequest& capture);
    /// A run with `edits` that records `needs`, from the cache where one serves.
    std::shared_ptr<const RunResult> mainRun(const Session& session, const std::vector<Intervention>& edits,
                                             int item, const Needs& needs, const JobContext& job);
    /// The answer to the session's prompt with `edits`, recorded as `needs` say, from the cache where one serves
    /// (app/session/engine_answer.cpp).
    std::shared_ptr<const Answered> answered(const Session& session, const std::vector<Intervention>& edits, int item,
                                             const Needs& needs, const TokenCallback& onToken, const JobContext& job);
    /// The latest answer that one to `spec` can take most over from; null: none.
    std::shared_ptr<const GenerationState> earlierAnswer(const std::string& question, const Model& model,
                                                         const ModelInput& input, GenerateSpec spec) const;
    /// The tokens that results of an item are about: those of its input, and of its answer where it has one.
    std::shared_ptr<const TokenMap> tokens(const Session& session, int item, const JobContext& job);
    /// A further run that an analysis asked for.
    std::shared_ptr<const RunResult> extraRun(const Session& session, int item, const RunSpec& spec,
                                              const JobContext& job);
    /// Throws Error (Memory) where a run with gradients would take more than the budget and more than the main run.
    void requireGradientRuns(const Session& session, int item, const Needs& needs, const JobContext& job);
    std::shared_ptr<const AnalysisResult> analysis(const Session& session, int index, int item,
                                                   const JobContext& job);
};

/// Throws Error (Usage) when `index` is outside 0..count-1; `what` names it.
void checkIndex(int index, std::size_t count, const char* what);

}  // namespace fovea
