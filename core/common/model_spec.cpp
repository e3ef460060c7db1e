#include <algorithm>
#include <nlohmann/json.hpp>

#include "fovea/error.h"
#include "fovea/model.h"

namespace fovea {
namespace {

nlohmann::json toJson(const StageSpec& stage) {
    return {{"id", stage.id},
            {"layers", stage.layers},
            {"hidden", stage.hidden},
            {"grid", {stage.gridRows, stage.gridColumns}},
            {"prefix_tokens", stage.prefixTokens}};
}

nlohmann::json toJson(const AttentionSite& site) {
    nlohmann::json out = {{"address", site.address()},        {"kind", siteKindName(site.kind)},
                          {"heads", site.heads},              {"key_value_heads", site.keyValueHeads},
                          {"head_dim", site.headDim},         {"causal", site.causal},
                          {"module", site.module}};
    if (!site.keyStage.empty()) out["key_stage"] = site.keyStage;
    return out;
}

nlohmann::json toJson(const WeightReport& report) {
    nlohmann::json misshaped = nlohmann::json::array();
    for (const MisshapedWeight& weight : report.misshaped)
        misshaped.push_back({{"name", weight.name}, {"expected", weight.expected}, {"found", weight.found}});
    nlohmann::json mistyped = nlohmann::json::array();
    for (const MistypedWeight& weight : report.mistyped)
        mistyped.push_back({{"name", weight.name}, {"file", weight.file}, {"found", weight.found}});
    return {{"loaded", report.loaded},
            {"missing", report.missing},
            {"unexpected", report.unexpected},
            {"misshaped", misshaped},
            {"mistyped", mistyped},
            {"notices", report.notices}};
}

}  // namespace

Array Model::readOut(const Array&) const {
    throw Error("this model has no head over a vocabulary", "choose a language or vision-language model", ErrorCode::Usage);
}

namespace {

[[noreturn]] void rejectWriting(const ModelSpec& spec) {
    throw Error(spec.source + ": " + spec.architecture + " does not generate text",
                "choose a model with a text side: fovea-cli families lists them", ErrorCode::Usage);
}

}  // namespace

void Model::runNext(const ModelInput&, int, const std::vector<int>&, Forward&) const { rejectWriting(spec()); }

std::shared_ptr<ModelInput> Model::withAnswer(const ModelInput&, int, const std::vector<int>&) const {
    rejectWriting(spec());
}

std::vector<std::int64_t> Model::sampleFrames(const VideoTiming&) const {
    throw Error("--video: " + spec().architecture + " (" + spec().family + ") reads no films",
                "Give single frames with --image, or a model that takes films: fovea-cli families lists them.");
}

std::string Model::tokenText(int id) const { return "<" + std::to_string(id) + ">"; }

int ModelSpec::siteIndex(const std::string& address) const {
    for (std::size_t i = 0; i < sites.size(); ++i)
        if (sites[i].address() == address) return static_cast<int>(i);
    return -1;
}

const StageSpec& ModelSpec::stage(const std::string& id) const {
    for (const StageSpec& candidate : stages)
        if (candidate.id == id) return candidate;
    std::string known;
    for (const StageSpec& candidate : stages) known += (known.empty() ? "" : ", ") + candidate.id;
    throw Error("the model has no stage \"" + id + "\"", "its stages: " + known, ErrorCode::Usage);
}

std::vector<int> ModelSpec::sitesOfStage(const std::string& id) const {
    std::vector<int> found;
    for (std::size_t i = 0; i < sites.size(); ++i)
        if (sites[i].stage == id) found.push_back(static_cast<int>(i));
    return found;
}

std::string ModelSpec::usualStage() const {
    const auto attends = [&](const std::string& id) {
        return std::any_of(sites.begin(), sites.end(),
                           [&](const AttentionSite& site) { return site.stage == id && site.overOwnTokens(); });
    };
    // A model that answers is asked where its answer looks.
    if (answers() && attends("text")) return "text";
    if (attends("vision")) return "vision";
    for (const StageSpec& candidate : stages)
        if (attends(candidate.id)) return candidate.id;
    return {};
}

nlohmann::json toJson(const ModelSpec& spec) {
    nlohmann::json stages = nlohmann::json::array(), sites = nlohmann::json::array();
    for (const StageSpec& stage : spec.stages) stages.push_back(toJson(stage));
    for (const AttentionSite& site : spec.sites) sites.push_back(toJson(site));
    nlohmann::json out = {{"family", spec.family},
            {"model_type", spec.modelType},
            {"architecture", spec.architecture},
            {"dtype", spec.storedDtype},
            {"compute_dtype", spec.computeDtype},
            {"device", spec.device},
            {"source", spec.source},
            {"parameters", spec.parameters},
            {"weight_bytes", spec.weightBytes},
            {"stages", stages},
            {"sites", sites},
            {"inputs", spec.inputs},
            {"labels", spec.labels},
            {"capabilities",
             {{"forward", spec.capabilities.forward},
              {"gradient", spec.capabilities.gradient},
              {"edit", spec.capabilities.edit},
              {"resume", spec.capabilities.resume},
              {"generate", spec.capabilities.generate}}},
            {"weights", toJson(spec.weights)}};
    if (nlohmann::json rules = toJson(spec.generation); !rules.empty()) out["generation"] = std::move(rules);
    return out;
}

}  // namespace fovea
