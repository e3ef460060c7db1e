// Analyses on traces that were opened again: which stage they are about, and whose tokens its keys are.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "analyses/test_context.h"
#include "fovea/error.h"
#include "fovea/open_model.h"
#include "io/safetensors.h"

using namespace fovea;
using namespace fovea::test;
using nlohmann::json;

namespace {

// A decoder of two layers over four tokens; the second attends to a picture of 2 x 2 cells.
json recordedSpec() {
    const json self = {{"address", "text.0.self"}, {"heads", 1}, {"causal", true}};
    const json cross = {{"address", "text.1.cross"}, {"heads", 1}, {"key_stage", "projector"}};
    const json tower = {{"address", "vision.0.self"}, {"heads", 1}};
    return {{"stages", {{{"id", "vision"}, {"layers", 1}, {"grid", {2, 2}}}, {{"id", "text"}, {"layers", 2}}}},
            {"sites", {tower, self, cross}},
            {"capabilities", {{"generate", true}}}};
}

json recordedMap() {
    json words = json::array(), cells = json::array();
    for (int i = 0; i < 4; ++i) {
        words.push_back({{"i", i}, {"kind", "text"}, {"text", "w" + std::to_string(i)}});
        cells.push_back({{"i", i}, {"kind", "image"}, {"image", 0}, {"grid", {i / 2, i % 2}},
                         {"rect", {10 * (i % 2), 10 * (i / 2), 10, 10}}});
    }
    return {{"stages", {{"vision", cells}, {"projector", cells}, {"text", words}}},
            {"images", {{{"width", 20}, {"height", 20}, {"grid", {2, 2}}}}}};
}

// [1, 4, 4], other values in each row.
Array rowsOfOne() {
    Array probs({1, 4, 4});
    for (int row = 0; row < 4; ++row)
        for (int key = 0; key < 4; ++key) probs.at(0, row, key) = static_cast<float>(row + 1) * (key == 1 ? 0.125F : 0.0625F);
    return probs;
}

// A trace file that goes with its test case; a model that is open keeps its pages.
struct File {
    std::filesystem::path path;
    explicit File(const char* name) : path(std::filesystem::temp_directory_path() / name) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() { std::filesystem::remove(path); }
};

struct Opened {
    std::shared_ptr<const Model> model;
    std::shared_ptr<const ModelInput> input;
};

Opened opened(const std::filesystem::path& file, const std::vector<std::string>& sites, const json& spec) {
    const Array probs = rowsOfOne();
    std::vector<SafetensorsEntry> entries;
    for (const std::string& site : sites)
        entries.push_back(SafetensorsEntry::fromBytes(site + "/probs", Dtype::F32, probs.shape, std::as_bytes(std::span(probs.values))));
    writeSafetensors(file, std::move(entries),
                     {{"fovea.version", "1"}, {"fovea.token_map", recordedMap().dump()}, {"fovea.spec", spec.dump()}});
    const auto model = openModel(makeCatalog(), file.string());
    return {model, model->encode({})};
}

std::string hintOf(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.hint();
    }
    FAIL("no error");
    return {};
}

}  // namespace

TEST_CASE("cross-attention of a trace draws on the picture that its keys are of") {
    const Opened trace = opened(File("fovea_stage_t.safetensors").path, {"text.0.self", "text.1.cross"}, recordedSpec());
    const ModelSpec& spec = trace.model->spec();
    CHECK(spec.sites[static_cast<std::size_t>(spec.siteIndex("text.1.cross"))].keyStage == "projector");
    const auto findings = analyse("attention_from", trace.model, trace.input, {{"site", "text.*.cross"}});
    const Grid& map = std::get<Grid>(named(findings, "map").data);
    CHECK(map.rows == 2);
    CHECK(map.columns == 2);
    CHECK(map.values == std::vector<float>{0.25F, 0.5F, 0.25F, 0.25F});  // of the last word
    CHECK(std::get<TokenScores>(named(findings, "scores").data).stage == "projector");
    CHECK(toJson(spec)["sites"][2]["key_stage"] == "projector");
    CHECK_FALSE(toJson(spec)["sites"][1].contains("key_stage"));
}

