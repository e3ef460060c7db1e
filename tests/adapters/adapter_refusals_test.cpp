// Adapter folders that do not fit, and matrices that are stored as one and used as three.
#include <doctest/doctest.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "fovea/error.h"
#include "nn/adapter_set.h"

using namespace fovea;
namespace fs = std::filesystem;

namespace {

using Tensors = std::map<std::string, at::Tensor>;

/// An adapter folder with these float32 tensors.
fs::path adapterFolder(const std::string& config, const Tensors& tensors) {
    const fs::path folder = fs::temp_directory_path() / "fovea-adapter-test";
    fs::remove_all(folder);
    fs::create_directories(folder);
    std::ofstream(folder / "adapter_config.json") << config;
    nlohmann::ordered_json header = nlohmann::ordered_json::object();
    std::string data;
    for (const auto& [name, tensor] : tensors) {
        const at::Tensor plain = tensor.to(at::kFloat).contiguous();
        const std::size_t begin = data.size();
        data.append(static_cast<const char*>(plain.const_data_ptr()),
                    static_cast<std::size_t>(plain.nbytes()));
        header[name] = {
            {"dtype", "F32"}, {"shape", plain.sizes().vec()}, {"data_offsets", {begin, data.size()}}};
    }
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    std::string size(8, '\0');
    const std::uint64_t bytes = text.size();
    std::memcpy(size.data(), &bytes, 8);
    std::ofstream(folder / "adapter_model.safetensors", std::ios::binary) << size << text << data;
    return folder;
}

Linear linearOf(const std::string& name, std::int64_t out, std::int64_t in) {
    return {at::randn({out, in}), at::randn({out}), name};
}

/// layers.0.qkv stored as one matrix of 3 * 4 rows, and head.
std::vector<StoredMatrix> matrices() {
    StoredMatrix fused{"model.layers.0.qkv", {}};
    for (int i = 0; i < 3; ++i)
        fused.uses.push_back({linearOf(std::string("model.layers.0.qkv.") + "qkv"[i], 4, 6), 4 * i});
    return {fused, {"head", {{linearOf("head", 5, 6), 0}}}};
}

std::string refusal(const std::string& config, const Tensors& tensors) {
    try {
        AdapterSet::load({{adapterFolder(config, tensors).string(), 1}}, matrices());
    } catch (const Error& e) {
        CHECK(e.code() == ErrorCode::Input);
        return e.what();
    }
    return "";
}

const std::string kQkv = "base_model.model.model.layers.0.qkv.";
const std::string kRank2 = R"({"peft_type":"LORA","r":2,"lora_alpha":6})";

Tensors qkvPair(std::int64_t rank = 2) {
    return {{kQkv + "lora_A.weight", at::randn({rank, 6})}, {kQkv + "lora_B.weight", at::randn({12, rank})}};
}

}  // namespace

TEST_CASE("an adapter of a fused matrix acts on each of its parts") {
    const auto stored = matrices();
    Tensors tensors = qkvPair();
    const at::Tensor x = at::randn({1, 3, 6});
    const at::Tensor product =
        at::matmul(tensors[kQkv + "lora_B.weight"], tensors[kQkv + "lora_A.weight"]) * 3;
    for (const bool decomposed : {false, true}) {
        std::string config = kRank2;
        std::vector<at::Tensor> rows;
        for (const auto& use : stored[0].uses) rows.push_back(use.linear.weight);
        at::Tensor adapted = at::cat(rows) + product;
        if (decomposed) {
            config.insert(1, "\"use_dora\":true,");
            tensors[kQkv + "lora_magnitude_vector"] = at::randn({12}).abs() + 0.5;
            const at::Tensor norm = at::linalg_vector_norm(adapted, 2, at::IntArrayRef{1});
            adapted = adapted * (tensors[kQkv + "lora_magnitude_vector"] / norm).unsqueeze(1);
        }
        const auto set = AdapterSet::load({{adapterFolder(config, tensors).string(), 1}}, stored);
        for (const auto& use : stored[0].uses) {
            const at::Tensor expected = at::linear(x, adapted.narrow(0, use.row, 4), use.linear.bias);
            CHECK(at::allclose(set->linear(use.linear, x, {1}), expected, 1e-4, 1e-4));
            CHECK(set->linear(use.linear, x, {0}).equal(at::linear(x, use.linear.weight, use.linear.bias)));
        }
        const Linear& head = stored[1].uses[0].linear;
        CHECK(set->linear(head, x, {1}).equal(at::linear(x, head.weight, head.bias)));
        CHECK(set->bytes() > 0);
        CHECK(set->notices().front().find(decomposed ? "DoRA on 1 of 2" : "LoRA on 1 of 2") !=
              std::string::npos);
    }
}

