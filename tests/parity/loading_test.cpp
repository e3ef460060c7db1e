// What loading reports: damaged weights all at once, unknown models, placement, the description of a model.
#include <doctest/doctest.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "fovea/catalog.h"
#include "io/checkpoint_file.h"
#include "io/safetensors.h"
#include "parity/fixtures.h"

using namespace fovea;
using namespace fovea::test;

namespace {

namespace fs = std::filesystem;

/// Writes a model's weights again, each as `change` gives it back; a name made empty drops the tensor.
void rewriteWeights(const fs::path& folder, const std::function<void(TensorInfo&)>& change) {
    const fs::path path = folder / "model.safetensors";
    const CheckpointFile file = openCheckpointFile(path, WeightFormat::Safetensors);
    std::vector<std::vector<std::byte>> storage;
    std::vector<SafetensorsEntry> entries;
    storage.reserve(file.tensors.size());
    for (TensorInfo info : file.tensors) {
        change(info);
        if (info.name.empty()) continue;
        std::vector<std::byte> bytes(static_cast<std::size_t>(info.numel() * itemSize(info.dtype)));
        const auto stored = file.file->bytes().subspan(static_cast<std::size_t>(info.begin),
                                                       static_cast<std::size_t>(info.end - info.begin));
        std::copy_n(stored.begin(), std::min(stored.size(), bytes.size()), bytes.begin());
        storage.push_back(std::move(bytes));
        entries.push_back(SafetensorsEntry::fromBytes(info.name, info.dtype, info.shape, storage.back()));
    }
    const fs::path other = folder / "rewritten";
    writeSafetensors(other, std::move(entries));
    fs::rename(other, path);
}

std::shared_ptr<const Model> openFolder(const fs::path& folder, bool strict = true,
                                        const std::string& dtype = "auto",
                                        const std::string& device = "cpu") {
    static const Catalog catalog = makeCatalog();
    return openModel(catalog, folder.string(), {device, dtype, strict, {}});
}

void editConfig(const fs::path& folder, const std::function<void(nlohmann::json&)>& change) {
    std::ifstream in(folder / "config.json");
    nlohmann::json config = nlohmann::json::parse(in);
    in.close();
    change(config);
    std::ofstream(folder / "config.json") << config.dump();
}

Error errorOf(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) {
        return error;
    }
    FAIL("no error was thrown");
    return Error("");
}

