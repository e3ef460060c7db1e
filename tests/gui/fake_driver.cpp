#include "gui/fake_driver.h"

#include <chrono>
#include <cmath>
#include <thread>

#include "fovea/selection.h"
#include "fovea/viz/export.h"
#include "views/input_picture.h"

namespace fovea::gui {

namespace {

constexpr int side = 14, cell = 16, layers = 12, heads = 3;

ParamSpec param(const char* name, ParamType type, nlohmann::json value, const char* help) {
    ParamSpec spec;
    spec.name = name;
    spec.type = type;
    spec.defaultValue = std::move(value);
    spec.help = help;
    return spec;
}

ParamSpec number(const char* name, double value, double low, double high, const char* help) {
    ParamSpec spec = param(name, ParamType::Number, value, help);
    spec.minimum = low;
    spec.maximum = high;
    return spec;
}

ParamSpec choice(const char* name, std::vector<std::string> choices, const char* help) {
    ParamSpec spec = param(name, ParamType::Choice, choices.front(), help);
    spec.choices = std::move(choices);
    return spec;
}

EntryInfo entry(const char* id, const char* title, const char* help, std::vector<ParamSpec> params) {
    return {id, title, help, std::move(params)};
}

Offer scriptedOffer() {
    Offer offer;
    const ParamSpec queries = param("queries", ParamType::Tokens, "cls", "The tokens that look.");
    const ParamSpec layerSpec = param("layers", ParamType::Layers, "last", "The layers that are averaged.");
    const ParamSpec headSpec = param("heads", ParamType::Heads, "all", "The heads that are combined.");
    offer.analyses = {
        entry("attention_from", "Attention from tokens", "Where chosen query tokens look.",
              {queries, layerSpec, headSpec,
               choice("fusion", {"mean", "max", "min"}, "How heads are combined."),
               choice("planes", {"fused", "heads", "layers_heads"}, "One map, or several.")}),
        entry("rollout", "Attention rollout",
              "Attention multiplied through the layers (Abnar and Zuidema, 2020).",
              {choice("fusion", {"mean", "max", "min"}, "How heads are combined."),
               number("discard", 0, 0, 0.95, "Share of the weakest attention that is dropped."),
               param("start_layer", ParamType::Integer, 0, "First layer that takes part.")}),
        entry("input_gradient", "Input gradient",
              "Gradient of a class score at the input (Simonyan et al., 2014).",
              {param("target", ParamType::Class, -1, "The class."),
               param("signed", ParamType::Bool, false, "Keeps the sign.")}),
        entry("dependency_tree", "Dependency tree", "Tokens as a tree of who reads whom.", {layerSpec}),
        entry("box_readers", "Readers of a box", "Which tokens look at a box.",
              {param("box", ParamType::Text, "", "The box."), param("picture", ParamType::Integer, 0, "The picture.")}),
    };
    offer.interventions = {
        entry("scale_keys", "Scale keys", "Multiplies the attention on chosen tokens.",
              {param("keys", ParamType::Tokens, "prefix", "The tokens."),
               number("factor", 0.5, 0, 4, "The factor."), layerSpec}),
        entry("mute_heads", "Mute heads", "Sets the output of heads to zero.", {layerSpec, headSpec}),
        entry("temperature", "Temperature", "Divides the logits before the softmax.",
              {number("temperature", 1, 0.05, 10, "Above 1 is softer."), layerSpec}),
    };
    const auto painter = [](const char* id, const char* title, std::vector<std::string> kinds) {
        return PainterOffer{entry(id, title, title, {}), std::move(kinds)};
    };
    offer.painters = {painter("heat_overlay", "Heat overlay", {"Grid"}),
                      painter("head_grid", "Head grid", {"Grid"}),
                      painter("matrix", "Matrix", {"PairMatrix"}),
                      painter("tree", "Tree", {"Tree"}),
                      painter("chart", "Chart", {"Series"}),
                      painter("table", "Table", {"Table"}),
                      painter("token_strip", "Tokens", {"TokenScores"})};
    for (const char* name : {"inferno", "viridis", "grey"}) {
        ColormapOffer map{name, {}, {}};
        for (int i = 0; i < 32; ++i)
            map.samples.push_back({static_cast<std::uint8_t>(i * 8), static_cast<std::uint8_t>(i * i / 4),
                                   static_cast<std::uint8_t>(120 - 2 * i), 255});
        offer.colormaps.push_back(std::move(map));
    }
    return offer;
}

std::shared_ptr<const ModelSpec> scriptedSpec() {
    auto spec = std::make_shared<ModelSpec>();
    spec->family = "vit";
    spec->architecture = "ViTForImageClassification";
    spec->storedDtype = "float16";
    spec->computeDtype = "float32";
    spec->device = "cpu";
    spec->source = "demo_models/vit-scenes";
    spec->parameters = 2800000;
    spec->weightBytes = 11200000;
    spec->stages = {{"vision", layers, 192, side, side, {"cls"}}};
    spec->labels = {"circle", "square", "star", "ring"};
    spec->inputs = {"pixel_values"};
    for (int i = 0; i < layers; ++i) {
        AttentionSite site;
        site.stage = "vision";
        site.block = i;
        site.heads = site.keyValueHeads = heads;
        site.headDim = 64;
        site.module = "vit.encoder.layer." + std::to_string(i) + ".attention.attention";
        spec->sites.push_back(site);
    }
    return spec;
}

Pixels scriptedImage() {
    Pixels image(320, 240);
    for (int y = 0; y < image.height; ++y)
        for (int x = 0; x < image.width; ++x) {
            const bool disc = std::hypot(x - 110, y - 130)<60, box = x> 200 && x < 280 && y > 60 && y < 150;
            std::uint8_t* p = image.at(x, y);
            p[0] = static_cast<std::uint8_t>(disc ? 220 : box ? 40 : 150 + y / 4);
            p[1] = static_cast<std::uint8_t>(disc ? 80 : box ? 110 : 170 + x / 8);
            p[2] = static_cast<std::uint8_t>(disc ? 60 : box ? 200 : 180);
        }
    return image;
}

std::shared_ptr<const ModelInput> scriptedInput() {
    auto input = std::make_shared<ModelInput>();
    Pixels original = scriptedImage();
    Pixels seen(side * cell, side * cell);
    for (int y = 0; y < seen.height; ++y)
        for (int x = 0; x < seen.width; ++x) {
            const std::uint8_t* from = original.at(40 + x * 240 / seen.width, y * 240 / seen.height);
            std::copy(from, from + 3, seen.at(x, y));
        }
    TokenMap map;
    StageTokens stage;
    stage.stage = "vision";
    stage.gridRows = stage.gridColumns = side;
    Token cls;
    cls.kind = TokenKind::Special;
    cls.text = "[CLS]";
    stage.tokens.push_back(cls);
    const double step = 240.0 / side;
    for (int r = 0; r < side; ++r)
        for (int c = 0; c < side; ++c) {
            Token token;
            token.index = stage.size();
            token.image = 0;
            token.row = r;
            token.column = c;
            token.rect = {40 + c * step, r * step, step, step};
            stage.tokens.push_back(token);
        }
    map.stages.push_back(stage);
    map.images.push_back({320, 240, side, side, {{0, 0, 40, 240}, {280, 0, 40, 240}}});
    input->maps.push_back(map);
    input->originals.push_back(std::move(original));
    input->seen.push_back(std::move(seen));
    return input;
}

std::shared_ptr<const ModelSpec> speakingSpec() {
    auto spec = std::make_shared<ModelSpec>(*scriptedSpec());
    spec->family = "llava";
    spec->architecture = "LlavaForConditionalGeneration";
    spec->labels.clear();
    spec->inputs.push_back("input_ids");
    spec->capabilities.generate = true;
    spec->stages.push_back({"text", 6, 256, 0, 0, {}});
    for (int i = 0; i < 6; ++i) {
        AttentionSite site = spec->sites.front();
        site.stage = "text";
        site.block = i;
        site.module = "language_model.model.layers." + std::to_string(i) + ".self_attn";
        spec->sites.push_back(site);
    }
    return spec;
}

void append(StageTokens& stage, TokenKind kind, const char* text) {
    Token token;
    token.index = stage.size();
    token.kind = kind;
    token.text = text;
    stage.tokens.push_back(std::move(token));
}

std::shared_ptr<const ModelInput> spokenInput() {
    auto input = std::make_shared<ModelInput>(*scriptedInput());
    StageTokens text;
    text.stage = "text";
    append(text, TokenKind::Special, "<s>");
    append(text, TokenKind::Text, "USER:");
    for (Token token : input->maps.front().stages.front().tokens) {
        if (token.row < 0) continue;
        token.index = text.size();
        text.tokens.push_back(std::move(token));
    }
    for (const char* word : {"What", " is", " this", "?"}) append(text, TokenKind::Text, word);
    input->maps.front().stages.push_back(std::move(text));
    return input;
}

std::string kindOf(const std::string& analysis) {
    return analysis == "dependency_tree" ? "Tree" : "Grid";
}

TokenMap withAnswer(TokenMap map, const std::vector<AnswerToken>& tokens) {
    for (const AnswerToken& token : tokens)
        append(map.stages.back(), TokenKind::Generated, token.spelling.c_str());
    return map;
}

std::vector<AnswerToken> scriptedAnswer(const Session& session) {
    const std::pair<const char*, const char*> words[] = {
        {"a", "a"}, {session.edits.empty() ? " red" : " blue", session.edits.empty() ? "\u0120red" : "\u0120blue"}, {" star", "\u0120star"}, {"", "</s>"}};
    std::vector<AnswerToken> tokens;
    for (const auto& [piece, spelling] : words) {
        const int at = static_cast<int>(tokens.size());
        if (at == session.input.maxNewTokens) break;
        AnswerToken token;
        token.id = at == 1 && !session.edits.empty() ? 50 : 10 + at;
        token.index = fakePromptLength + at;
        token.piece = piece;
        token.spelling = spelling;
        token.probability = 0.75;
        token.candidates = {{spelling, 0.75}, {"\u0120green", 0.2}};
        tokens.push_back(std::move(token));
    }
    return tokens;
}

int queryOf(const Session& session, int picture, const TokenMap& map) {
    const auto& params =
        session
            .analyses[static_cast<std::size_t>(session.pictures[static_cast<std::size_t>(picture)].analysis)]
            .params;
    const auto tokens = parseTokens(params.value("queries", "cls"), map, map.stages.back().stage);
    return tokens.empty() ? 0 : tokens.front();
}

}  // namespace

FakeDriver::FakeDriver(std::shared_ptr<FakeScript> script)
    : m_script(std::move(script)),
      m_offer(scriptedOffer()),
      m_spec(scriptedSpec()),
      m_speaker(speakingSpec()),
      m_input(scriptedInput()),
      m_spoken(spokenInput()) {}

std::shared_ptr<const ModelSpec> FakeDriver::model(const Session& session, const JobContext&) {
    ++m_script->models;
    if (session.model.reference == "missing")
        throw Error("\"missing\" is no model", "name a folder, or demo:vit", ErrorCode::Input);
    return m_script->speaks ? m_speaker : m_spec;
}

std::shared_ptr<const ModelInput> FakeDriver::input(const Session&, const JobContext&) {
    if (m_script->speaks) return m_spoken;
    if (m_script->items == m_input->count()) return m_input;
    auto several = std::make_shared<ModelInput>(*m_input);
    several->maps.resize(static_cast<std::size_t>(m_script->items), m_input->maps.front());
    several->originals.resize(several->maps.size(), m_input->originals.front());
    several->seen.resize(several->maps.size(), m_input->seen.front());
    return several;
}

MemoryOutlook FakeDriver::outlook(const Session&, const JobContext&) {
    return {{m_spec->weightBytes, 9u << 20, 3u << 20, 0}, 12ull << 30};
}

std::vector<FindingOffer> FakeDriver::findings(const Session& session, int analysis, int item,
                                               const JobContext&) {
    if (item >= m_script->items)
        throw Error("there is no item " + std::to_string(item), {}, ErrorCode::Usage);
    const std::string id = session.analyses[static_cast<std::size_t>(analysis)].id;
    if (kindOf(id) == "Tree") return {{"tree", "Tree", "Tree"}};
    return {{"map", "Map", "Grid"}, {"scores", "Scores per token", "TokenScores"}};
}

std::shared_ptr<const PictureResult> FakeDriver::paint(const Session& session, int picture, int,
                                                       const JobContext& job) {
    ++m_script->paints;
    try {
        const auto end =
            std::chrono::steady_clock::now() + std::chrono::milliseconds(m_script->paintMs.load());
        const double total = std::max(1, m_script->paintMs.load());
        for (auto now = std::chrono::steady_clock::now(); now < end; now = std::chrono::steady_clock::now()) {
            const std::chrono::duration<double, std::milli> left = end - now;
            job.progress(1 - left.count() / total, "painting");
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    } catch (const Cancelled&) {
        ++m_script->stopped;
        throw;
    }
    if (m_script->failPaint)
        throw Error("needs 6.0 GiB, 4.0 GiB are there", "choose fewer layers", ErrorCode::Memory);

    for (const auto& [name, value] : session.pictures[static_cast<std::size_t>(picture)].params.items())
        throw Error("the painter has no parameter \"" + name + "\"", {}, ErrorCode::Usage);
    TokenMap map = (m_script->speaks ? m_spoken : m_input)->maps.front();
    if (m_script->speaks) map = withAnswer(std::move(map), scriptedAnswer(session));
    const int query = queryOf(session, picture, map);
    const DisplayOptions& display = session.pictures[static_cast<std::size_t>(picture)].display;
    auto result = std::make_shared<PictureResult>();
    viz::Picture& out = result->picture;
    out.width = 400;
    out.height = 330;
    out.title = "Attention from token " + std::to_string(query);
    out.document = toJson(session).dump();
    result->document = out.document;
    result->painter = session.pictures[static_cast<std::size_t>(picture)].painter;
    result->finding = "map";
    out.images.push_back({0, {20, 20, 320, 240}, {0, 0, 320, 240}});
    out.layers.push_back({"image", {}});
    out.layers.back().marks.emplace_back(rasterOf(m_input->originals.front(), {20, 20, 320, 240}, 1000));
    viz::Layer heat{"heat", {}}, legend{"legend", {}}, recipe{"recipe", {}};
    for (const Token& token : map.stages.front().tokens) {
        if (token.row < 0) continue;
        const double distance =
            query == 0 ? std::hypot(token.row - 7, token.column - 5)
                       : std::hypot(token.row - (query - 1) / side, token.column - (query - 1) % side);
        const double value = std::exp(-distance * distance / 8);
        const Rect rect{20 + token.rect.x, 20 + token.rect.y, token.rect.width, token.rect.height};
        viz::Color color{static_cast<std::uint8_t>(255 * value),
                         static_cast<std::uint8_t>(160 * value * value), 60,
                         static_cast<std::uint8_t>(255 * display.opacity)};
        heat.marks.emplace_back(viz::RectMark{rect, {{0, 0, 0, 0}, 0, color, false}, 0});
        out.hits.push_back({rect, token.index, "vision", value * 0.1, {}, token.rect});
    }
    for (int i = 0; i < 64; ++i)
        legend.marks.emplace_back(
            viz::RectMark{{352, 260 - i * 3.75, 12, 3.75},
                          {{0, 0, 0, 0},
                           0,
                           {static_cast<std::uint8_t>(4 * i), static_cast<std::uint8_t>(i * i / 26), 60, 255},
                           false},
                          0});
    viz::TextMark label;
    label.position = {368, 264};
    label.text = "0";
    label.size = 11;
    legend.marks.emplace_back(label);
    label.position = {368, 30};
    label.text = "0.1";
    legend.marks.emplace_back(label);
    label.position = {20, 305};
    label.text = "demo:vit  scene:1  attention_from queries " + std::to_string(query);
    recipe.marks.emplace_back(label);
    out.layers.push_back(std::move(heat));
    out.layers.push_back(std::move(legend));
    out.layers.push_back(std::move(recipe));
    return result;
}

std::shared_ptr<const PictureResult> FakeDriver::paintDifference(const Session& a, const Session& b,
                                                                 int picture, int item,
                                                                 const JobContext& job) {
    if (a.seed != b.seed) throw Error("seeds cannot be subtracted", {}, ErrorCode::Usage);
    return paint(b, picture, item, job);
}

std::vector<SiteSummary> FakeDriver::summary(const Session&, int, const JobContext&) {
    std::vector<SiteSummary> summary;
    for (int i = 0; i < layers; ++i)
        summary.push_back(
            {i, {0.05 * i, 0.02 * i, 0.08 * i}, {4.5 - 0.3 * i, 3.0 - 0.1 * i, 2.0 + 0.15 * i}, {0.9, 0.8, std::nan("")}});
    return summary;
}

std::vector<Answer> FakeDriver::answers(const Session& session, int, const JobContext&) {
    return {{session.edits.empty() ? "circle" : "ring", 0.75}, {"star", 0.2}};
}

std::shared_ptr<const TextAnswer> FakeDriver::answer(const Session& session, int, const AnswerCallback& onToken,
                                                     const JobContext& job) {
    auto answer = std::make_shared<TextAnswer>();
    answer->stop = StopReason::EndToken;
    for (const AnswerToken& token : scriptedAnswer(session)) {
        for (int waited = 0; waited < m_script->tokenMs; ++waited) {
            if (job.stopRequested()) {
                ++m_script->stopped;
                answer->stop = StopReason::Cancelled;
                return answer;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        answer->tokens.push_back(token);
        ++m_script->told;
        onToken(token);
    }
    if (session.input.maxNewTokens == static_cast<int>(answer->tokens.size())) answer->stop = StopReason::Length;
    answer->map = withAnswer(m_spoken->maps.front(), answer->tokens);
    return answer;
}

std::shared_ptr<const BoxReaders> FakeDriver::readers(const Session& session, int, const JobContext&) {
    const auto query = boxQuery(session);
    if (!query) return {};
    ++m_script->readers;
    auto readers = std::make_shared<BoxReaders>(BoxReaders{"text", std::vector<float>(fakePromptLength, 0.0F)});
    for (int i = 1; i <= 4; ++i) readers->scores.push_back(static_cast<float>(query->box.width * i / 1000));
    return readers;
}

std::vector<int> FakeDriver::sitesTouched(const Session& session, int, const JobContext&) {
    return std::vector<int>(session.edits.size(), layers);
}

void FakeDriver::exportPicture(const Session& session, int picture, int item,
                               const std::filesystem::path& file, const JobContext& job) {
    viz::exportPicture(paint(session, picture, item, job)->picture, file, {150, true});
}

}  // namespace fovea::gui
