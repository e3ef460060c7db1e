#include <fmt/format.h>

#include <memory>

#include "command.h"
#include "fovea/error.h"
#include "fovea/run.h"
#include "usual_input.h"

namespace fovea::cli {
namespace {

// What a run on a picture of the configured size, or on a short text, takes, when everything attention statistics
// need is recorded. What such an input remarks goes to `notices`.
std::optional<MemoryEstimate> estimateOf(const Model& model, std::vector<std::string>& notices) {
    if (!model.spec().capabilities.forward || !model.spec().weights.complete()) return {};
    UserInput input;
    if (takesPictures(model.spec())) input.images.emplace_back(224, 224);
    if (needsText(model.spec())) input.prompt = "What colour is the star?";
    CaptureRequest capture;
    capture.qkv = true;
    try {
        const auto encoded = model.encode(input);
        notices.insert(notices.end(), encoded->notices.begin(), encoded->notices.end());
        return model.estimate(*encoded, capture, false);
    } catch (const Error&) {
        // A folder may lack the tokenizer; everything else can be said.
        if (!needsText(model.spec())) throw;
        return {};
    }
}

std::string listed(const char* what, const std::vector<std::string>& names) {
    std::string text = fmt::format("  {:<12} {}\n", what, names.size());
    for (std::size_t i = 0; i < names.size() && i < 20; ++i) text += "    " + names[i] + "\n";
    if (names.size() > 20) text += fmt::format("    ... and {} more (--json lists all)\n", names.size() - 20);
    return text;
}

std::string weightText(const WeightReport& weights) {
    std::string text = fmt::format("weights\n  {:<12} {}\n", "loaded", weights.loaded);
    text += listed("missing", weights.missing) + listed("unexpected", weights.unexpected);
    std::vector<std::string> misshaped;
    for (const MisshapedWeight& weight : weights.misshaped)
        misshaped.push_back(fmt::format("{}: expected [{}], found [{}]", weight.name,
                                        fmt::join(weight.expected, ", "), fmt::join(weight.found, ", ")));
    text += listed("misshaped", misshaped);
    std::vector<std::string> mistyped;
    for (const MistypedWeight& weight : weights.mistyped)
        mistyped.push_back(fmt::format("{} in {}: {}", weight.name, weight.file, weight.found));
    text += listed("mistyped", mistyped);
    for (const std::string& notice : weights.notices) text += "  note: " + notice + "\n";
    return text;
}

std::string infoText(const ModelSpec& spec, const std::optional<MemoryEstimate>& estimate) {
    std::string text =
        fmt::format("{}\nfamily {}, model_type {}, architecture {}\n{} parameters, {} -> {} on {}\n",
                    spec.source, spec.family, spec.modelType, spec.architecture, spec.parameters,
                    spec.storedDtype, spec.computeDtype, spec.device);
    text += "stages\n";
    for (const StageSpec& stage : spec.stages)
        text += fmt::format(
            "  {:<12} {} layers, hidden {}, grid {} x {}, prefix tokens: {}\n", stage.id, stage.layers,
            stage.hidden, stage.gridRows, stage.gridColumns,
            stage.prefixTokens.empty() ? "none" : fmt::format("{}", fmt::join(stage.prefixTokens, ", ")));
    text += "sites\n";
    for (const AttentionSite& site : spec.sites)
        text += fmt::format("  {:<28} {} heads ({} of keys) x {}{}  {}\n", site.address(), site.heads,
                            site.keyValueHeads, site.headDim, site.causal ? ", causal" : "", site.module);
    text += weightText(spec.weights);
    if (estimate)
        text += fmt::format("memory\n  weights {}, a run on {} that records Q, K, V {}\n",
                            formatBytes(estimate->weights), takesPictures(spec) ? "one picture" : "a short text",
                            formatBytes(estimate->run()));
    return text;
}

int run(Toolbox& toolbox, const std::string& reference) {
    const auto model = toolbox.openedModel(reference, false);
    ModelSpec spec = model->spec();
    const std::optional<MemoryEstimate> estimate = estimateOf(*model, spec.weights.notices);
    if (!toolbox.options().json) {
        toolbox.print(infoText(spec, estimate));
        return exitDone;
    }
    nlohmann::ordered_json json = toJson(spec);
    if (estimate)
        json["memory"] = {{"weights", estimate->weights},
                          {"activations", estimate->activations},
                          {"capture", estimate->capture},
                          {"available", availableMemory()}};
    toolbox.printJson(json);
    return exitDone;
}

}  // namespace

void addInfo(Flags& app, Command& command) {
    Flags sub = app.subcommand("info", "stages, sites, shapes, dtype, weight report, memory estimate");
    auto model = std::make_shared<std::string>();
    sub.option("MODEL", *model, "what to open").required();
    sub.whenChosen(
        [&command, model] { command.action = [model](Toolbox& toolbox) { return run(toolbox, *model); }; });
}

}  // namespace fovea::cli
