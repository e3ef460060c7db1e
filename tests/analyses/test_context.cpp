#include "analyses/test_context.h"

#include <doctest/doctest.h>

namespace fovea::test {

const Finding& named(const std::vector<Finding>& findings, const std::string& name) {
    for (const Finding& finding : findings)
        if (finding.name == name) return finding;
    FAIL("no finding called " << name);
    return findings.front();
}

std::vector<Finding> analyse(const std::string& id, const std::shared_ptr<const Model>& model,
                             const std::shared_ptr<const ModelInput>& input, const nlohmann::json& params,
                             const EditPlan& edits, const JobContext& job) {
    static const Catalog catalog = makeCatalog();
    const AnalysisEntry& entry = catalog.analyses.get(id);
    const nlohmann::json checked = checkedParams(entry.info, params);
    TestContext context(model, input, entry.needs(model->spec(), checked), edits, job);
    return entry.compute(context, checked);
}

EditPlan compile(const std::string& id, const Model& model, const ModelInput& input,
                 const nlohmann::json& params) {
    static const Catalog catalog = makeCatalog();
    const InterventionEntry& entry = catalog.interventions.get(id);
    std::shared_ptr<const AttentionTrace> unedited;
    const auto record = [&]() -> const AttentionTrace& {
        RunSpec spec;
        spec.capture.qkv = true;
        if (!unedited) unedited = runModel(model, input, spec).trace;
        return *unedited;
    };
    EditPlan plan;
    entry.compile({model.spec(), input.maps.front(), record}, checkedParams(entry.info, params), plan);
    plan.dropIdentities();
    return plan;
}

}  // namespace fovea::test