bool mentions(const Error& error, const std::string& text) {
    return std::string(error.what()).find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("missing and misshaped tensors are reported at once, unexpected ones remarked") {
    const fs::path folder = copyOf(caseNamed("vit-class-0"), "several-faults");
    rewriteWeights(folder, [](TensorInfo& info) {
        if (info.name == "vit.encoder.layer.1.output.dense.weight" || info.name == "vit.layernorm.bias")
            info.name.clear();
        if (info.name == "classifier.weight") info.shape = {6, 32};
        if (info.name == "vit.embeddings.cls_token") info.shape = {1, 1, 16};
        if (info.name == "vit.encoder.layer.0.layernorm_before.bias") info.name = "something.else";
    });
    const Error error = errorOf([&] { openFolder(folder); });
    CHECK(error.code() == ErrorCode::Input);
    for (const char* name :
         {"vit.encoder.layer.1.output.dense.weight", "vit.layernorm.bias", "classifier.weight",
          "vit.embeddings.cls_token", "vit.encoder.layer.0.layernorm_before.bias"})
        CHECK_MESSAGE(mentions(error, name), error.what());

    const auto model = openFolder(folder, false);
    const WeightReport& report = model->spec().weights;
    CHECK(report.missing.size() == 3);
    CHECK(report.misshaped.size() == 2);
    CHECK(report.unexpected == std::vector<std::string>{"something.else"});
    CHECK_FALSE(model->spec().capabilities.forward);
    const Case& c = caseNamed("vit-class-0");
    const auto input = inputsOf(c, *model);
    CHECK(mentions(errorOf([&] { runModel(*model, *input, recordAll()); }), "vit.layernorm.bias"));
}

TEST_CASE("every family names what is missing in the files' own spelling") {
    for (const auto& [name, tensor] : std::vector<std::pair<std::string, std::string>>{
             {"timm-registers", "blocks.1.attn.qkv.weight"},
             {"siglip-both", "vision_model.head.attention.in_proj_weight"},
             {"dinov3_vit-gated", "layer.2.mlp.gate_proj.weight"},
             {"beit-shared", "beit.encoder.relative_position_bias.relative_position_bias_table"},
             {"clip-both-0", "text_model.final_layer_norm.weight"},
             {"vit-bare", "embeddings.position_embeddings"}}) {
        const fs::path folder = copyOf(caseNamed(name), "missing-" + name);
        rewriteWeights(folder, [&, wanted = tensor](TensorInfo& info) {
            if (info.name == wanted) info.name.clear();
        });
        const auto report = openFolder(folder, false)->spec().weights;
        CHECK_MESSAGE(report.missing == std::vector<std::string>{tensor}, name);
        CHECK(mentions(errorOf([&] { openFolder(folder); }), tensor));
    }
}

TEST_CASE("an unknown model type lists what is supported") {
    const fs::path folder = copyOf(caseNamed("vit-class-0"), "unknown-type");
    editConfig(folder, [](nlohmann::json& config) {
        config["model_type"] = "convnext";
        config["architectures"] = {"ConvNextModel"};
    });
    const Error error = errorOf([&] { openFolder(folder); });
    CHECK(error.code() == ErrorCode::Input);
    CHECK(mentions(error, "convnext"));
    for (const char* type : {"vit", "deit", "vit_mae", "dinov2", "dinov2_with_registers", "dinov3_vit",
                             "clip", "siglip", "siglip2", "beit"})
        CHECK_MESSAGE(error.hint().find(type) != std::string::npos, type);
}

TEST_CASE("configurations that make no sense are refused by key") {
    const auto refusal = [](const std::string& key, const nlohmann::json& value) {
        const fs::path folder = copyOf(caseNamed("vit-class-0"), "config-" + key);
        editConfig(folder, [&](nlohmann::json& config) { config[key] = value; });
        return errorOf([&] { openFolder(folder); });
    };
    for (const auto& [key, value] :
         std::vector<std::pair<std::string, nlohmann::json>>{{"num_attention_heads", 5},
                                                             {"hidden_size", 0},
                                                             {"num_hidden_layers", -1},
                                                             {"patch_size", 64},
                                                             {"hidden_act", "softplus"},
                                                             {"layer_norm_eps", "small"},
                                                             {"image_size", 1e9}}) {
        const Error error = refusal(key, value);
        CHECK(error.code() == ErrorCode::Input);
        const bool named = mentions(error, key) || (key == "patch_size" && mentions(error, "image_size"));
        CHECK_MESSAGE(named, error.what());
    }
}

TEST_CASE("the description of a model is complete") {
    const auto deit = open(caseNamed("deit-teacher-0"));
    CHECK(deit->spec().stage("vision").prefixTokens == std::vector<std::string>{"cls", "distillation"});
    const auto spec = open(caseNamed("vit-class-0"))->spec();
    CHECK(spec.modelType == "vit");
    CHECK(spec.architecture == "ViTForImageClassification");
    CHECK(spec.sites.size() == 3);
    CHECK(spec.sites[2].address() == "vision.2.self");
    CHECK(spec.sites[2].module == "vit.encoder.layer.2.attention.attention");
    CHECK(spec.labels == std::vector<std::string>{"LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3", "LABEL_4"});
    CHECK(spec.stage("vision").gridRows == 4);
    CHECK(spec.inputs.front() == "pixel_values");
    CHECK(spec.weightBytes == 4 * spec.parameters);
    CHECK(open(caseNamed("vit-bare"))->spec().sites[0].module == "encoder.layer.0.attention.attention");
    CHECK(open(caseNamed("vit-bare-prefixed"))->spec().sites[0].module ==
          "vit.encoder.layer.0.attention.attention");
    CHECK(open(caseNamed("dinov3_vit-0"))->spec().sites[1].module == "layer.1.attention");
    const auto siglip = open(caseNamed("siglip-both"))->spec();
    const int pooling = siglip.siteIndex("vision.3.cross");
    REQUIRE(pooling >= 0);
    CHECK(siglip.sites[static_cast<std::size_t>(pooling)].module == "vision_model.head.attention");
    CHECK(siglip.stages.size() == 2);
    const auto clip = open(caseNamed("clip-both-0"))->spec();
    CHECK(clip.sites[static_cast<std::size_t>(clip.siteIndex("text.0.self"))].causal);
    CHECK(clip.sites[0].module == "vision_model.encoder.layers.0.self_attn");
    const auto registers = open(caseNamed("dinov2_with_registers-bare-0"))->spec();
    CHECK(registers.stage("vision").prefixTokens ==
          std::vector<std::string>{"cls", "register0", "register1", "register2"});
}

TEST_CASE("device and element type") {
    const fs::path half = caseNamed("vit-stored-float16").model;
    const auto model = openFolder(half);
    CHECK(model->spec().storedDtype == "float16");
    CHECK(model->spec().computeDtype == "float32");
    CHECK(model->spec().device == "cpu");
    CHECK(openFolder(half, true, "float16")->spec().computeDtype == "float16");
    const Error unknown = errorOf([&] { openFolder(half, true, "int8"); });
    CHECK(unknown.code() == ErrorCode::Usage);
    CHECK(errorOf([&] { openFolder(half, true, "auto", "gpu"); }).code() == ErrorCode::Usage);
    CHECK(errorOf([&] { openFolder(half, true, "auto", "cuda:999"); }).code() == ErrorCode::Memory);
}

TEST_CASE("loading stops when it is asked to") {
    std::stop_source stop;
    int steps = 0;
    const JobContext job(stop.get_token(), [&](double, std::string_view) {
        if (++steps == 5) stop.request_stop();
    });
    const Catalog catalog = makeCatalog();
    CHECK_THROWS_AS(openModel(catalog, caseNamed("vit-class-0").model.string(), {"cpu", "auto", true, {}}, job),
                    Cancelled);
}