TEST_CASE("a trace that does not say whose tokens the keys are opens as it did; one that names no stage is refused") {
    json spec = recordedSpec();
    spec["sites"][2].erase("key_stage");
    const Opened old = opened(File("fovea_stage_old.safetensors").path, {"text.1.cross"}, spec);
    const auto findings = analyse("attention_from", old.model, old.input, {{"site", "text.*.cross"}});
    CHECK(std::get<TokenScores>(named(findings, "scores").data).stage == "text");
    spec["sites"][2]["key_stage"] = "nowhere";
    CHECK_THROWS_WITH_AS(opened(File("fovea_stage_bad.safetensors").path, {"text.1.cross"}, spec),
                         doctest::Contains("expected tokens of stage \"nowhere\""), Error);
}

TEST_CASE("a trace of a model that answers is asked about its text, where the file holds it") {
    const Opened both = opened(File("fovea_stage_both.safetensors").path, {"vision.0.self", "text.0.self"}, recordedSpec());
    CHECK(both.model->spec().answers());
    CHECK_FALSE(both.model->spec().capabilities.generate);
    CHECK(both.model->spec().usualStage() == "text");
    const auto findings = analyse("attention_from", both.model, both.input, {{"layers", "0"}});
    CHECK(std::get<TokenScores>(named(findings, "scores").data).stage == "text");
    const Opened tower = opened(File("fovea_stage_tower.safetensors").path, {"vision.0.self"}, recordedSpec());
    CHECK(tower.model->spec().usualStage() == "vision");
    json silent = recordedSpec();
    silent.erase("capabilities");
    CHECK(opened(File("fovea_stage_silent.safetensors").path, {"text.0.self"}, silent).model->spec().usualStage() == "vision");
}

TEST_CASE("queries whose rows were not recorded are refused alike") {
    const File file("fovea_stage_rows.safetensors");
    const Array row({1, 1, 4}, 0.25F);
    const std::vector<std::int32_t> query{3};
    writeSafetensors(file.path,
                     {SafetensorsEntry::fromBytes("text.0.self/probs", Dtype::F32, row.shape, std::as_bytes(std::span(row.values))),
                      SafetensorsEntry::fromBytes("text.0.self/query_index", Dtype::I32, {1}, std::as_bytes(std::span(query)))},
                     {{"fovea.version", "1"}, {"fovea.token_map", recordedMap().dump()}, {"fovea.spec", recordedSpec().dump()}});
    const auto model = openModel(makeCatalog(), file.path.string());
    const auto input = model->encode({});
    for (const char* analysis : {"attention_from", "segment_mass", "head_ranking"}) {
        CAPTURE(analysis);
        json params = {{"layers", "0"}, {"queries", "1"}};
        if (std::string(analysis) == "head_ranking") params["targets"] = "0";
        CHECK_THROWS_WITH_AS(analyse(analysis, model, input, params), "queries: none of them was recorded at text.0.self", Error);
        params["queries"] = "3";
        CHECK_NOTHROW(analyse(analysis, model, input, params));
    }
}

TEST_CASE("what was not recorded names the stage that was") {
    const Opened text = opened(File("fovea_stage_text.safetensors").path, {"text.0.self"}, recordedSpec());
    const auto ask = [&](const Opened& trace, const json& params) {
        return hintOf([&] { analyse("attention_from", trace.model, trace.input, params); });
    };
    CHECK(ask(text, {{"stage", "vision"}}).find("--param stage=text") != std::string::npos);
    const Opened tower = opened(File("fovea_stage_tower.safetensors").path, {"vision.0.self"}, recordedSpec());
    CHECK(ask(tower, {{"stage", "text"}, {"layers", "0"}}).find("--param stage=vision") != std::string::npos);
    // Another site of the same stage is no other stage.
    CHECK(ask(text, {{"site", "text.1.cross"}}).find("--param stage") == std::string::npos);
    CHECK(ask(text, {{"stage", "nowhere"}}).find("--param stage=text") != std::string::npos);
}
