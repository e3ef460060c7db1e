#include "session/engine.h"

#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "fovea/error.h"
#include "fovea/run.h"
#include "session/capture_union.h"
#include "session/finding_file.h"
#include "session/picture_sheet.h"
#include "session/recipe.h"

using namespace fovea;

namespace {

Session demo() {
    Session session;
    session.model.reference = std::string(FOVEA_SOURCE_DIR) + "/resources/demo_models/vit-scenes";
    session.model.device = "cpu";
    session.input.images = {"scene:7"};
    session.analyses = {{"attention_from", {{"layers", "last"}}}};
    session.pictures.emplace_back();
    return session;
}

Engine engine() {
    return Engine(
        std::make_shared<const Catalog>(makeCatalog()),
        std::make_shared<const viz::PainterCatalog>(viz::makePainterCatalog()),
        [](const std::filesystem::path& file) -> Pixels { throw Error(file.string() + ": no files here"); });
}

/// A folder with an adapter of rank 1 on the first query matrix of a ViT.
std::string writtenAdapter(int hidden) {
    const auto folder = std::filesystem::temp_directory_path() / "fovea-engine-test" / "adapter";
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "adapter_config.json") << R"({"peft_type": "LORA", "r": 1, "lora_alpha": 4})";
    const std::string module = "base_model.model.vit.encoder.layer.0.attention.attention.query.lora_";
    const int bytes = 4 * hidden;
    const nlohmann::json header = {
        {module + "A.weight", {{"dtype", "F32"}, {"shape", {1, hidden}}, {"data_offsets", {0, bytes}}}},
        {module + "B.weight", {{"dtype", "F32"}, {"shape", {hidden, 1}}, {"data_offsets", {bytes, 2 * bytes}}}}};
    const std::string text = header.dump();
    const auto size = static_cast<std::uint64_t>(text.size());
    std::ofstream file(folder / "adapter_model.safetensors", std::ios::binary);
    file.write(reinterpret_cast<const char*>(&size), 8);
    file << text;
    for (int i = 0; i < 2 * hidden; ++i) {
        const float value = 0.05F * static_cast<float>(i % 7 - 3);
        file.write(reinterpret_cast<const char*>(&value), 4);
    }
    return folder.string();
}

int layersOf(const Model& model) {
    return model.spec().stages.front().layers;
}

}  // namespace

TEST_CASE("results come from the cache until something that they depend on changes") {
    Engine e = engine();
    Session session = demo();
    const JobContext job;
    const auto model = e.model(session, job);
    CHECK(e.model(session, job) == model);
    CHECK(e.input(session, job) == e.input(session, job));
    const auto first = e.analyse(session, 0, 0, job);
    CHECK(e.analyse(session, 0, 0, job) == first);
    session.pictures[0].display.colormap = "viridis";
    CHECK(e.analyse(session, 0, 0, job) == first);
    session.analyses[0].params["heads"] = "0";
    CHECK(e.analyse(session, 0, 0, job) != first);
    session.input.images = {"scene:8"};
    CHECK(e.model(session, job) == model);
}