TEST_CASE("tensors that belong to no matrix are listed") {
    Tensors more = qkvPair();
    more["base_model.model.other.lora_A.weight"] = at::randn({2, 6});
    more["base_model.model.other.lora_B.weight"] = at::randn({12, 2});
    more["base_model.model.emb.lora_embedding_A"] = at::randn({2, 9});
    more["base_model.model.norm.weight"] = at::randn({6});
    const std::string what = refusal(kRank2, more);
    CHECK(what.find("found 4 that belong to none") != std::string::npos);
    for (const char* name :
         {"other.lora_A.weight", "other.lora_B.weight", "emb.lora_embedding_A", "norm.weight"})
        CHECK(what.find(name) != std::string::npos);
}

TEST_CASE("adapters of another size, half a pair, or against their configuration are refused") {
    CHECK(refusal(kRank2, {}).find("found none") != std::string::npos);
    Tensors alone = qkvPair();
    alone.erase(kQkv + "lora_B.weight");
    CHECK(refusal(kRank2, alone).find("expected lora_A and lora_B") != std::string::npos);
    CHECK(refusal(kRank2, qkvPair(3)).find("lora_A of") != std::string::npos);
    Tensors uneven = qkvPair();
    uneven[kQkv + "lora_B.weight"] = at::randn({12, 3});
    CHECK(refusal(kRank2, uneven).find("lora_B of") != std::string::npos);
    Tensors wide = qkvPair();
    wide[kQkv + "lora_A.weight"] = at::randn({2, 7});
    CHECK(refusal(kRank2, wide).find("expected a matrix of 12 x 6, found one of 12 x 7") !=
          std::string::npos);
    Tensors kernel = qkvPair();
    kernel["base_model.model.patch.lora_A.weight"] = at::randn({2, 3, 4, 4});
    kernel["base_model.model.patch.lora_B.weight"] = at::randn({6, 2, 1, 1});
    CHECK(refusal(kRank2, kernel).find("found one of a convolution, [2, 3, 4, 4]") != std::string::npos);
    Tensors magnitude = qkvPair();
    magnitude[kQkv + "lora_magnitude_vector"] = at::ones({12});
    CHECK(refusal(kRank2, magnitude).find("expected no lora_magnitude_vector") != std::string::npos);
    CHECK(refusal(R"({"r":2,"use_dora":true})", qkvPair()).find("found none") != std::string::npos);
    Tensors bias = qkvPair();
    bias[kQkv + "bias"] = at::ones({5});
    CHECK(refusal(kRank2, bias).find("bias of") != std::string::npos);
    Tensors twice = qkvPair();
    twice["base_model.model.layers.0.qkv.lora_A.weight"] = at::randn({2, 6});
    twice["base_model.model.layers.0.qkv.lora_B.weight"] = at::randn({12, 2});
    CHECK(refusal(kRank2, twice).find("expected one module for the matrix") != std::string::npos);
    CHECK(refusal("{", qkvPair()).find("JSON") != std::string::npos);
}

TEST_CASE("folders without an adapter say what is missing") {
    const fs::path folder = adapterFolder(kRank2, qkvPair());
    fs::remove(folder / "adapter_model.safetensors");
    const auto load = [&] { AdapterSet::load({{folder.string(), 1}}, matrices()); };
    CHECK_THROWS_WITH_AS(load(), doctest::Contains("adapter_model.safetensors or adapter_model.bin"), Error);
    fs::remove(folder / "adapter_config.json");
    CHECK_THROWS_WITH_AS(load(), doctest::Contains("adapter_config.json"), Error);
    fs::remove_all(folder);
    CHECK_THROWS_AS(load(), Error);
}
