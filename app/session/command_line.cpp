#include <fmt/format.h>

#include "fovea/error.h"
#include "session.h"

namespace fovea {
namespace {

class Line {
public:
    void word(const std::string& text) { m_text += (m_text.empty() ? "" : " ") + shellQuoted(text); }
    void flag(const std::string& name, const std::string& value) {
        // A value that begins with a dash would be read as a flag.
        if (value.starts_with("-") && name.starts_with("--")) return word(name + "=" + value);
        word(name), word(value);
    }
    /// Only where the value is not the default.
    void flag(const std::string& name, const std::string& value, const std::string& standard) {
        if (value != standard) flag(name, value);
    }
    void flag(const std::string& name, double value, double standard) {
        if (value != standard) flag(name, fmt::format("{}", value));
    }
    void params(const std::string& name, const nlohmann::json& params) {
        for (const auto& [key, value] : params.items())
            flag(name, key + "=" + (value.is_string() ? value.get<std::string>() : value.dump()));
    }
    std::string take() { return std::move(m_text); }

private:
    std::string m_text;
};

std::string scaleText(const DisplayOptions& display) {
    const bool ranged =
        display.scale == "fixed" || (display.scale == "linked" && display.minimum < display.maximum);
    return ranged ? fmt::format("{}:{}:{}", display.scale, display.minimum, display.maximum) : display.scale;
}

void addDisplay(Line& line, const DisplayOptions& display) {
    const DisplayOptions standard;
    line.flag("--scale", scaleText(display), standard.scale);
    line.flag("--colormap", display.colormap, standard.colormap);
    line.flag("--opacity", display.opacity, standard.opacity);
    line.flag("--blend", display.blend, standard.blend);
    line.flag("--threshold", display.threshold, standard.threshold);
    line.flag("--filter", display.filter, standard.filter);
    line.flag("--sinks", display.sinks, standard.sinks);
    if (!display.tokenGrid) line.word("--no-grid");
    if (!display.recipe) line.word("--no-recipe");
}

void addAnswer(Line& line, const SessionInput& input) {
    const Sampling standard;
    line.flag("--max-new-tokens", std::to_string(input.maxNewTokens), "0");
    line.flag("--temperature", input.sampling.temperature, standard.temperature);
    line.flag("--top-k", std::to_string(input.sampling.topK), "0");
    line.flag("--top-p", input.sampling.topP, standard.topP);
    line.flag("--repetition-penalty", input.sampling.repetitionPenalty.value_or(0), 0);
}

}  // namespace

std::string shellQuoted(const std::string& word) {
    constexpr const char* safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";
    if (!word.empty() && word.find_first_not_of(safe) == std::string::npos) return word;
    std::string quoted = "'";
    for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

std::string commandLineFor(const Session& session, int picture) {
    if (picture < 0 || picture >= static_cast<int>(session.pictures.size()))
        throw Error(fmt::format("picture {} of a session with {}", picture, session.pictures.size()), {},
                    ErrorCode::Usage);
    if (!session.input.turns.empty())
        throw Error("a conversation of several turns has no single command",
                    "save the session (Ctrl+S), then: fovea-cli run SESSION.fovea.json", ErrorCode::Usage);
    const PictureRequest& wanted = session.pictures[static_cast<std::size_t>(picture)];
    const AnalysisRequest& analysis = session.analyses.at(static_cast<std::size_t>(wanted.analysis));
    Line line;
    line.word("fovea-cli");
    line.word("render");
    line.word(session.model.reference);
    for (const AdapterChoice& adapter : session.model.adapters) line.flag("--adapter", adapterText(adapter));
    for (const std::string& image : session.input.images) line.flag("--image", image);
    line.flag("--video", session.input.video, "");
    line.flag("--prompt", session.input.prompt, "");
    if (session.input.rawPrompt) line.word("--raw-prompt");
    line.flag("--chat", session.input.chat, "");
    line.flag("--tensors", session.input.tensors, "");
    addAnswer(line, session.input);
    line.flag("--seed", std::to_string(session.seed), "0");
    line.flag("--device", session.model.device, "auto");
    line.flag("--dtype", session.model.dtype, "auto");
    line.flag("--budget", session.budget, "");
    for (const Intervention& edit : session.edits)
        if (edit.enabled) line.flag("--edit", edit.params.empty() ? edit.id : edit.id + edit.params.dump());
    line.flag("--analysis", analysis.id);
    line.params("--param", analysis.params);
    line.flag("--finding", wanted.finding, "");
    line.flag("--painter", wanted.painter, "");
    line.params("--painter-param", wanted.params);
    addDisplay(line, wanted.display);
    line.flag("--dpi", wanted.dpi, PictureRequest().dpi);
    line.flag("-o", wanted.file.empty() ? analysis.id + ".png" : wanted.file);
    return line.take();
}

}  // namespace fovea