TEST_CASE("an answer whose edit begins with one of its words keeps those before") {
    const auto ask = [](Session& session, const std::string& queries) {
        session.edits = {{"scale_keys", {{"tokens", "0"}, {"factor", 0.01}, {"queries", queries}}, true}};
    };
    Session session;
    session.model.reference = std::string(FOVEA_SOURCE_DIR) + "/resources/demo_models/vlm-scenes";
    session.model.device = "cpu";
    session.input.images = {"scene:7"};
    session.input.prompt = "Name all objects.";
    session.input.maxNewTokens = 8;
    session.analyses = {{"attention_from", {{"layers", "last"}}}};
    const JobContext job;
    Engine e = engine();
    const auto plain = e.answer(session, 0, {}, job);
    REQUIRE(plain->ids.size() > 3);
    CHECK(plain->resumedAt == -1);
    ask(session, "answer:2-last");
    const auto edited = e.answer(session, 0, {}, job);
    CHECK(edited->resumedAt == 2);
    Engine fresh = engine();
    const auto full = fresh.answer(session, 0, {}, job);
    CHECK(full->resumedAt == -1);
    CHECK(full->ids == edited->ids);
    for (const int site : full->trace->sites()) CHECK(full->trace->probabilities(site) == edited->trace->probabilities(site));
    // The latest answer is not the one that has most in common.
    ask(session, "answer:3");
    CHECK(e.answer(session, 0, {}, job)->resumedAt == 3);
    ask(session, "all");
    const auto prompt = e.answer(session, 0, {}, job);
    CHECK(prompt->resumedAt == -1);
    CHECK(prompt->keptPictures);
    CHECK(prompt->blocksResumed == e.model(session, job)->spec().stage("vision").layers);
    // Of a prompt that an edit first concerns in a late block the blocks before it stay.
    const int layers = e.model(session, job)->spec().stage("text").layers;
    session.edits = {{"mute_heads", {{"layers", std::to_string(layers - 1)}, {"heads", "0"}}, true}};
    const auto late = e.answer(session, 0, {}, job);
    CHECK(late->blocksResumed == prompt->blocksResumed + layers - 1);
    const auto whole = engine().answer(session, 0, {}, job);
    CHECK(whole->blocksResumed == 0);
    CHECK(whole->ids == late->ids);
    for (const int site : whole->trace->sites()) CHECK(whole->trace->probabilities(site) == late->trace->probabilities(site));
    // After memory ran out nothing is kept.
    e.saveMemory();
    CHECK_FALSE(e.answer(session, 0, {}, job)->state);
}

TEST_CASE("an edit of a late block runs the late blocks alone, with the numbers of a full run") {
    Engine e = engine();
    Session session = demo();
    const JobContext job;
    CaptureRequest capture;
    capture.qkv = true;
    const int layers = layersOf(*e.model(session, job));
    CHECK(e.run(session, 0, capture, job)->blocksRun == layers);
    session.edits = {{"mute_heads", {{"layers", std::to_string(layers - 2)}, {"heads", "0"}}, true}};
    const auto resumed = e.run(session, 0, capture, job);
    CHECK(resumed->blocksRun == 2);
    CHECK(resumed->blocksResumed == layers - 2);
    Engine fresh = engine();
    const auto whole = fresh.run(session, 0, capture, job);
    CHECK(whole->blocksRun == layers);
    CHECK(whole->trace->output("logits") == resumed->trace->output("logits"));
    session.edits[0].enabled = false;
    const auto plain = e.run(session, 0, capture, job);
    CHECK(plain->trace->output("logits") == engine().run(demo(), 0, capture, job)->trace->output("logits"));
}

TEST_CASE("the strength of an adapter changes the run, not the model") {
    Engine e = engine();
    Session session = demo();
    const JobContext job;
    const auto hidden = e.model(session, job)->spec().stages.front().hidden;
    session.analyses.clear();
    session.pictures.clear();
    session.model.adapters = {{writtenAdapter(hidden), 0}};
    const auto model = e.model(session, job);
    CaptureRequest capture;
    capture.output = true;
    const auto logits = [&](double strength) {
        session.model.adapters[0].strength = strength;
        CHECK(e.model(session, job) == model);
        return e.run(session, 0, capture, job)->trace->output("logits").values;
    };
    const auto off = logits(0), half = logits(0.5), whole = logits(1);
    CHECK(off != half);
    CHECK(half != whole);
    CHECK(logits(0) == off);
    Session base = session;
    base.model.adapters.clear();
    CHECK(e.run(base, 0, capture, job)->trace->output("logits").values == off);
}

TEST_CASE("the estimate is what the run will be checked against, edits included") {
    Engine e = engine();
    Session session = demo();
    const JobContext job;
    const MemoryEstimate plain = e.estimate(session, job);
    CHECK(e.run(session, 0, {}, job)->estimate.run() == plain.run());
    session.edits = {{"scale_keys", {{"tokens", "cls"}, {"factor", 0.5}}, true}};
    const MemoryEstimate edited = e.estimate(session, job);
    CHECK(edited.run() > plain.run());
    CHECK(engine().run(session, 0, {}, job)->estimate.run() == edited.run());
    session.edits[0].enabled = false;
    CHECK(e.estimate(session, job).run() == plain.run());
}

