// Files written by safetensors, torch.save and transformers, read back value by value.
#include <ATen/ops/zeros.h>
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "fovea/error.h"
#include "io/checkpoint_file.h"
#include "io/weight_store.h"
#include "support.h"

namespace fovea::test {
namespace {

using nlohmann::json;

const json& expectedValues() {
    static const json values = json::parse(readBytes(referenceFiles() / "expected.json"));
    return values;
}

double numberOf(const json& value) {
    if (value.is_number()) return value.get<double>();
    if (value == "inf") return std::numeric_limits<double>::infinity();
    if (value == "-inf") return -std::numeric_limits<double>::infinity();
    return std::nan("");
}

bool same(double a, double b) {
    return a == b || (std::isnan(a) && std::isnan(b));
}

void checkTensor(const std::string& name, const at::Tensor& tensor, const json& expected) {
    CAPTURE(name);
    CHECK(tensor.sizes().vec() == expected["shape"].get<std::vector<std::int64_t>>());
    const at::Tensor flat = tensor.to(at::kDouble).contiguous().view({-1});
    REQUIRE(flat.numel() == static_cast<std::int64_t>(expected["values"].size()));
    const double* values = flat.const_data_ptr<double>();
    std::int64_t wrong = 0;
    for (std::int64_t i = 0; i < flat.numel(); ++i)
        wrong += same(values[i], numberOf(expected["values"][static_cast<std::size_t>(i)])) ? 0 : 1;
    CHECK(wrong == 0);
}

void checkStore(const fs::path& path, const char* key) {
    CAPTURE(path.string());
    const auto store = WeightStore::open(resolveModel(path.string(), {}));
    const json& expected = expectedValues().at(key);
    CHECK(store->tensors().size() == expected.size());
    for (const auto& [name, values] : expected.items()) {
        REQUIRE_MESSAGE(store->contains(name), name);
        checkTensor(name, store->get(name), values);
    }
}

bool haveReferenceFiles() {
    if (!referenceFiles().empty()) return true;
    MESSAGE("skipped: set FOVEA_TEST_PYTHON to a Python with torch, safetensors and transformers");
    return false;
}

std::string messageOf(const fs::path& path) {
    try {
        WeightStore::open(resolveModel(path.string(), {}));
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::Input);
        return error.what();
    }
    return "no error";
}

}  // namespace

TEST_CASE("safetensors written by the reference package") {
    if (!haveReferenceFiles()) return;
    checkStore(referenceFiles() / "plain.safetensors", "plain.safetensors");
    const auto store = WeightStore::open(resolveModel((referenceFiles() / "plain.safetensors").string(), {}));
    CHECK(store->metadata().at("note") == "ü");
    CHECK((store->get("a.f32").scalar_type() == at::kFloat));
    CHECK((store->get("a.bf16").scalar_type() == at::kBFloat16));
    CHECK((store->get("u16").scalar_type() == at::kInt));
    CHECK((store->get("u32").scalar_type() == at::kLong));
    CHECK((store->get("e4m3").scalar_type() == at::kFloat));
}

TEST_CASE("torch.save files: zip and legacy form, views, wrappers, protocols") {
    if (!haveReferenceFiles()) return;
    const fs::path folder = referenceFiles();
    checkStore(folder / "zip.bin", "pickled");
    checkStore(folder / "legacy.pth", "pickled");
    checkStore(folder / "wrapped.pt", "pickled");
    for (const char* name : {"protocol3.pt", "protocol4.pt", "protocol5.pt"})
        checkStore(folder / name, "pickled");
    checkStore(folder / "state_dict.pth", "module");
    checkStore(folder / "state_dict_legacy.pth", "module");
    checkStore(folder / "parameters.pth", "parameters");
}

TEST_CASE("Hugging Face folders: one file, shards, .bin") {
    if (!haveReferenceFiles()) return;
    const fs::path folder = referenceFiles();
    checkStore(folder / "vit", "vit");
    checkStore(folder / "vit_sharded", "vit");
    checkStore(folder / "vit_bin", "vit");
    checkStore(folder / "vit" / "model.safetensors", "vit");
    checkStore(folder / "vit_sharded" / "model-00001-of-00004.safetensors", "vit");
    CHECK(WeightStore::open(resolveModel((folder / "vit_bin").string(), {}))->notices().size() == 1);
    const ConfigView config = readModelConfig(resolveModel((folder / "vit").string(), {}));
    CHECK(config.modelType() == "vit");
    CHECK(config.integer("hidden_size", 768) == 16);
    CHECK(config.labels() == std::vector<std::string>{"LABEL_0", "LABEL_1", "LABEL_2"});
    CHECK(config.text("torch_dtype|dtype", "") == "float32");
}

TEST_CASE("files that would run code are refused by name and run nothing") {
    if (!haveReferenceFiles()) return;
    const fs::path folder = referenceFiles();
    const char* system = fs::exists("C:/") ? "nt.system" : "posix.system";
    CHECK(messageOf(folder / "hostile.bin").find(system) != std::string::npos);
    CHECK(messageOf(folder / "hostile_legacy.bin").find(system) != std::string::npos);
    CHECK(messageOf(folder / "namespace.pth").find("argparse.Namespace") != std::string::npos);
    CHECK(messageOf(folder / "whole_model.pth").find("torch.nn.modules") != std::string::npos);
    CHECK(messageOf(folder / "script.pt").find("TorchScript") != std::string::npos);
    CHECK_FALSE(fs::exists(folder / "hostile_ran"));
}

TEST_CASE("weights alias the mapping, stay private and outlive the store") {
    if (!haveReferenceFiles()) return;
    TemporaryFolder folder;
    const fs::path file = folder / "w.safetensors";
    fs::copy_file(referenceFiles() / "plain.safetensors", file);
    const std::string before = readBytes(file);
    at::Tensor tensor;
    {
        const auto store = WeightStore::open(resolveModel(file.string(), {}));
        tensor = store->get("a.f32");
        CHECK(tensor.data_ptr() == store->get("a.f32").data_ptr());
    }
    const at::Tensor copy = tensor.clone();
    tensor.zero_();
    CHECK(tensor.equal(at::zeros({3, 5})));
    CHECK_FALSE(copy.equal(tensor));
    CHECK(readBytes(file) == before);
}

TEST_CASE("a lone DINO checkpoint tells its configuration") {
    if (!haveReferenceFiles()) return;
    const ResolvedModel model = resolveModel((referenceFiles() / "dino.pth").string(), {});
    CHECK(model.format == ModelFormat::LoneWeights);
    CHECK(model.weightFormat == WeightFormat::Pickle);
    const ConfigView config = readModelConfig(model);
    CHECK(config.modelType() == "vit");
    CHECK(config.integer("hidden_size", 0) == 128);
    CHECK(config.integer("num_hidden_layers", 0) == 2);
    CHECK(config.integer("num_attention_heads", 0) == 2);
    CHECK(config.integer("intermediate_size", 0) == 512);
    CHECK(config.integer("image_size", 0) == 24);
    CHECK(config.integer("patch_size", 0) == 8);
    checkStore(referenceFiles() / "dino.pth", "dino");
}

}  // namespace fovea::test
