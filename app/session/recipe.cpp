#include "recipe.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>
#include <string_view>

#include "fovea/error.h"

namespace fovea {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestNotice = 4096;
constexpr int kQuotedCharacters = 60;

viz::Scale::Kind scaleKind(const std::string& name) {
    using Kind = viz::Scale::Kind;
    if (name == "linked") return Kind::Linked;
    if (name == "fixed") return Kind::Fixed;
    if (name == "picture") return Kind::Picture;
    if (name == "log") return Kind::Log;
    if (name == "rank") return Kind::Rank;
    throw Error("there is no scale \"" + name + "\"", "scales: linked, fixed, picture, log, rank",
                ErrorCode::Usage);
}

viz::Filter filterOf(const std::string& name) {
    if (name == "nearest") return viz::Filter::Nearest;
    if (name == "bilinear") return viz::Filter::Bilinear;
    if (name == "bicubic") return viz::Filter::Bicubic;
    throw Error("there is no filter \"" + name + "\"", "filters: nearest, bilinear, bicubic",
                ErrorCode::Usage);
}

viz::Blend blendOf(const std::string& name) {
    if (name == "auto") return viz::Blend::Auto;
    if (name == "value") return viz::Blend::Value;
    if (name == "even") return viz::Blend::Even;
    throw Error("there is no blend \"" + name + "\"", "blends: auto, value, even", ErrorCode::Usage);
}

viz::SinkPolicy policyOf(const std::string& name) {
    if (name == "keep") return viz::SinkPolicy::Keep;
    if (name == "mask") return viz::SinkPolicy::Mask;
    if (name == "redistribute") return viz::SinkPolicy::Redistribute;
    throw Error("there is no sink policy \"" + name + "\"", "policies: keep, mask, redistribute",
                ErrorCode::Usage);
}

std::string valueText(const json& value) {
    if (value.is_number_float()) return fmt::format("{:g}", value.get<double>());
    return value.is_string() ? value.get<std::string>()
                             : value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Whether a parameter says what a result is of, so that it is named with its default, too.
bool selectsData(const ParamSpec& spec) {
    static const std::set<std::string> names = {"map",  "fusion", "discard", "start_layer", "steps", "samples",
                                                "rule", "method", "next",    "fixations",   "weights"};
    return spec.type == ParamType::Layers || spec.type == ParamType::Heads || spec.type == ParamType::Tokens ||
           spec.type == ParamType::Class || names.contains(spec.name);
}

// Layers and heads first, then what else selects data, and other parameters where they differ from their default.
std::string paramsText(const EntryInfo& analysis, const json& given, const EntryInfo* map = nullptr) {
    const json all = checkedParams(analysis, given);
    std::string first, rest;
    for (const ParamSpec& spec : analysis.params) {
        const json& value = all.at(spec.name);
        if (value == spec.defaultValue && (!selectsData(spec) || value == "")) continue;
        if (map && (spec.name == "map_params" || spec.name == "queries")) continue;
        std::string& text = spec.type == ParamType::Layers || spec.type == ParamType::Heads ? first : rest;
        const std::string word = wordOf(spec, value);
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", spec.name, word.empty() ? valueText(value) : word);
        if (!map || spec.name != "map") continue;
        const std::string own = all.value("map_params", ""), queries = all.value("queries", "");
        json inner = own.empty() ? json::object() : json::parse(own, nullptr, false);
        if (!queries.empty()) inner["queries"] = queries;
        text += " (" + paramsText(*map, inner) + ")";
    }
    return first + (first.empty() || rest.empty() ? "" : ", ") + rest;
}

std::string scaleText(const DisplayOptions& display, const RecipeParts& parts) {
    if (display.scale == "linked")
        return fmt::format("linked scale {:.4g} to {:.4g}", parts.linked.first, parts.linked.second) +
               (parts.cut > 0 ? fmt::format(", cut at percentile {:g}", 100 - parts.cut) : "");
    if (display.scale == "fixed")
        return fmt::format("fixed scale {:.4g} to {:.4g}", display.minimum, display.maximum);
    return display.scale == "picture" ? "scale of this picture" : display.scale + " scale";
}

std::string editsText(const std::vector<Intervention>& edits) {
    std::string out;
    for (const Intervention& edit : edits)
        if (edit.enabled)
            out += (out.empty() ? "" : " + ") + edit.id + (edit.params.empty() ? "" : valueText(edit.params));
    return out.empty() ? "no edits" : "edits " + out;
}

// What the model read beside words; raw tensors come before pictures, which then only lie under the result.
std::string inputText(const Session& session, const RecipeParts& parts) {
    const SessionInput& input = session.input;
    const bool shown = parts.item < static_cast<int>(input.images.size());
    std::string image = shown ? imageName(input.images[static_cast<std::size_t>(parts.item)]) : "";
    for (std::size_t i = 1; parts.items == 1 && i < input.images.size(); ++i) image += " + " + imageName(input.images[i]);
    if (shown && input.tensors.empty()) return image;
    if (input.tensors.empty() && !input.video.empty()) return "video " + imageName(input.video);
    if (input.tensors.empty() && !(input.prompt.empty() && input.chat.empty())) return "";
    std::string name = input.tensors.empty() ? "recorded input" : "tensors " + imageName(input.tensors);
    if (parts.items > 1) name += fmt::format(" item {}", parts.item);
    return shown ? name + " over " + image : name;
}

// Words of models without templates begin with a space.
std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return text;
    return text.substr(first, text.find_last_not_of(" \t\r\n") + 1 - first);
}

// A text's beginning on one line; never half a character.
std::string quoted(const std::string& text) {
    std::string out;
    int characters = 0;
    for (const char c : trimmed(text)) {
        const auto byte = static_cast<unsigned char>(c);
        const bool begins = (byte & 0xC0) != 0x80;
        if (begins && ++characters > kQuotedCharacters) return "\"" + out + "...\"";
        out += byte < 0x20 || byte == 0x7F ? ' ' : c;
    }
    return "\"" + out + "\"";
}

}  // namespace

