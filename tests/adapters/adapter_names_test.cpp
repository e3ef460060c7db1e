// Names of adapter tensors, the matrices they mean, and what adapter_config.json says.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "fovea/adapter.h"
#include "fovea/error.h"
#include "io/adapter_config.h"
#include "io/adapter_names.h"

using namespace fovea;

namespace {

AdapterConfig configOf(const std::string& text) {
    const auto file = std::filesystem::temp_directory_path() / "fovea-adapter-config.json";
    std::ofstream(file) << text;
    return AdapterConfig::read(file);
}

}  // namespace

TEST_CASE("tensor names are sorted by module") {
    std::vector<std::string> unknown;
    const auto modules = adapterModules(
        {"base_model.model.a.q.lora_A.weight", "base_model.model.a.q.lora_B.weight",
         "base_model.model.a.q.lora_magnitude_vector", "base_model.model.a.q.base_layer.bias",
         "base_model.model.head.weight", "base_model.model.head.bias",
         "base_model.model.emb.lora_embedding_A", "odd", "base_model.model.a.q.lora_A.default.weight"},
        unknown);
    REQUIRE(modules.size() == 3);
    CHECK(modules[0].path == "a.q");
    const std::map<AdapterPart, std::size_t> parts{
        {AdapterPart::Down, 0}, {AdapterPart::Up, 1}, {AdapterPart::Magnitude, 2}, {AdapterPart::Bias, 3}};
    CHECK((modules[0].parts == parts));
    CHECK(modules[1].path == "emb");
    CHECK((modules[1].parts == std::map<AdapterPart, std::size_t>{{AdapterPart::EmbeddingDown, 6}}));
    CHECK(modules[2].path == "head");
    CHECK(unknown == std::vector<std::string>{"odd", "base_model.model.a.q.lora_A.default.weight"});
}

TEST_CASE("spellings of files and versions of the reference mean the same matrices") {
    const MatrixTable table({{"vit.encoder.layer.0.attention.attention.query", 32, 32},
                             {"vit.encoder.layer.1.attention.attention.query", 32, 32},
                             {"vit.encoder.layer.0.output.dense", 32, 48},
                             {"vit.encoder.layer.0.attention.output.dense", 32, 32},
                             {"classifier", 5, 32},
                             {"blocks.0.attn.qkv", 96, 32},
                             {"language_model.model.layers.0.self_attn.q_proj", 8, 8},
                             {"vision_tower.vision_model.encoder.layers.0.self_attn.q_proj", 8, 8}});
    const auto find = [&](const std::string& name) { return table.find(name, -1, -1, "a"); };
    CHECK(find("vit.layers.0.attention.q_proj") == 0);
    CHECK(find("vit.layers.1.attention.q_proj") == 1);
    CHECK(find("encoder.layer.1.attention.attention.query") == 1);
    CHECK(find("vit.layers.0.mlp.fc2") == 2);
    CHECK(find("vit.layers.0.attention.o_proj") == 3);
    CHECK(find("classifier") == 4);
    CHECK(find("model.blocks.0.attn.qkv") == 5);
    CHECK(find("model.language_model.layers.0.self_attn.q_proj") == 6);
    CHECK(find("model.vision_tower.encoder.layers.0.self_attn.q_proj") == 7);
    CHECK(find("vit.layers.2.attention.q_proj") == -1);
    CHECK(find("vit.pooler.dense") == -1);
    CHECK(table.find("classifier", 6, 32, "a") == -1);
    CHECK(find(std::string(5000, '.')) == -1);
    const MatrixTable parts({{"model.layers.0.self_attn.o_proj", 8, 8}, {"visual.blocks.0.attn.proj", 8, 8}});
    CHECK(parts.find("model.language_model.layers.0.self_attn.o_proj", 8, 8, "a") == 0);
    CHECK(parts.find("model.visual.blocks.0.attn.proj", 8, 8, "a") == 1);
    const MatrixTable twins({{"x.layers.0.fc", 2, 2}, {"y.layers.0.fc", 2, 2}});
    CHECK_THROWS_WITH_AS(twins.find("layers.0.fc", 2, 2, "a"),
                         doctest::Contains("could be x.layers.0.fc or y.layers.0.fc"), Error);
}