TEST_CASE("several maps become a grid of maps; an overlay of them has the scale of their mean") {
    Engine e = engine();
    Session session = demo();
    session.analyses[0].params = {{"layers", "all"}, {"planes", "layers_heads"}};
    const JobContext job;
    const auto grid = e.paint(session, 0, 0, job);
    CHECK(grid->painter == "head_grid");
    const Finding& maps = e.analyse(session, 0, 0, job)->findings.front();
    // Few cells outshine the rest of the demo's heads: the grid's scale ends before them unless it is asked not to.
    const viz::PainterEntry& small = e.painters().get("head_grid");
    CHECK(grid->linked == viz::valueRange(small.reduced(maps, checkedParams(small.info, nullptr))));
    CHECK(grid->linked.second < viz::valueRange(maps).second);
    session.pictures[0].params = {{"cut", 0.0}};
    CHECK(e.paint(session, 0, 0, job)->linked == viz::valueRange(maps));
    session.pictures[0].params = nlohmann::json::object();

    session.pictures[0].painter = "heat_overlay";
    const auto overlay = e.paint(session, 0, 0, job);
    const viz::PainterEntry& painter = e.painters().get("heat_overlay");
    const Finding mean = painter.reduced(maps, checkedParams(painter.info, nullptr));
    CHECK(overlay->linked == viz::valueRange(mean));
    CHECK(overlay->linked.second < grid->linked.second);
    CHECK(overlay->picture.title.find("each head") == std::string::npos);

    // Both in one session: each keeps to pictures of its own kind; two overlays share a range.
    session.pictures.push_back(session.pictures[0]);
    session.pictures[1].painter.clear();
    CHECK(e.paint(session, 0, 0, job)->linked == overlay->linked);
    CHECK(e.paint(session, 1, 0, job)->linked == grid->linked);
    session.analyses.push_back(session.analyses[0]);
    session.analyses[1].params["queries"] = "7";
    session.pictures.push_back(session.pictures[0]);
    session.pictures[2].analysis = 1;
    const auto shared = e.paint(session, 0, 0, job)->linked;
    CHECK(shared == e.paint(session, 2, 0, job)->linked);
    CHECK(shared.second >= overlay->linked.second);
}

TEST_CASE("one run serves all analyses of a session") {
    Engine e = engine();
    Session session = demo();
    session.analyses.push_back({"rollout", nlohmann::json::object()});
    const JobContext job;
    const auto run = e.run(session, 0, {}, job);
    e.analyse(session, 0, 0, job);
    e.analyse(session, 1, 0, job);
    CHECK(e.run(session, 0, {}, job) == run);
}

TEST_CASE("pictures say how they were made, and their document makes them again") {
    Engine e = engine();
    Session session = demo();
    session.input.images = {"scene:7", "scene:8"};
    session.pictures.push_back(session.pictures[0]);
    session.pictures[1].display.scale = "picture";
    const JobContext job;
    const auto picture = e.paint(session, 0, 1, job);
    CHECK(picture->recipe.find("scene 8") != std::string::npos);
    CHECK(picture->recipe.find("linked scale") != std::string::npos);
    CHECK(picture->recipe.find("no edits") != std::string::npos);
    const Session again = sessionFromText(picture->document);
    CHECK(again.input.images == std::vector<std::string>{"scene:8"});
    Engine other = engine();
    const auto repeated = other.paint(again, 0, 0, job);
    CHECK(repeated->recipe == picture->recipe);
    CHECK(repeated->document == picture->document);
    CHECK(repeated->picture.layers.size() == picture->picture.layers.size());
    CHECK(e.paint(session, 1, 1, job)->recipe != picture->recipe);
}

TEST_CASE("pictures of one prompt stay together in recipe and document; items of their own do not") {
    Session session = demo();
    session.input.images = {"scene:7", "scene:8"};
    const EntryInfo info{"attention_from", "", "", {{"layers", ParamType::Layers, "last"}}};
    RecipeParts parts;
    CHECK(reproducing(session, 0, parts).input.images == session.input.images);
    CHECK(recipeLine(session, session.pictures[0], info, parts).find(" | scene 7 + scene 8 | ") != std::string::npos);
    parts.item = 1, parts.items = 2;
    CHECK(reproducing(session, 0, parts).input.images == std::vector<std::string>{"scene:8"});
    CHECK(recipeLine(session, session.pictures[0], info, parts).find(" | scene 8 | ") != std::string::npos);
}