viz::Display displayOf(const DisplayOptions& options) {
    viz::Display display;
    display.scale.kind = scaleKind(options.scale);
    display.scale.minimum = options.minimum;
    display.scale.maximum = options.maximum;
    if (display.scale.kind == viz::Scale::Kind::Fixed && !(options.minimum < options.maximum))
        throw Error(
            fmt::format("a fixed scale needs a range, found {} to {}", options.minimum, options.maximum),
            "give a minimum below the maximum (--scale fixed:MIN:MAX)", ErrorCode::Usage);
    display.colormap = options.colormap;
    display.opacity = options.opacity;
    display.blend = blendOf(options.blend);
    display.threshold = options.threshold;
    display.filter = filterOf(options.filter);
    display.sinks = policyOf(options.sinks);
    display.tokenGrid = options.tokenGrid;
    display.recipe = options.recipe;
    return display;
}

std::string imageName(const std::string& image) {
    if (image.starts_with("scene:")) return "scene " + image.substr(6);
    return std::filesystem::path(image).filename().string();
}

std::string recipeLine(const Session& session, const PictureRequest& picture, const EntryInfo& analysis,
                       const RecipeParts& parts) {
    const AnalysisRequest& request = session.analyses.at(static_cast<std::size_t>(picture.analysis));
    const std::string params = paramsText(analysis, request.params, parts.map);
    std::vector<std::string> words = {fmt::format("{} ({}, {})", parts.model, parts.device, parts.dtype)};
    if (std::string input = inputText(session, parts); !input.empty()) words.push_back(std::move(input));
    if (!session.input.chat.empty()) words.push_back("chat " + imageName(session.input.chat));
    const std::string& prompt = parts.prompt.empty() ? session.input.prompt : parts.prompt;
    if (!prompt.empty()) words.push_back("prompt " + quoted(prompt));
    if (!parts.answer.empty()) words.push_back("answer " + quoted(parts.answer));
    if (!parts.rules.empty()) words.push_back("answer by " + parts.rules);
    words.push_back(analysis.id + (params.empty() ? "" : ": " + params));
    if (parts.scaled) words.push_back(scaleText(picture.display, parts));
    const bool kept = picture.display.sinks == "keep";
    words.push_back(
        "sinks " + picture.display.sinks +
        (kept ? "" : fmt::format(" ({} found{})", parts.sinks == 0 ? "none" : std::to_string(parts.sinks),
                                 parts.sinksElsewhere > 0 ? fmt::format(" here, {} elsewhere", parts.sinksElsewhere) : "")));
    words.push_back(editsText(session.edits));
    words.push_back(fmt::format("seed {}", session.seed));
    words.emplace_back("Fovea " FOVEA_VERSION);
    return fmt::format("{}", fmt::join(words, " | "));
}

Session reproducing(const Session& session, int picture, const RecipeParts& parts) {
    Session one = withAbsolutePaths(session);
    const PictureRequest wanted = session.pictures.at(static_cast<std::size_t>(picture));
    const auto item = static_cast<std::size_t>(parts.item);
    // Several pictures of one item are one prompt's.
    if (one.input.tensors.empty() && parts.items > 1 && item < one.input.images.size())
        one.input.images = {one.input.images[item]};
    one.analyses = {session.analyses.at(static_cast<std::size_t>(wanted.analysis))};
    one.pictures = {wanted};
    one.pictures[0].analysis = 0;
    one.pictures[0].file.clear();
    if (wanted.display.scale == "linked") {
        one.pictures[0].display.minimum = parts.linked.first;
        one.pictures[0].display.maximum = parts.linked.second;
    }
    one.notices.clear();
    // A session reads back no text longer than that.
    for (const std::string& notice : parts.notices) one.notices.push_back(notice.substr(0, kLongestNotice));
    one.views = nlohmann::json::object();
    one.unknown = nlohmann::json::object();
    return one;
}

}  // namespace fovea
