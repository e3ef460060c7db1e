#include "session_context.h"

namespace fovea {

SessionContext::SessionContext(Engine::Impl& engine, const Session& session, int item,
                               std::shared_ptr<const RunResult> run, std::shared_ptr<const Generation> answer,
                               JobContext job)
    : m_engine(engine), m_session(session), m_item(item), m_run(std::move(run)), m_answer(std::move(answer)),
      m_job(std::move(job)) {
    // Only cancellation reaches these: everything is cached, and their progress is not this analysis's.
    const JobContext silent(m_job.stopToken());
    m_model = m_engine.openedModel(session, silent);
    m_input = m_engine.encodedInput(session, silent);
    m_edits = m_engine.plan(session, session.edits, item, silent);
}

RunResult SessionContext::run(const RunSpec& spec) {
    return *m_engine.extraRun(m_session, m_item, spec, JobContext(m_job.stopToken()));
}

RunSpec SessionContext::baseSpec() const {
    RunSpec spec;
    spec.item = m_item;
    spec.edits = m_edits;
    spec.capture = {};
    spec.budget = m_engine.budget(m_session);
    spec.adapterStrengths = adapterStrengths(m_session.model);
    return spec;
}

}  // namespace fovea