TEST_CASE("maps of a prompt's pictures are drawn one by one, each picture once") {
    const viz::PainterCatalog painters = viz::makePainterCatalog();
    const auto map = [](const std::string& name, int image) {
        Grid grid;
        grid.rows = 1, grid.columns = 2, grid.image = image;
        grid.planes = {""};
        grid.values = {0, 1};
        return Finding{name, "", "", "", grid};
    };
    std::vector<Finding> findings{map("map", 0), map("map 1", 0), map("map 2", 1), map("other", 2)};
    findings.push_back({"scores", "", "", "", TokenScores{"vision", {0, 1}}});
    using Names = std::vector<std::string>;
    PictureRequest picture;
    CHECK(findingsDrawn(findings, picture, painters) == Names{"map", "map 2"});
    picture.painter = "token_strip";
    CHECK(findingsDrawn(findings, picture, painters) == Names{"scores"});
    picture.painter.clear();
    picture.finding = "map 1";
    CHECK(findingsDrawn(findings, picture, painters) == Names{"map 1"});
    picture.finding = "nothing";
    CHECK(findingsDrawn(findings, picture, painters).empty());
    picture.finding = "maps";
    CHECK(findingsDrawn(findings, picture, painters) == Names{"maps"});
    const auto names = [&](const SessionInput& input, const std::string& finding, const std::string& painter) {
        picture.finding = finding, picture.painter = painter;
        Names made;
        for (const PictureRequest& request : picturesDrawn(input, picture, findings, painters)) made.push_back(request.finding);
        return made;
    };
    SessionInput film;
    film.video = "film.mp4";
    CHECK(names({}, "", "") == Names{"map", "map 2"});
    CHECK(names({}, "maps", "") == Names{"maps"});
    CHECK(names({}, "", "token_strip") == Names{""});
    CHECK(names(film, "", "") == Names{"maps"});
    CHECK(names(film, "", "head_grid") == Names{"map", "map 2"});
}

TEST_CASE("a sheet has the finest map of each picture, sixteen a page, and says what it leaves out") {
    std::vector<Finding> findings;
    const auto add = [&](int image) {
        Grid grid;
        grid.rows = 1, grid.columns = 2, grid.image = image;
        grid.planes = {""};
        grid.values = {0, 1};
        const std::string name = findings.empty() ? "map" : "map " + std::to_string(findings.size());
        findings.push_back({name, "Attention, picture " + std::to_string(image + 1), "probability", "", grid});
    };
    add(0);
    CHECK(sheetNames(findings).empty());
    CHECK_FALSE(sheetOf(findings, "maps"));
    add(0);
    add(1);
    using Names = std::vector<std::string>;
    CHECK(sheetNames(findings) == Names{"maps"});
    CHECK(sheetTitles(findings) == Names{"All pictures"});
    const auto small = sheetOf(findings, "maps");
    REQUIRE(small);
    CHECK(small->maps == std::vector<const Finding*>{&findings[0], &findings[2]});
    CHECK(sheetCaption(*small).title == "Attention");
    REQUIRE(sheetRemarks(*small).size() == 1);
    CHECK(sheetRemarks(*small)[0].starts_with("Of pictures with several views the finest is drawn"));
    for (const char* wrong : {"map", "maps 0", "maps 1", "maps x", "maps 1x", "mapss", ""}) CHECK_FALSE(sheetOf(findings, wrong));
    for (int image = 2; image < 40; ++image) add(image);
    CHECK(sheetNames(findings) == Names{"maps", "maps 1", "maps 2"});
    CHECK(sheetTitles(findings)[2] == "Pictures 32 to 39 of 40");
    const auto last = sheetOf(findings, "maps 2");
    REQUIRE(last);
    CHECK(last->maps.size() == 8);
    CHECK(std::get<Grid>(last->maps[0]->data).image == 32);
    CHECK(sheetCaption(*last).title == "Attention, pictures 32 to 39 of 40");
    CHECK(sheetRemarks(*last)[0] ==
          "Pictures 32 to 39 of 40. The others: 0 to 15 (\"maps\"), 16 to 31 (\"maps 1\"); choose them as the result, or with "
          "--finding.");
    CHECK_FALSE(sheetOf(findings, "maps 3"));
}

