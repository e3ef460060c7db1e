#include "fovea/token_map.h"

#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

#include "fovea/error.h"

namespace fovea {
namespace {

using nlohmann::json;

constexpr std::array kindNames = {"special", "text",      "image",  "separator", "register",
                                  "padding", "generated", "latent", "region",    "item"};
constexpr std::size_t maxTokens = 4'000'000;
constexpr int maxGridSide = 1 << 16;
constexpr std::int64_t maxGridCells = std::int64_t{1} << 22;
constexpr int maxImageSide = 1 << 24;

[[noreturn]] void reject(const std::string& field, const char* expected) {
    throw Error("token map: field " + field + ": expected " + expected,
                "Record the trace again: its token map is damaged.");
}

int integer(const json& value, const std::string& field) {
    if (!value.is_number_integer()) reject(field, "an integer");
    const auto number = value.get<std::int64_t>();
    if (number < -1 || number > std::numeric_limits<int>::max()) reject(field, "an integer of at least -1");
    return static_cast<int>(number);
}

const json& member(const json& object, const char* name, std::string_view field) {
    if (!object.is_object() || !object.contains(name)) reject(std::string(field) + "." + name, "a value");
    return object.at(name);
}

std::pair<int, int> pairOf(const json& value, const std::string& field) {
    if (!value.is_array() || value.size() != 2) reject(field, "two integers");
    return {integer(value[0], field), integer(value[1], field)};
}

Rect rectOf(const json& value, const std::string& field) {
    if (!value.is_array() || value.size() != 4) reject(field, "four numbers");
    for (const json& number : value)
        if (!number.is_number()) reject(field, "four numbers");
    return {value[0].get<double>(), value[1].get<double>(), value[2].get<double>(), value[3].get<double>()};
}

json toJson(const Rect& rect) { return {rect.x, rect.y, rect.width, rect.height}; }

json toJson(const Token& token) {
    json value = {{"i", token.index}, {"kind", tokenKindName(token.kind)}};
    if (!token.text.empty()) value["text"] = token.text;
    if (token.image >= 0) value["image"] = token.image;
    if (token.row >= 0) value["grid"] = {token.row, token.column};
    if (!token.rect.empty()) value["rect"] = toJson(token.rect);
    return value;
}

TokenKind kindOf(const json& value, const std::string& field) {
    if (value.is_string())
        for (std::size_t i = 0; i < kindNames.size(); ++i)
            if (value.get<std::string>() == kindNames[i]) return static_cast<TokenKind>(i);
    reject(field, "a token kind");
}

Token tokenOf(const json& value, const std::string& field) {
    Token token;
    token.index = integer(member(value, "i", field), field + ".i");
    token.kind = kindOf(member(value, "kind", field), field + ".kind");
    if (value.contains("text")) {
        if (!value["text"].is_string()) reject(field + ".text", "a text");
        token.text = value["text"].get<std::string>();
    }
    if (value.contains("image")) token.image = integer(value["image"], field + ".image");
    if (value.contains("grid")) std::tie(token.row, token.column) = pairOf(value["grid"], field + ".grid");
    if (value.contains("rect")) token.rect = rectOf(value["rect"], field + ".rect");
    return token;
}

StageTokens stageOf(const std::string& name, const json& value) {
    const std::string field = "stages." + name;
    if (!value.is_array() || value.size() > maxTokens) reject(field, "a list of tokens");
    StageTokens stage;
    stage.stage = name;
    for (const json& entry : value) {
        Token token = tokenOf(entry, field + "[" + std::to_string(stage.tokens.size()) + "]");
        if (token.index != stage.size()) reject(field, "tokens in order of their index");
        if (token.row >= maxGridSide || token.column >= maxGridSide)
            reject(field, "rows and columns below 65536");
        stage.gridRows = std::max(stage.gridRows, token.row + 1);
        stage.gridColumns = std::max(stage.gridColumns, token.column + 1);
        stage.tokens.push_back(std::move(token));
    }
    if (std::int64_t{stage.gridRows} * stage.gridColumns > maxGridCells)
        reject(field, "a grid of at most 4194304 cells");
    return stage;
}

ImageGeometry imageOf(const json& value, const std::string& field) {
    ImageGeometry image;
    image.width = integer(member(value, "width", field), field + ".width");
    image.height = integer(member(value, "height", field), field + ".height");
    if (image.width > maxImageSide || image.height > maxImageSide)
        reject(field, "sides up to 16777216 pixels");
    std::tie(image.gridRows, image.gridColumns) = pairOf(member(value, "grid", field), field + ".grid");
    if (value.contains("unread"))
        for (const json& rect : value["unread"]) image.unread.push_back(rectOf(rect, field + ".unread"));
    return image;
}

}  // namespace

const char* tokenKindName(TokenKind kind) { return kindNames[static_cast<std::size_t>(kind)]; }

int StageTokens::prefixTokens() const {
    int count = 0;
    for (const Token& token : tokens) {
        if (token.kind == TokenKind::Image) return count;
        ++count;
    }
    return count;
}

std::vector<int> StageTokens::imageTokens() const {
    std::vector<int> indices;
    for (const Token& token : tokens)
        if (token.kind == TokenKind::Image) indices.push_back(token.index);
    return indices;
}

int StageTokens::tokenAt(int row, int column) const {
    for (const Token& token : tokens)
        if (token.kind == TokenKind::Image && token.row == row && token.column == column) return token.index;
    return -1;
}

const StageTokens& TokenMap::stage(const std::string& name) const {
    for (const StageTokens& candidate : stages)
        if (candidate.stage == name) return candidate;
    std::string known;
    for (const StageTokens& candidate : stages) known += (known.empty() ? "" : ", ") + candidate.stage;
    throw Error("the token map has no stage \"" + name + "\"", "its stages: " + known, ErrorCode::Usage);
}

json toJson(const TokenMap& map) {
    json stages = json::object(), images = json::array();
    for (const StageTokens& stage : map.stages) {
        json tokens = json::array();
        for (const Token& token : stage.tokens) tokens.push_back(toJson(token));
        stages[stage.stage] = std::move(tokens);
    }
    for (const ImageGeometry& image : map.images) {
        json unread = json::array();
        for (const Rect& rect : image.unread) unread.push_back(toJson(rect));
        images.push_back({{"width", image.width},
                          {"height", image.height},
                          {"grid", {image.gridRows, image.gridColumns}},
                          {"unread", std::move(unread)}});
    }
    return {{"stages", std::move(stages)}, {"images", std::move(images)}};
}

TokenMap tokenMapFromJson(const json& value) {
    TokenMap map;
    const json& stages = member(value, "stages", "");
    if (!stages.is_object()) reject("stages", "an object");
    for (const auto& [name, tokens] : stages.items()) map.stages.push_back(stageOf(name, tokens));
    const json& images = member(value, "images", "");
    if (!images.is_array()) reject("images", "a list");
    for (const json& image : images)
        map.images.push_back(imageOf(image, "images[" + std::to_string(map.images.size()) + "]"));
    return map;
}

}  // namespace fovea
