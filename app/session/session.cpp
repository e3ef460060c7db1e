#include "session.h"

#include <fmt/format.h>

#include <cmath>

#include "field_reader.h"
#include "fovea/error.h"
#include "io/json_file.h"

namespace fovea {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr double kLargest = 1e300;
constexpr std::size_t kMaxImages = 100'000, kMaxEntries = 10'000, kMaxAdapters = 64, kMaxTurns = 10'000;

ordered_json displayJson(const DisplayOptions& display) {
    return {{"scale", display.scale},       {"minimum", display.minimum}, {"maximum", display.maximum},
            {"colormap", display.colormap}, {"opacity", display.opacity}, {"blend", display.blend},
            {"threshold", display.threshold}, {"filter", display.filter},   {"sinks", display.sinks},
            {"token_grid", display.tokenGrid}, {"recipe", display.recipe}};
}

DisplayOptions readDisplay(FieldReader reader, json& unknown) {
    DisplayOptions display;
    reader.readChoice("scale", display.scale, {"linked", "fixed", "picture", "log", "rank"});
    reader.read("minimum", display.minimum, -kLargest, kLargest);
    reader.read("maximum", display.maximum, -kLargest, kLargest);
    reader.read("colormap", display.colormap, 256);
    reader.read("opacity", display.opacity, 0, 1);
    reader.readChoice("blend", display.blend, {"auto", "value", "even"});
    reader.read("threshold", display.threshold, 0, 1);
    reader.readChoice("filter", display.filter, {"nearest", "bilinear", "bicubic"});
    reader.readChoice("sinks", display.sinks, {"keep", "mask", "redistribute"});
    reader.read("token_grid", display.tokenGrid);
    reader.read("recipe", display.recipe);
    if (display.scale == "fixed" && !(display.minimum < display.maximum))
        reader.fail("maximum", fmt::format("a number above minimum ({}) for a fixed scale", display.minimum));
    reader.finish(unknown);
    return display;
}

PictureRequest readPicture(FieldReader& reader, std::size_t analyses, json& unknown) {
    PictureRequest picture;
    if (!reader.has("analysis")) reader.fail("analysis", "the number of an analysis");
    if (analyses == 0) reader.fail("analysis", "no pictures, as the session has no analyses");
    reader.read("analysis", picture.analysis, 0, static_cast<int>(analyses) - 1);
    reader.read("finding", picture.finding, 256);
    reader.read("painter", picture.painter, 256);
    reader.readObject("params", picture.params);
    if (reader.has("display")) picture.display = readDisplay(reader.child("display"), unknown);
    reader.read("file", picture.file, 1024);
    reader.read("dpi", picture.dpi, 10, 1200);
    reader.finish(unknown);
    return picture;
}

// What belongs to answers stands there only where it is used.
ordered_json inputJson(const SessionInput& input) {
    ordered_json out = {{"images", input.images}, {"prompt", input.prompt}, {"tensors", input.tensors}};
    if (input.rawPrompt) out["raw_prompt"] = true;
    if (!input.chat.empty()) out["chat"] = input.chat;
    for (const ChatTurn& turn : input.turns) out["turns"].push_back({{"role", turn.role}, {"text", turn.text}});
    if (!input.video.empty()) out["video"] = input.video;
    if (input.maxNewTokens > 0) out["max_new_tokens"] = input.maxNewTokens;
    const Sampling& sampling = input.sampling;
    if (sampling == Sampling{}) return out;
    out["sampling"] = {{"temperature", sampling.temperature}, {"top_k", sampling.topK}, {"top_p", sampling.topP}};
    if (sampling.repetitionPenalty) out["sampling"]["repetition_penalty"] = *sampling.repetitionPenalty;
    return out;
}

void readInput(FieldReader& reader, SessionInput& input, json& unknown) {
    reader.read("images", input.images, kMaxImages);
    reader.read("prompt", input.prompt, 1 << 20);
    reader.read("tensors", input.tensors, 4096);
    reader.read("raw_prompt", input.rawPrompt);
    reader.read("chat", input.chat, 4096);
    for (FieldReader& turn : reader.list("turns", kMaxTurns)) {
        ChatTurn& said = input.turns.emplace_back();
        if (!turn.has("role")) turn.fail("role", "user, assistant or system");
        turn.readChoice("role", said.role, {"user", "assistant", "system"});
        turn.read("text", said.text, 1 << 20);
        turn.finish(unknown);
    }
    if (!input.turns.empty() && (input.rawPrompt || !input.chat.empty()))
        reader.fail("turns", "no turns beside a raw prompt or a chat file");
    reader.read("video", input.video, 4096);
    reader.read("max_new_tokens", input.maxNewTokens, 0, 1 << 20);
    if (reader.has("sampling")) {
        FieldReader sampling = reader.child("sampling");
        sampling.read("temperature", input.sampling.temperature, 0, 1000);
        sampling.read("top_k", input.sampling.topK, 0, 1 << 26);
        sampling.read("top_p", input.sampling.topP, 0, 1);
        if (sampling.has("repetition_penalty"))
            sampling.read("repetition_penalty", input.sampling.repetitionPenalty.emplace(1), 1e-3, 1000);
        sampling.finish(unknown);
    }
    reader.finish(unknown);
}

std::string idOf(FieldReader& reader) {
    std::string id;
    reader.read("id", id, 256);
    if (id.empty()) reader.fail("id", "the name of a catalogue entry");
    return id;
}

// Puts an unknown field back where it was, unless its parent is gone.
void restore(ordered_json& root, const std::string& pointer, const json& value) {
    const ordered_json::json_pointer where(pointer);
    if (where.empty()) return;
    const auto parent = where.parent_pointer();
    if (!root.contains(parent) || !root.at(parent).is_object() || root.contains(where)) return;
    root[where] = ordered_json::parse(value.dump());
}

}  // namespace

