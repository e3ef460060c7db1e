#include "content_key.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/model_reference.h"
#include "io/sha256.h"

namespace fovea::content_key {
namespace {

template <typename T>
std::string listText(const std::vector<T>& values) {
    return fmt::format("[{}]", fmt::join(values, ","));
}

constexpr std::size_t kMostFrames = std::size_t{1} << 20;

// A folder of frames by those in it: writing into a file leaves the time of its folder as it was.
std::string ofFrames(const std::filesystem::path& folder) {
    std::vector<std::string> frames;
    std::error_code error;
    for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end && frames.size() < kMostFrames;
         it.increment(error)) {
        std::error_code gone;
        if (it->is_regular_file(gone)) frames.push_back(ofFile(it->path()) + "\n");
    }
    std::sort(frames.begin(), frames.end());
    Sha256 all;
    for (const std::string& frame : frames) all.update(std::as_bytes(std::span(frame)));
    return fmt::format("{} {} frames {}", folder.generic_string(), frames.size(), all.hex());
}

std::string ofVideo(const std::filesystem::path& file) {
    std::error_code error;
    return std::filesystem::is_directory(file, error) ? ofFrames(file) : ofFile(file);
}

std::string ofCapture(const CaptureRequest& c) {
    return fmt::format("capture {:d}{:d}{:d}{:d}{:d}{:d}{:d}{:d}{:d}{:d} {} {}", c.qkv, c.lse, c.probs, c.stats,
                       c.attentionOutput, c.hidden, c.output, c.allLogits, c.input, c.headOutput,
                       nlohmann::json(c.sites).dump(), nlohmann::json(c.taps).dump());
}

std::string ofFactor(const GroupFactor& f) {
    return fmt::format("(h{} q{} k{} f{} r{} c{})", listText(f.heads), listText(f.queries), listText(f.keys),
                       f.factor, static_cast<int>(f.rowSum), listText(f.compensateKeys));
}

std::string ofPlan(const EditPlan& plan) {
    std::string out = "plan";
    for (const SiteEdit& site : plan.sites) {
        out += fmt::format(" s{} t{} g{}", site.site, listText(site.temperature), listText(site.headGain));
        for (const GroupFactor& factor : site.factors) out += ofFactor(factor);
    }
    for (const TokenPrune& prune : plan.prunes)
        out += fmt::format(" prune {} {} {}", prune.stage, prune.block, listText(prune.dropped));
    return out;
}

std::string ofObjective(const Objective& objective) {
    std::string out = fmt::format(" objective {} {} {} {}", static_cast<int>(objective.kind), objective.output,
                                  objective.classIndex, objective.otherClass);
    for (const ObjectiveToken& token : objective.tokens) out += fmt::format(" ({} {} {})", token.row, token.id, token.other);
    return out;
}

}  // namespace

std::string ofFile(const std::filesystem::path& file) {
    std::error_code error;
    const auto size = std::filesystem::file_size(file, error);
    if (error) return file.generic_string() + " absent";
    const auto time = std::filesystem::last_write_time(file, error).time_since_epoch().count();
    return fmt::format("{} {} {}", file.generic_string(), size, time);
}

std::string ofModel(const ModelChoice& choice) {
    const ResolvedModel files = resolveModel(choice.reference);
    std::string out =
        fmt::format("model {} {} {}", choice.device, choice.dtype, files.folder.generic_string());
    if (!files.configFile.empty()) out += "\n" + ofFile(files.configFile);
    for (const auto& file : files.weightFiles) out += "\n" + ofFile(file);
    if (!files.folder.empty()) out += "\n" + ofFile(files.folder / "generation_config.json");
    for (const AdapterChoice& adapter : choice.adapters) {
        const std::filesystem::path folder = adapter.folder;
        out += "\nadapter";
        for (const char* name : {"adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"})
            out += "\n" + ofFile(folder / name);
    }
    return out;
}

std::string ofStrengths(const ModelChoice& choice) {
    std::string out = "strengths";
    for (const AdapterChoice& adapter : choice.adapters) out += fmt::format(" {}", adapter.strength);
    return out;
}

std::string ofInput(const SessionInput& input) {
    std::string out =
        "input " +
        nlohmann::json(input.prompt).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    for (const std::string& image : input.images)
        out += "\n" + (image.starts_with("scene:") ? image : ofFile(image));
    if (input.rawPrompt) out += "\nraw";
    if (!input.chat.empty()) out += "\nchat " + ofFile(input.chat);
    for (const ChatTurn& turn : input.turns)
        out += "\nturn " + turn.role + " " +
               nlohmann::json(turn.text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    if (!input.video.empty()) out += "\nvideo " + ofVideo(input.video);
    if (!input.tensors.empty()) out += "\ntensors " + ofFile(input.tensors);
    return out;
}

std::string ofAnswer(const SessionInput& input, std::uint64_t seed) {
    if (input.maxNewTokens == 0) return {};
    const Sampling& s = input.sampling;
    return fmt::format("answer {} {} {} {} {} {}", input.maxNewTokens, s.temperature, s.topK, s.topP,
                       s.repetitionPenalty.value_or(0), s.temperature > 0 ? seed : 0);
}

std::string ofEdits(const std::vector<Intervention>& edits) {
    std::string out = "edits";
    for (const Intervention& edit : edits)
        if (edit.enabled)
            out +=
                "\n" + edit.id + edit.params.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return out;
}

std::string ofRun(const RunSpec& spec) {
    std::string out = fmt::format("run {} {} {}", spec.item, ofPlan(spec.edits), ofCapture(spec.capture));
    if (spec.objective)
        out += ofObjective(*spec.objective);
    if (!spec.answer.empty()) out += " answer " + listText(spec.answer);
    const Perturbation& p = spec.perturbation;
    out += fmt::format(" gradients {:d}{:d} perturbation {} {} {} {} {}", spec.gradients.input,
                       spec.gradients.attention, p.scale, p.baseline, listText(p.channelBaseline), p.noise,
                       p.seed);
    return out + fmt::format(" route {} adapters {}", static_cast<int>(spec.route), listText(spec.adapterStrengths));
}

}  // namespace fovea::content_key