TEST_CASE("a recipe begins prompt and answer where there are any") {
    Session session = demo();
    const EntryInfo info{"attention_from", "", "", {{"layers", ParamType::Layers, "last"}}};
    RecipeParts parts;
    const std::string none = recipeLine(session, session.pictures[0], info, parts);
    CHECK(none.find("prompt") == std::string::npos);
    CHECK(none.find("answer") == std::string::npos);
    session.input.prompt = "Where is\nthe star?";
    parts.answer = " On the left.";
    CHECK(recipeLine(session, session.pictures[0], info, parts)
              .find(" | prompt \"Where is the star?\" | answer \"On the left.\" | attention_from: ") != std::string::npos);
    // The chat file's question comes with its name, and nothing is said of pictures that there are none of.
    session.input.chat = "talks/talk.json";
    session.input.images.clear();
    parts.prompt = "And the ring?";
    CHECK(recipeLine(session, session.pictures[0], info, parts)
              .find(") | chat talk.json | prompt \"And the ring?\" | answer ") != std::string::npos);
    session.input.video = "films/a.mp4";
    CHECK(recipeLine(session, session.pictures[0], info, parts).find(") | video a.mp4 | chat talk.json | ") != std::string::npos);
    session.input.chat.clear();
    parts.prompt.clear();
    // Cut between characters, not bytes.
    session.input.prompt.clear();
    std::string cut;
    for (int i = 0; i < 60; ++i) cut += "\xC3\xA9";
    for (int i = 0; i < 80; ++i) session.input.prompt += "\xC3\xA9";
    CHECK(recipeLine(session, session.pictures[0], info, parts).find("prompt \"" + cut + "...\" | ") != std::string::npos);
}

TEST_CASE("a recipe names a scale where values become colours, and the one that is drawn") {
    Engine e = engine();
    const JobContext job;
    Session session = demo();
    session.pictures.resize(1);
    for (const char* id : {"dependency_tree", "head_statistics", "scanpath"}) {
        session.analyses = {{id, nlohmann::json::object()}};
        session.pictures[0].analysis = 0;
        const auto picture = e.paint(session, 0, 0, job);
        INFO(id);
        CHECK(picture->recipe.find("scale") == std::string::npos);
        CHECK(picture->linked == std::pair(0.0, 0.0));
    }
    session.analyses = {{"gradient_x_input", nlohmann::json::object()}};
    const auto signedMap = e.paint(session, 0, 0, job);
    CHECK(signedMap->linked.first == -signedMap->linked.second);
    CHECK(signedMap->linked.second > 0);
    CHECK(signedMap->recipe.find("linked scale -") != std::string::npos);
    // A few pixels outshine all others: the scale ends before them, and the recipe says so until every value is asked for.
    session.analyses = {{"input_gradient", nlohmann::json::object()}};
    const auto cut = e.paint(session, 0, 0, job);
    CHECK(cut->recipe.find(", cut at percentile 99") != std::string::npos);
    CHECK(e.paint(sessionFromText(cut->document), 0, 0, job)->recipe == cut->recipe);
    session.pictures[0].params = {{"cut", 0}};
    const auto whole = e.paint(session, 0, 0, job);
    CHECK(whole->recipe.find("cut at") == std::string::npos);
    CHECK(whole->linked.second > 2 * cut->linked.second);
}

TEST_CASE("a recipe names layers, heads and what else selects data, defaults included") {
    Engine e = engine();
    const JobContext job;
    Session session = demo();
    session.pictures.resize(1);
    const auto recipeOf = [&](const char* id, const nlohmann::json& params) {
        session.analyses = {{id, params}};
        return e.paint(session, 0, 0, job)->recipe;
    };
    const nlohmann::json none = nlohmann::json::object();
    CHECK(recipeOf("attention_from", none)
              .find(" | attention_from: layers last, heads all, queries auto, fusion mean, weights effective | ") !=
          std::string::npos);
    CHECK(recipeOf("scanpath", {{"map_params", R"({"discard": 0.5})"}})
              .find(" | scanpath: map rollout (heads all, fusion mean, discard 0.5, start_layer 0, queries auto, "
                    "weights effective), next winner_take_all, fixations 8 | ") != std::string::npos);
    const std::string sinks = recipeOf("sinks", {{"ratio", 6}});
    CHECK(sinks.find("sinks: layers all, heads all, rule relative, ratio 6") != std::string::npos);
    const nlohmann::json effective = computeNumbers(e, session, 0, job).params;
    CHECK(effective.at("ratio").get<double>() == 6);
    CHECK(effective.at("min_rate").get<double>() == 0.4);
}