ordered_json toJson(const Session& session) {
    ordered_json edits = ordered_json::array(), analyses = ordered_json::array(),
                 pictures = ordered_json::array();
    for (const Intervention& edit : session.edits)
        edits.push_back({{"id", edit.id}, {"params", edit.params}, {"enabled", edit.enabled}});
    for (const AnalysisRequest& analysis : session.analyses)
        analyses.push_back({{"id", analysis.id}, {"params", analysis.params}});
    for (const PictureRequest& picture : session.pictures)
        pictures.push_back({{"analysis", picture.analysis},
                            {"finding", picture.finding},
                            {"painter", picture.painter},
                            {"params", picture.params},
                            {"display", displayJson(picture.display)},
                            {"file", picture.file},
                            {"dpi", picture.dpi}});
    ordered_json out = {{"schema", Session::currentSchema},
                        {"model",
                         {{"reference", session.model.reference},
                          {"device", session.model.device},
                          {"dtype", session.model.dtype}}},
                        {"input", inputJson(session.input)},
                        {"seed", session.seed},
                        {"budget", session.budget},
                        {"edits", std::move(edits)},
                        {"analyses", std::move(analyses)},
                        {"pictures", std::move(pictures)},
                        {"views", session.views}};
    for (const AdapterChoice& adapter : session.model.adapters)
        out["model"]["adapters"].push_back({{"folder", adapter.folder}, {"strength", adapter.strength}});
    if (!session.notices.empty()) out["notices"] = session.notices;
    for (const auto& [pointer, value] : session.unknown.items()) restore(out, pointer, value);
    return out;
}

std::vector<double> adapterStrengths(const ModelChoice& choice) {
    std::vector<double> strengths;
    for (const AdapterChoice& adapter : choice.adapters) strengths.push_back(adapter.strength);
    return strengths;
}

Session sessionFromJson(const json& document, std::vector<std::string>* notices, const std::string& source) {
    FieldReader root(document, "", source);
    Session session;
    int schema = 0;
    if (!root.has("schema")) root.fail("schema", "the number of the session format");
    root.read("schema", schema, 1, 1'000'000);
    if (schema > Session::currentSchema)
        throw Error(
            fmt::format("{}: /schema: expected at most {}, found {}", source, Session::currentSchema, schema),
            "The session was written by a newer version of Fovea: update this one.");
    json& unknown = session.unknown;
    if (root.has("model")) {
        FieldReader model = root.child("model");
        model.read("reference", session.model.reference, 4096);
        model.read("device", session.model.device, 64);
        model.readChoice("dtype", session.model.dtype, {"auto", "float32", "bfloat16", "float16"});
        for (FieldReader& reader : model.list("adapters", kMaxAdapters)) {
            AdapterChoice& adapter = session.model.adapters.emplace_back();
            if (!reader.has("folder")) reader.fail("folder", "the folder of an adapter");
            reader.read("folder", adapter.folder, 4096);
            if (adapter.folder.empty()) reader.fail("folder", "the folder of an adapter");
            reader.read("strength", adapter.strength, -kMaxAdapterStrength, kMaxAdapterStrength);
            reader.finish(unknown);
        }
        model.finish(unknown);
    }
    if (root.has("input")) {
        FieldReader input = root.child("input");
        readInput(input, session.input, unknown);
    }
    root.read("seed", session.seed);
    root.read("budget", session.budget, 64);
    for (FieldReader& reader : root.list("edits", kMaxEntries)) {
        Intervention edit;
        edit.id = idOf(reader);
        reader.readObject("params", edit.params);
        reader.read("enabled", edit.enabled);
        reader.finish(unknown);
        session.edits.push_back(std::move(edit));
    }
    for (FieldReader& reader : root.list("analyses", kMaxEntries)) {
        AnalysisRequest analysis;
        analysis.id = idOf(reader);
        reader.readObject("params", analysis.params);
        reader.finish(unknown);
        session.analyses.push_back(std::move(analysis));
    }
    for (FieldReader& reader : root.list("pictures", kMaxEntries))
        session.pictures.push_back(readPicture(reader, session.analyses.size(), unknown));
    root.readObject("views", session.views);
    root.read("notices", session.notices, kMaxEntries);
    root.finish(unknown);
    if (notices)
        for (const auto& [pointer, value] : unknown.items())
            if (pointer != "/$schema")
                notices->push_back(fmt::format("{}: the field {} is not known to this version; it is kept",
                                               source, pointer));
    return session;
}

Session sessionFromText(const std::string& text, std::vector<std::string>* notices,
                        const std::string& source) {
    return sessionFromJson(parseJson(text, source), notices, source);
}

std::optional<Session> comparedWith(const Session& session, const std::string& source) {
    const auto found = session.views.find("compare");
    if (found == session.views.end()) return {};
    return sessionFromJson(*found, nullptr, source + ": /views/compare");
}

Session comparing(Session session, Session other) {
    other.views.erase("compare");
    session.views["compare"] = json(toJson(other));
    return session;
}

std::uint64_t hashOf(const Session& session) {
    std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a
    for (const char c : toJson(session).dump(-1, ' ', false, json::error_handler_t::replace)) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001b3U;
    }
    return hash;
}

}  // namespace fovea