TEST_CASE("patterns choose rank and alpha as peft does") {
    const AdapterConfig config = configOf(
        R"({"peft_type":"LORA","r":4,"lora_alpha":8,"rank_pattern":{"q_proj":2},"alpha_pattern":{".*\\.(0|2)\\..*":3,"v_proj":6,"layers.1.v_proj":9}})");
    CHECK(config.rankOf("layers.0.q_proj") == 2);
    CHECK(config.rankOf("layers.0.nq_proj") == 4);
    CHECK(config.scaling("layers.0.q_proj", 2) == 1.5);
    CHECK(config.scaling("layers.1.v_proj", 4) == 1.5);
    CHECK(config.scaling("layers.1.q_proj", 2) == 4);
    const AdapterConfig stable = configOf(R"({"r":4,"lora_alpha":8,"use_rslora":true})");
    CHECK(stable.scaling("x", 4) == 4);
}

TEST_CASE("configurations that cannot be added are refused by key") {
    const auto refusal = [](const std::string& text) {
        try {
            configOf(text);
        } catch (const Error& e) {
            return std::string(e.what());
        }
        return std::string();
    };
    CHECK(refusal(R"({"peft_type":"LOHA"})").find("peft_type: expected LORA, found \"LOHA\"") !=
          std::string::npos);
    CHECK(refusal(R"({"r":0})").find("r: expected") != std::string::npos);
    CHECK(refusal(R"({"r":"8"})").find("r: expected") != std::string::npos);
    CHECK(refusal(R"({"lora_alpha":-1})").find("lora_alpha") != std::string::npos);
    CHECK(refusal(R"({"alpha_pattern":{"x":"y"}})").find("alpha_pattern") != std::string::npos);
    CHECK(refusal(R"({"rank_pattern":[1]})").find("rank_pattern") != std::string::npos);
    CHECK(refusal(R"({"init_lora_weights":"pissa_niter_4"})").find("init_lora_weights") != std::string::npos);
    CHECK(refusal(R"({"layer_replication":[[0,2]]})").find("layer_replication") != std::string::npos);
    CHECK(refusal(R"({"alora_invocation_tokens":[1]})").find("alora_invocation_tokens") != std::string::npos);
    CHECK(refusal(R"({"loftq_config":{},"corda_config":null,"init_lora_weights":"gaussian"})").empty());
    CHECK(refusal(R"({"kasa_config":{"beta":1}})").find("kasa_config") != std::string::npos);
    CHECK(refusal(R"({"init_lora_weights":"olora"})").find("olora") != std::string::npos);
    CHECK(refusal(R"({"init_lora_weights":"loftq","loftq_config":{}})").find("loftq") != std::string::npos);
    CHECK(refusal(R"({"modules_to_save":[1]})").find("modules_to_save") != std::string::npos);
    for (const char* harmless : {"eva", "mica", "orthogonal"})
        CHECK(refusal(std::string(R"({"init_lora_weights":")") + harmless + "\"}").empty());
    CHECK(refusal("[]").find("object") != std::string::npos);
    CHECK_THROWS_AS(matchesModule("(", "x", "s"), Error);
    CHECK_THROWS_WITH_AS(matchesModule("(a*)*b", std::string(60, 'a'), "s"), doctest::Contains("too long"),
                         Error);
}

TEST_CASE("DIR:STRENGTH is read and written") {
    CHECK(parseAdapter("a/b") == AdapterChoice{"a/b", 1});
    CHECK(parseAdapter("a/b:0.5") == AdapterChoice{"a/b", 0.5});
    CHECK(parseAdapter("c:/x:-2") == AdapterChoice{"c:/x", -2});
    CHECK(parseAdapter("c:/x") == AdapterChoice{"c:/x", 1});
    CHECK_THROWS_AS(parseAdapter(""), Error);
    CHECK_THROWS_AS(parseAdapter(":1"), Error);
    CHECK_THROWS_WITH_AS(parseAdapter("a:1e9"), doctest::Contains("strength"), Error);
    for (const AdapterChoice& one : {AdapterChoice{"a", 1}, {"a", 0}, {"a:3", 1}, {"a", 0.1}})
        CHECK(parseAdapter(adapterText(one)) == one);
}
