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
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <cmath>
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

/// patch, a convolution of 6 kernels of 3 x 4 x 4.
std::vector<StoredMatrix> kernels() {
    return {{"patch", {{linearOf("patch", 6, 48), 0}}, StoredMatrix::Layout::Rows, {6, 3, 4, 4}}};
}

std::string refusal(const std::string& config, const Tensors& tensors,
                    const std::vector<StoredMatrix>& stored = matrices()) {
    try {
        AdapterSet::load({{adapterFolder(config, tensors).string(), 1}}, stored);
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

TEST_CASE("adapters of kernels have the shape of the kernels") {
    const std::string patch = "base_model.model.patch.";
    const auto pair = [&](std::vector<std::int64_t> down, std::vector<std::int64_t> up) {
        return Tensors{{patch + "lora_A.weight", at::randn(down)}, {patch + "lora_B.weight", at::randn(up)}};
    };
    CHECK(refusal(kRank2, pair({2, 3, 4, 4}, {6, 2, 1, 1}), kernels()).empty());
    CHECK(refusal(kRank2, pair({2, 3, 2, 8}, {6, 2, 1, 1}), kernels())
              .find("lora_A of patch: expected [2, 3, 4, 4], found [2, 3, 2, 8]") != std::string::npos);
    CHECK(refusal(kRank2, pair({2, 48}, {6, 2}), kernels()).find("expected [2, 3, 4, 4], found [2, 48]") !=
          std::string::npos);
    CHECK(refusal(kRank2, pair({2, 3, 4, 4}, {6, 2, 2, 2}), kernels()).find("lora_B of patch") != std::string::npos);
    CHECK(refusal(kRank2, pair({2, 3, 5, 5}, {6, 2, 1, 1}), kernels())
              .find("expected a matrix of 6 x 48, found one of 6 x 75") != std::string::npos);
    CHECK(refusal(kRank2, {{kQkv + "lora_A.weight", at::randn({2, 3, 2})}, {kQkv + "lora_B.weight", at::randn({12, 2, 1})}})
              .find("expected [2, 6], found [2, 3, 2]") != std::string::npos);
    CHECK(refusal(kRank2, {{patch + "weight", at::randn({6, 48})}}, kernels())
              .find("weight of patch: expected [6, 3, 4, 4], found [6, 48]") != std::string::npos);
}

TEST_CASE("damaged numbers and ranks beyond measure are refused") {
    for (const double value : {std::nan(""), HUGE_VAL}) {
        Tensors tensors = qkvPair();
        tensors[kQkv + "lora_B.weight"].view(-1)[3] = value;
        CHECK(refusal(kRank2, tensors).find("qkv.lora_B.weight: expected numbers, found NaN or infinity") !=
              std::string::npos);
    }
    CHECK(refusal(R"({"r":2000000000})", qkvPair()).find("r: expected") != std::string::npos);
    CHECK(refusal(R"({"r":65536})", qkvPair()).find("lora_A of") != std::string::npos);
    CHECK(refusal(R"({"r":2,"lora_alpha":1e300})", qkvPair()).find("lora_alpha") != std::string::npos);
    // More than the matrix has is a waste, but adds what it says.
    CHECK(refusal(R"({"r":9})", qkvPair(9)).empty());
}

TEST_CASE("a bias of lora_B is there when lora_bias says so") {
    Tensors biased = qkvPair();
    biased[kQkv + "lora_B.bias"] = at::randn({12});
    CHECK(refusal(R"({"r":2,"lora_bias":true})", biased).empty());
    CHECK(refusal(R"({"r":2,"lora_bias":true})", qkvPair()).find("expected lora_B.bias as lora_bias says") !=
          std::string::npos);
    CHECK(refusal(kRank2, biased).find("expected no lora_B.bias as lora_bias says") != std::string::npos);
    biased[kQkv + "lora_B.bias"] = at::randn({11});
    CHECK(refusal(R"({"r":2,"lora_bias":true})", biased).find("lora_B.bias of") != std::string::npos);
    biased[kQkv + "lora_B.bias"] = at::randn({12});
    biased[kQkv + "lora_magnitude_vector"] = at::ones({12});
    CHECK(refusal(R"({"r":2,"lora_bias":true,"use_dora":true})", biased).find("beside use_dora") != std::string::npos);
    CHECK(refusal(R"({"r":2,"use_dora":true})", {{kQkv + "lora_magnitude_vector", at::ones({12})}})
              .find("expected lora_A and lora_B, found neither") != std::string::npos);
}

TEST_CASE("tables of another vocabulary and half an adapter of one are refused") {
    const std::string head = "base_model.model.head.";
    const at::Tensor down = at::randn({2, 5}), up = at::randn({6, 2});
    CHECK(refusal(kRank2, {{head + "lora_embedding_A", down}, {head + "lora_embedding_B", up}}).empty());
    CHECK(refusal(kRank2, {{head + "lora_embedding_A", at::randn({2, 9})}, {head + "lora_embedding_B", up}})
              .find("expected a matrix of 5 x 6, found one of 9 x 6") != std::string::npos);
    CHECK(refusal(kRank2, {{head + "lora_embedding_A", down}}).find("found one of them") != std::string::npos);
    CHECK(refusal(kRank2, {{head + "lora_embedding_A", down}, {head + "lora_embedding_B", at::randn({6, 3})}})
              .find("lora_embedding_B of head") != std::string::npos);
    const std::string dora = R"({"r":2,"use_dora":true})";
    Tensors magnitude{{head + "lora_embedding_A", down}, {head + "lora_embedding_B", up}};
    CHECK(refusal(dora, magnitude).find("expected lora_magnitude_vector as use_dora says") != std::string::npos);
    magnitude[head + "lora_magnitude_vector"] = at::ones({5});
    CHECK(refusal(dora, magnitude).find("lora_magnitude_vector of head: expected [6], found [5]") != std::string::npos);
}

TEST_CASE("trained tokens are those of trainable_token_indices") {
    const auto told = [](const std::string& indices, std::int64_t rows) {
        return refusal(R"({"r":2,"trainable_token_indices":)" + indices + "}",
                       {{"base_model.model.head.token_adapter.trainable_tokens_delta", at::randn({rows, 6})}});
    };
    CHECK(told("[3, 0]", 2).empty());
    CHECK(told(R"({"head": [3, 0]})", 2).empty());
    CHECK(told("[3, 0]", 3).find("trainable_tokens_delta of head: expected [2, 6], found [3, 6]") != std::string::npos);
    CHECK(told("[3, 5]", 2).find("expected different tokens below 5") != std::string::npos);
    CHECK(told("[3, 3]", 2).find("expected different tokens below 5") != std::string::npos);
    CHECK(told(R"({"other": [3]})", 1).find("expected the tokens of head") != std::string::npos);
    CHECK(told("null", 1).find("trainable_token_indices") != std::string::npos);
    CHECK(told("[-1]", 1).find("trainable_token_indices") != std::string::npos);
    CHECK(told(R"({"head": ["a"]})", 1).find("trainable_token_indices") != std::string::npos);
    CHECK(refusal(R"({"r":2,"trainable_token_indices":[1]})",
                  {{"base_model.model.head.token_adapter.trainable_tokens_delta", at::randn({1, 6})},
                   {"base_model.model.head.weight", at::randn({5, 6})}})
              .find("found other changes of the same table") != std::string::npos);
}

TEST_CASE("modules that the configuration leaves out are refused, not added") {
    const auto told = [](const std::string& entries) {
        return refusal(R"({"r":2,)" + entries + "}", qkvPair());
    };
    CHECK(told(R"("target_modules":["qkv","other"])").empty());
    CHECK(told(R"("target_modules":["kv"])")
              .find("target_modules: expected to include model.layers.0.qkv") != std::string::npos);
    CHECK(told(R"("target_modules":["qkv"],"exclude_modules":"model\\..*")").find("exclude_modules") != std::string::npos);
    CHECK(told(R"("target_modules":["qkv"],"layers_to_transform":[1,2])").find("layers_to_transform") !=
          std::string::npos);
    CHECK(told(R"("target_modules":5)").find("target_modules") != std::string::npos);
}

TEST_CASE("another base, missing modules_to_save and patterns that cannot be matched are noticed") {
    const auto notices = [](const std::string& entries) {
        const auto folder = adapterFolder(R"({"r":2,"base_model_name_or_path":"maker/Tiny-VLM",)" + entries + "}", qkvPair());
        const auto set = AdapterSet::load({{folder.string(), 1}}, matrices(), {"shown", "models--x--Tiny-Vlm/snapshots/1"});
        const auto other = AdapterSet::load({{folder.string(), 1}}, matrices(), {"maker/big-vlm"});
        CHECK(other->notices().front().find("trained on maker/Tiny-VLM, added to maker/big-vlm") != std::string::npos);
        return fmt::format("{}", fmt::join(set->notices(), "; "));
    };
    const std::string plain = notices(R"("modules_to_save":["score","classifier"])");
    CHECK(plain.find("trained on") == std::string::npos);
    CHECK(plain.find("modules_to_save") == std::string::npos);
    CHECK(notices(R"("modules_to_save":["head"])").find("modules_to_save names head") != std::string::npos);
    CHECK(notices(R"("target_modules":"(")").find("not compared with target_modules") != std::string::npos);
}

TEST_CASE("what an adapter adds grows with its strength") {
    const auto stored = matrices();
    Tensors tensors = qkvPair();
    tensors["base_model.model.head.token_adapter.trainable_tokens_delta"] = at::randn({2, 6});
    const auto set = AdapterSet::load(
        {{adapterFolder(R"({"r":2,"lora_alpha":6,"trainable_token_indices":[4,1]})", tensors).string(), 1}}, stored);
    const at::Tensor x = at::randn({1, 3, 6});
    for (const StoredMatrix& matrix : stored) {
        const Linear& weight = matrix.uses.front().linear;
        const at::Tensor plain = set->linear(weight, x, {0}), whole = set->linear(weight, x, {1}) - plain;
        CHECK(whole.abs().max().item<double>() > 1e-2);
        for (const double strength : {0.25, -2.0, 10.0})
            CHECK(at::allclose(set->linear(weight, x, {strength}) - plain, whole * strength, 1e-4, 1e-4));
    }
    const Linear& head = stored[1].uses.front().linear;
    const at::Tensor moved = set->linear(head, x, {1}).eq(set->linear(head, x, {0})).all(1).flatten();
    CHECK(moved.to(at::kLong).equal(at::tensor({1, 0, 1, 1, 0}, at::kLong)));
}

TEST_CASE("folders without an adapter say what is missing") {
    const fs::path folder = adapterFolder(kRank2, qkvPair());
    fs::remove(folder / "adapter_model.safetensors");
    const auto load = [&] { AdapterSet::load({{folder.string(), 1}}, matrices()); };
    CHECK_THROWS_WITH_AS(load(), doctest::Contains("adapter_model.safetensors or adapter_model.bin"), Error);
    fs::create_directories(folder / "second");
    fs::rename(folder / "adapter_config.json", folder / "second/adapter_config.json");
    try {
        load();
        FAIL("a folder of folders was opened");
    } catch (const Error& e) {
        CHECK(e.hint().find("second") != std::string::npos);
    }
    fs::remove_all(folder / "second");
    CHECK_THROWS_WITH_AS(load(), doctest::Contains("adapter_config.json"), Error);
    fs::remove_all(folder);
    CHECK_THROWS_AS(load(), Error);
}
