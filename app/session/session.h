#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "fovea/adapter.h"
#include "fovea/generate.h"
#include "fovea/intervention.h"

namespace fovea {

/// Which model, and how it runs.
struct ModelChoice {
    std::string reference;  ///< MODEL as on the command line; relative paths are relative to the session file
    std::string device = "auto";
    std::string dtype = "auto";
    std::vector<AdapterChoice> adapters = {};  ///< folders relative to the session file, as the reference
    bool operator==(const ModelChoice&) const = default;
};

/// The strengths of a model's adapters, as RunSpec takes them.
std::vector<double> adapterStrengths(const ModelChoice& choice);

/// What was said before.
struct ChatTurn {
    std::string role;  ///< "user", "assistant" or "system"
    std::string text;
    bool operator==(const ChatTurn&) const = default;
};

/// What goes into the model.
struct SessionInput {
    std::vector<std::string> images;  ///< paths; "scene:SEED" for a procedural scene
    std::string video;  ///< a film, or a folder of its frames
    std::string prompt;
    std::vector<ChatTurn> turns = {};  ///< that the prompt goes on from, through the model's chat template
    bool rawPrompt = false;  ///< the prompt as it is, without the model's chat template
    std::string chat;        ///< JSON file with a conversation, in the place of a prompt
    int maxNewTokens = 0;    ///< of an answer that runs before anything is analysed; 0: none
    Sampling sampling;       ///< of the answer; its seed is the session's
    std::string tensors;  ///< safetensors file with raw input tensors
    bool operator==(const SessionInput&) const = default;
};

/// One analysis to compute.
struct AnalysisRequest {
    std::string id;
    nlohmann::json params = nlohmann::json::object();  ///< only what differs from the defaults
    bool operator==(const AnalysisRequest&) const = default;
};

/// How values become colours (PRODUCT.md §3, "Analysis" panel).
struct DisplayOptions {
    std::string scale = "linked";  ///< linked, fixed, picture, log, rank
    /// For "fixed"; for "linked" the range to use, where it is not to come from the session's own pictures
    /// (both 0: it does).
    double minimum = 0, maximum = 0;
    std::string colormap = "inferno";
    double opacity = 0.75;           ///< of the strongest heat over the image, 0..1
    std::string blend = "auto";      ///< value: little heat lets the image through; even: all heat alike; auto: even for single pixels
    double threshold = 0;            ///< share of the scale's range below which heat is not drawn, 0..1
    std::string filter = "nearest";  ///< nearest, bilinear, bicubic
    std::string sinks = "keep";      ///< keep, mask (and renormalise), redistribute
    bool tokenGrid = true;
    bool recipe = true;
    bool operator==(const DisplayOptions&) const = default;
};

/// One picture to draw of an analysis.
struct PictureRequest {
    int analysis = 0;     ///< index into Session::analyses
    std::string finding;  ///< name of the finding; empty means the first that the painter can draw, "maps" all of a
                          ///< prompt's pictures side by side
    std::string painter;  ///< id; empty means the default of the finding's kind
    nlohmann::json params = nlohmann::json::object();
    DisplayOptions display;
    std::string file;  ///< output name for `fovea-cli run`, relative to -o; empty means a made-up one
    double dpi = 150;
    bool operator==(const PictureRequest&) const = default;
};

/// The document: what to load, edit, analyse and draw. No results. A value: equality, hash, JSON.
struct Session {
    static constexpr int currentSchema = 1;
    ModelChoice model;
    SessionInput input;
    std::uint64_t seed = 0;
    std::string budget;  ///< "4GiB"; empty means what the machine offers
    std::vector<Intervention> edits;
    std::vector<AnalysisRequest> analyses;
    std::vector<PictureRequest> pictures;
    /// What the run remarked that drew the picture this session came with (an assumed preprocessing, ...); a new run says
    /// its own.
    std::vector<std::string> notices;
    nlohmann::json views = nlohmann::json::object();  ///< layout and selection of the window
    /// Fields of other versions as they were, by JSON pointer ("/model/revision"); written back where their
    /// parent is.
    nlohmann::json unknown = nlohmann::json::object();
    bool operator==(const Session&) const = default;
};

/// The session as JSON with a fixed key order.
nlohmann::ordered_json toJson(const Session& session);

/// Reads a session; unknown fields are kept and named in `notices`; a newer schema, a wrong type or a value
/// out of range throws Error (Input) with the path of the field. `source` begins messages.
Session sessionFromJson(const nlohmann::json& json, std::vector<std::string>* notices = nullptr,
                        const std::string& source = "session");

/// The same from text of untrusted origin (a picture's metadata, the clipboard).
Session sessionFromText(const std::string& text, std::vector<std::string>* notices = nullptr,
                        const std::string& source = "session");

/// Reads a session file; relative paths in it are made relative to the working directory's view of the file.
Session readSession(const std::filesystem::path& file, std::vector<std::string>* notices = nullptr);

/// Reads a session file, or the session in the metadata of a picture that Fovea wrote, told apart by content. Throws
/// Error (Input) when it is neither.
Session openDocument(const std::filesystem::path& file, std::vector<std::string>* notices = nullptr);

/// Writes a session file, complete or not at all; paths become relative to the file where they can.
void writeSession(const std::filesystem::path& file, const Session& session);

/// The session with the same meaning in every folder: paths absolute, forward slashes.
Session withAbsolutePaths(Session session);

/// The session that this one is compared with, kept in its views as "compare"; nothing when there is none.
/// Throws Error (Input) when what stands there is no session. `source` begins messages.
std::optional<Session> comparedWith(const Session& session, const std::string& source = "session");

/// The session with `other` to be compared with; what `other` itself is compared with is left out.
Session comparing(Session session, Session other);

/// A stable 64-bit hash of the JSON.
std::uint64_t hashOf(const Session& session);

/// The `fovea-cli` line that computes and draws picture `picture` of the session ("Copy as command"), quoted
/// for a POSIX shell. A linked scale spans all pictures of a session: to get one picture of several again,
/// pass the session of its own PictureResult::document, which holds the range.
std::string commandLineFor(const Session& session, int picture);

/// A word quoted for a POSIX shell where it needs to be.
std::string shellQuoted(const std::string& word);

}  // namespace fovea