TEST_CASE("a number whose lowest value means more has a word for it, on the command line and in the recipe") {
    ParamSpec rows;
    rows.name = "rows";
    rows.type = ParamType::Integer;
    rows.defaultValue = 24;
    rows.minimum = 0;
    rows.maximum = 400;
    rows.choices = {"all"};
    const EntryInfo info{"sinks", "", "", {rows}};
    CHECK(paramFromText(info, "rows", "all") == 0);
    CHECK(paramFromText(info, "rows", "7") == 7);
    CHECK(checkedParams(info, {{"rows", "all"}}).at("rows") == 0);
    CHECK_THROWS_WITH_AS(paramFromText(info, "rows", "none"), doctest::Contains("or \"all\""), Error);
    CHECK(wordOf(rows, 0) == "all");
    CHECK(wordOf(rows, 1).empty());
    CHECK(toJson(info).at("params").at(0).at("lowest") == "all");
    Session session = demo();
    session.analyses[0].params = {{"rows", "all"}};
    CHECK(recipeLine(session, session.pictures[0], info, {}).find(" | sinks: rows all | ") != std::string::npos);
}

TEST_CASE("requests that cannot be served are errors of the right kind") {
    Engine e = engine();
    const JobContext job;
    const auto codeOf = [&](const Session& session) {
        try {
            e.paint(session, 0, 0, job);
        } catch (const Error& error) {
            return error.code();
        }
        return ErrorCode::Internal;
    };
    // First: a run that is already held needs no memory and is served whatever the budget.
    Session session = demo();
    session.budget = "1KiB";
    CHECK(codeOf(session) == ErrorCode::Memory);
    session = demo();
    session.analyses[0].id = "no_such";
    CHECK(codeOf(session) == ErrorCode::Usage);
    session = demo();
    session.pictures[0].finding = "no_such";
    CHECK(codeOf(session) == ErrorCode::Usage);
    session = demo();
    session.pictures[0].painter = "chart";
    CHECK(codeOf(session) == ErrorCode::Usage);
    session = demo();
    session.input.images.clear();
    CHECK(codeOf(session) == ErrorCode::Usage);
    session = demo();
    session.input.images = {"a.png"};
    CHECK(codeOf(session) == ErrorCode::Input);
    CHECK_THROWS_AS(e.paint(demo(), 5, 0, job), Error);
    CHECK_THROWS_AS(e.paint(demo(), 0, 5, job), Error);
}

TEST_CASE("a stopped job unwinds, and the engine goes on working") {
    Engine e = engine();
    const Session session = demo();
    e.model(session, JobContext());
    std::stop_source stop;
    int reports = 0;
    const JobContext stopping(stop.get_token(), [&](double, std::string_view) {
        if (++reports == 4) stop.request_stop();
    });
    CHECK_THROWS_AS(e.paint(session, 0, 0, stopping), Cancelled);
    CHECK(e.paint(session, 0, 0, JobContext())->picture.layers.size() > 0);
}

TEST_CASE("memory can be given back between results") {
    Engine e = engine();
    const JobContext job;
    const auto before = e.paint(demo(), 0, 0, job);
    e.saveMemory();
    CHECK(e.paint(demo(), 0, 0, job)->recipe == before->recipe);
}

TEST_CASE("captures unite to what serves both") {
    CaptureRequest a, b, none;
    a.qkv = true, a.sites = {"vision.1.self"};
    b.lse = b.hidden = true, b.sites = {"vision.2.self"};
    none.output = false;
    const CaptureRequest both = united(a, b);
    CHECK(covers(both, a));
    CHECK(covers(both, b));
    CHECK(!covers(a, b));
    CHECK(both.sites.size() == 2);
    CaptureRequest all;
    all.qkv = true;
    CHECK(united(a, all).sites.empty());
    CHECK(covers(united(a, all), all));
    CHECK(!covers(a, all));
    CHECK(covers(a, none));
    CHECK(united(none, a).sites == a.sites);
}
