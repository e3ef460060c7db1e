#include "common_options.h"

#include <fmt/format.h>


#include "fovea/capture.h"
#include "fovea/error.h"
#include "fovea/suggestion.h"

namespace fovea::cli {

namespace {

// Kinds of input that the command line knows but no family of models takes.
void refuseUnserved(const InputOptions& input) {
    const auto refuse = [](const char* flag, const char* needs) {
        throw Error(
            fmt::format("{}: expected a model that takes {}, found none among the families", flag, needs),
            "fovea-cli families lists what can be opened; pictures go in with --image");
    };
    if (input.steps > 0) refuse("--steps", "denoising steps");
    if (input.guidance > 0) refuse("--guidance", "guided denoising");
}

}  // namespace

void addCommonOptions(Flags& command, CommonOptions& options) {
    const std::string group = "Common";
    command.option("--device", options.device, "auto, cpu, cuda or cuda:N")
        .typeName("DEVICE")
        .group(group);
    command.option("--dtype", options.dtype, "auto, float32, bfloat16 or float16")
        .oneOf({"auto", "float32", "bfloat16", "float16"})
        .typeName("DTYPE")
        .group(group);
    command.option("--budget", options.budget, "memory that a run may take beside the weights, such as 4GiB: activations, recording, "
                    "gradients; without it what the machine has free")
        .typeName("BYTES")
        .group(group);
    command.option("--edit", options.edits,
                    "intervention ID{\"param\":...}; repeat for several, applied in order")
        .typeName("EDIT")
        .oneAtATime()
        .group(group);
    command.option("--adapter", options.adapters,
                    "PEFT adapter (LoRA, rsLoRA, DoRA): DIR, or DIR:STRENGTH with 0 for the base model and 1 as trained; "
                    "repeat for several")
        .typeName("DIR[:STRENGTH]")
        .oneAtATime()
        .group(group);
    command.option("--threads", options.threads, "threads that compute (0: as the machine offers)")
        .range(0, 4096)
        .typeName("N")
        .group(group);
    command.flag("--quiet", options.quiet, "no progress and no remarks on standard error").group(group);
    command.flag("--json", options.json, "results and errors as JSON on standard output").group(group);
}

void addInputOptions(Flags& command, InputOptions& options) {
    const std::string group = "Input";
    command.option("--image", options.images,
                    "picture file, or scene:SEED for a drawn one; repeat for several")
        .typeName("FILE")
        .oneAtATime()
        .group(group);
    command.option("--video", options.video, "film, or a folder of its frames; the model's processor takes its share of them")
        .typeName("FILE")
        .group(group);
    command.option("--prompt", options.prompt, "text for the model, put into its chat template")
        .typeName("TEXT")
        .group(group)
        .marks(options.promptGiven);
    command.flag("--raw-prompt", options.rawPrompt, "the prompt as it is, without the chat template").group(group);
    command.option("--chat", options.chat, "conversation as JSON").typeName("FILE").group(group);
    command.option("--tensors", options.tensors,
                    "input tensors under their Hugging Face names (safetensors)")
        .typeName("FILE")
        .group(group);
    command.option("--max-new-tokens", options.maxNewTokens, "the longest answer in tokens")
        .atLeast(1)
        .typeName("N")
        .group(group);
    command.option("--temperature", options.sampling.temperature, "draw tokens instead of taking the likeliest (0)")
        .range(0.0, 1000.0)
        .typeName("X")
        .group(group);
    command.option("--top-k", options.sampling.topK, "draw among the K likeliest tokens").atLeast(1).typeName("K").group(group);
    command.option("--top-p", options.sampling.topP, "draw among the likeliest tokens of this share")
        .range(0.0, 1.0)
        .typeName("P")
        .group(group);
    command.option("--repetition-penalty", options.repetitionPenalty,
                    "makes tokens that are there less likely (1: does not); without it the model's generation_config.json decides")
        .range(1e-3, 1000.0)
        .typeName("X")
        .group(group);
    // Known, but of no use to any family yet: an empty group keeps them out of the help.
    command.option("--steps", options.steps, "denoising steps").atLeast(1).typeName("N").group("");
    command.option("--guidance", options.guidance, "guidance scale").typeName("X").group("");
    command.option("--seed", options.seed, "seed of everything random").typeName("N").group(group);
}

Session sessionFor(const std::string& model, const InputOptions& input, const CommonOptions& common,
                   const Catalog& catalog) {
    refuseUnserved(input);
    Session session;
    session.model.reference = model;
    session.model.device = common.device;
    session.model.dtype = common.dtype;
    session.model.adapters = adaptersOf(common);
    session.input.images = input.images;
    session.input.video = input.video;
    session.input.tensors = input.tensors;
    session.input.prompt = input.prompt;
    session.input.rawPrompt = input.rawPrompt;
    session.input.chat = input.chat;
    session.input.maxNewTokens = input.maxNewTokens;
    session.input.sampling = input.sampling;
    if (input.repetitionPenalty > 0) session.input.sampling.repetitionPenalty = input.repetitionPenalty;
    // To choose among the likeliest is to draw.
    const bool narrowed = input.sampling.topK > 0 || input.sampling.topP < 1;
    if (narrowed && input.sampling.temperature == 0) session.input.sampling.temperature = 1;
    session.seed = input.seed;
    session.budget = common.budget;
    if (!common.budget.empty()) parseBytes(common.budget);
    for (const std::string& edit : common.edits)
        session.edits.push_back(parseEdit(edit, catalog.interventions));
    return session;
}

std::vector<AdapterChoice> adaptersOf(const CommonOptions& options) {
    std::vector<AdapterChoice> adapters;
    for (const std::string& text : options.adapters) adapters.push_back(parseAdapter(text));
    return adapters;
}

Intervention parseEdit(const std::string& text, const InterventionCatalog& catalog) {
    const std::size_t brace = std::min(text.find('{'), text.size());
    std::string id = text.substr(0, brace);
    id.erase(0, id.find_first_not_of(" \t"));
    id.erase(id.find_last_not_of(" \t") + 1);
    if (id.empty())
        throw Error(fmt::format("--edit '{}': expected ID or ID{{\"param\":...}}, found no id", text),
                    "fovea-cli list interventions names them", ErrorCode::Usage);
    const InterventionEntry* entry = catalog.find(id);
    if (!entry) {
        std::vector<std::string> known;
        for (const InterventionEntry& other : catalog.all()) known.push_back(other.info.id);
        throw Error(fmt::format("--edit '{}': there is no intervention called \"{}\"", text, id),
                    suggestionHint(id, known), ErrorCode::Usage);
    }
    Intervention edit;
    edit.id = id;
    if (brace == text.size()) return edit;
    nlohmann::json params = nlohmann::json::parse(text.substr(brace), nullptr, false);
    if (!params.is_object())
        throw Error(fmt::format("--edit '{}': expected a JSON object after {}, found {}", text, id,
                                text.substr(brace)),
                    fmt::format("quote the whole edit for the shell: --edit '{}{{\"param\": 1}}'", id),
                    ErrorCode::Usage);
    checkedParams(entry->info, params);
    edit.params = std::move(params);
    return edit;
}

nlohmann::json parseParams(const EntryInfo& owner, const std::vector<std::string>& texts, const char* flag) {
    nlohmann::json params = nlohmann::json::object();
    for (const std::string& text : texts) {
        const std::size_t equals = text.find('=');
        if (equals == std::string::npos || equals == 0)
            throw Error(fmt::format("{} {}: expected NAME=VALUE, found no \"=\"", flag, text),
                        fmt::format("fovea-cli list analyses --json shows the parameters of {}", owner.id),
                        ErrorCode::Usage);
        const std::string name = text.substr(0, equals);
        params[name] = paramFromText(owner, name, text.substr(equals + 1));
    }
    const nlohmann::json whole = checkedParams(owner, params);
    for (const ParamSpec& spec : owner.params)
        if (whole.at(spec.name) == spec.defaultValue) params.erase(spec.name);
    return params;
}

}  // namespace fovea::cli
