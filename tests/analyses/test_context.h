#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fovea/analysis.h"
#include "fovea/catalog.h"

namespace fovea::test {

/// An AnalysisContext over one model and input that runs everything anew and counts its runs.
class TestContext final : public AnalysisContext {
public:
    TestContext(std::shared_ptr<const Model> model, std::shared_ptr<const ModelInput> input,
                const Needs& needs, EditPlan edits = {}, JobContext job = {})
        : m_model(std::move(model)),
          m_input(std::move(input)),
          m_edits(std::move(edits)),
          m_job(std::move(job)) {
        RunSpec spec = baseSpec();
        spec.capture = needs.capture;
        m_trace = runModel(*m_model, *m_input, spec).trace;
    }

    const Model& model() const override { return *m_model; }
    const ModelInput& input() const override { return *m_input; }
    int item() const override { return 0; }
    const AttentionTrace& trace() const override { return *m_trace; }
    RunResult run(const RunSpec& spec) override {
        ++runs;
        return runModel(*m_model, *m_input, spec, m_job);
    }
    RunSpec baseSpec() const override {
        RunSpec spec;
        spec.edits = m_edits;
        return spec;
    }
    const JobContext& job() const override { return m_job; }
    std::uint64_t seed() const override { return 7; }

    int runs = 0;

private:
    std::shared_ptr<const Model> m_model;
    std::shared_ptr<const ModelInput> m_input;
    EditPlan m_edits;
    JobContext m_job;
    std::shared_ptr<const AttentionTrace> m_trace;
};

/// The finding of that name; fails the test when there is none.
const Finding& named(const std::vector<Finding>& findings, const std::string& name);

/// Runs an analysis with the given parameters (others at their defaults) and exactly what it needs.
std::vector<Finding> analyse(const std::string& id, const std::shared_ptr<const Model>& model,
                             const std::shared_ptr<const ModelInput>& input,
                             const nlohmann::json& params = {}, const EditPlan& edits = {},
                             const JobContext& job = {});

/// Compiles an intervention and drops what changes nothing.
EditPlan compile(const std::string& id, const Model& model, const ModelInput& input,
                 const nlohmann::json& params = {});

}  // namespace fovea::test
