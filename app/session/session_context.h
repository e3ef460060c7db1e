#pragma once

#include <memory>

#include "engine_state.h"

namespace fovea {

/// What an analysis sees of an engine: the main run, and further runs through the engine's cache.
class SessionContext final : public AnalysisContext {
public:
    /// Everything referred to must outlive the analysis.
    SessionContext(Engine::Impl& engine, const Session& session, int item,
                   std::shared_ptr<const RunResult> run, std::shared_ptr<const Generation> answer, JobContext job);

    const Model& model() const override { return *m_model; }
    const ModelInput& input() const override { return *m_input; }
    int item() const override { return m_item; }
    const AttentionTrace& trace() const override { return *m_run->trace; }
    RunResult run(const RunSpec& spec) override;
    RunSpec baseSpec() const override;
    const Generation* answer() const override { return m_answer.get(); }
    const JobContext& job() const override { return m_job; }
    std::uint64_t seed() const override { return m_session.seed; }

private:
    Engine::Impl& m_engine;
    const Session& m_session;
    int m_item;
    std::shared_ptr<const RunResult> m_run;
    std::shared_ptr<const Generation> m_answer;
    JobContext m_job;
    std::shared_ptr<const Model> m_model;
    std::shared_ptr<const ModelInput> m_input;
    EditPlan m_edits;
};

}  // namespace fovea
