#include <doctest/doctest.h>

#include <ATen/ops/arange.h>

#include <cmath>
#include <limits>
#include <span>
#include <tuple>

#include "fovea/error.h"
#include "io/safetensors.h"
#include "io/weight_store.h"
#include "support.h"

namespace fovea::test {
namespace {

/// A checkpoint of float tensors that count up from 0.
class Checkpoint {
public:
    explicit Checkpoint(const std::vector<std::pair<std::string, std::vector<std::int64_t>>>& tensors) {
        std::vector<float> counting(4096);
        for (std::size_t i = 0; i < counting.size(); ++i) counting[i] = static_cast<float>(i);
        std::vector<SafetensorsEntry> entries;
        for (const auto& [name, shape] : tensors) {
            const auto bytes = static_cast<std::size_t>(checkedBytes(shape, 4));
            entries.push_back(SafetensorsEntry::fromBytes(name, Dtype::F32, shape,
                                                          std::as_bytes(std::span(counting)).first(bytes)));
        }
        writeSafetensors(m_folder / "w.safetensors", std::move(entries));
        ResolvedModel model;
        model.weightFormat = WeightFormat::Safetensors;
        model.weightFiles = {m_folder / "w.safetensors"};
        m_store = WeightStore::open(model);
    }
    BoundWeights bind(const WeightPlan& plan) const { return m_store->bind(plan); }

private:
    TemporaryFolder m_folder;
    std::shared_ptr<const WeightStore> m_store;
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("one report names everything that is missing, unexpected and misshaped, as the files spell it") {
    const Checkpoint files({{"vit.encoder.0.w", {2, 3}},
                            {"vit.encoder.1.w", {2, 3}},
                            {"vit.encoder.1.b", {4}},
                            {"classifier.weight", {5, 2}},
                            {"vit.extra", {1}},
                            {"vit.embeddings.position_ids", {3}},
                            {"vit.mask_token", {1}},
                            {"lora.a", {2}},
                            {"lora.b", {2}}});
    WeightPlan plan;
    for (const char* layer : {"encoder.0", "encoder.1"}) {
        plan.specs.push_back({std::string(layer) + ".w", {2, 3}});
        plan.specs.push_back({std::string(layer) + ".b", {2}});
    }
    plan.specs.push_back({"classifier.weight", {-1, 2}});
    plan.specs.push_back({"classifier.bias", {-1}});
    plan.specs.push_back({"pooler.weight", {2, 2}, true});
    plan.layouts = {{{"deit.", ""}}, {{"vit.", ""}}, {}};
    plan.ignored = {"lora.*"};
    const BoundWeights weights = files.bind(plan);
    const WeightReport& report = weights.report();
    CHECK(report.loaded == 3);
    CHECK(report.parameters == 6 + 6 + 10);
    CHECK(report.missing == Names{"vit.encoder.0.b", "classifier.bias"});
    CHECK(report.unexpected == Names{"vit.extra"});
    REQUIRE(report.misshaped.size() == 1);
    CHECK(report.misshaped[0].name == "vit.encoder.1.b");
    CHECK(report.misshaped[0].expected == std::vector<std::int64_t>{2});
    CHECK(report.misshaped[0].found == std::vector<std::int64_t>{4});
    CHECK_FALSE(report.complete());
    CHECK(report.unexpectedNotice() == "1 tensor of the weight files is not used: vit.extra");
    for (const char* part :
         {"2 tensors are missing", "1 tensor is not used (vit.extra)", "vit.encoder.0.b", "vit.encoder.1.b: expected [2], found [4]"})
        CHECK(report.problem().find(part) != std::string::npos);
    CHECK(weights.get("encoder.0.w").size(1) == 3);
    CHECK(weights.get("classifier.weight").size(0) == 5);
    CHECK_FALSE(weights.get("pooler.weight").defined());
    CHECK_THROWS_AS(weights.get("encoder.0.b"), Error);
    CHECK_THROWS_AS(weights.get("no such name"), Error);
}

TEST_CASE("what no model uses is counted, and the first of it named") {
    WeightReport report;
    CHECK(report.unexpectedNotice().empty());
    report.unexpected = {"a", "b", "c", "d", "e", "f"};
    CHECK(report.unexpectedNotice() == "6 tensors of the weight files are not used: a, b, c, d and 2 more");
    CHECK(report.problem().empty());
}

TEST_CASE("weights that hold no floating-point numbers are reported, buffers of integers ignored") {
    const TemporaryFolder folder;
    const std::vector<std::byte> bytes(64);
    const std::span<const std::byte> data(bytes);
    std::vector<SafetensorsEntry> entries;
    for (const auto& [name, dtype, size] : std::vector<std::tuple<std::string, Dtype, std::size_t>>{
             {"long", Dtype::I64, 16}, {"int", Dtype::I32, 8}, {"byte", Dtype::U8, 2}, {"flag", Dtype::Bool, 2},
             {"complex", Dtype::C64, 16}, {"half", Dtype::F16, 4}, {"brain", Dtype::BF16, 4},
             {"double", Dtype::F64, 16}, {"position_ids", Dtype::I64, 16}})
        entries.push_back(SafetensorsEntry::fromBytes(name, dtype, {2}, data.first(size)));
    writeSafetensors(folder / "typed.safetensors", std::move(entries));
    ResolvedModel model;
    model.weightFormat = WeightFormat::Safetensors;
    model.weightFiles = {folder / "typed.safetensors"};
    WeightPlan plan;
    for (const char* name : {"long", "int", "byte", "flag", "complex", "half", "brain", "double"})
        plan.specs.push_back({name, {2}});
    const BoundWeights weights = WeightStore::open(model)->bind(plan);
    const WeightReport& report = weights.report();
    CHECK(report.loaded == 3);
    CHECK(report.missing.empty());
    CHECK(report.misshaped.empty());
    CHECK(report.unexpected.empty());
    REQUIRE(report.mistyped.size() == 5);
    CHECK(report.mistyped[0].name == "long");
    CHECK(report.mistyped[0].file == "typed.safetensors");
    CHECK(report.mistyped[0].found == "I64");
    CHECK_FALSE(report.complete());
    CHECK(report.problem().find("long in typed.safetensors: expected F32, F16, BF16 or F64, found I64") !=
          std::string::npos);
    CHECK_FALSE(weights.has("flag"));
    CHECK(weights.has("half"));
}

TEST_CASE("the first layout that resolves every required name is used") {
    WeightPlan plan;
    plan.specs = {{"vision.w", {1}}, {"text.w", {1}}};
    plan.layouts = {{}, {{"model.vision_tower.", "vision."}, {"model.", "text."}}, {{"model.", ""}}};
    CHECK(Checkpoint({{"vision.w", {1}}, {"text.w", {1}}}).bind(plan).report().complete());
    CHECK(Checkpoint({{"model.vision_tower.w", {1}}, {"model.w", {1}}}).bind(plan).report().complete());
    CHECK(Checkpoint({{"model.vision.w", {1}}, {"model.text.w", {1}}}).bind(plan).report().complete());
}

TEST_CASE("fused, renamed and reshaped tensors are delivered as views") {
    const Checkpoint files(
        {{"blocks.0.qkv", {6, 2}}, {"cls_token", {1, 1, 4}}, {"conv", {3, 4}}, {"gamma", {3}}});
    WeightPlan plan;
    plan.specs = {{"q", {2, 2}, false, {{"blocks.0.qkv", 0, 3, {}}}},
                  {"k", {2, 2}, false, {{"blocks.0.qkv", 1, 3, {}}}},
                  {"v", {-1, 2}, false, {{"blocks.0.qkv", 2, 3, {}}}},
                  {"class", {4}, false, {{"cls_token", 0, 1, {1, 1, 4}}}},
                  {"patch", {3, 1, 2, 2}, false, {{"conv", 0, 1, {3, 4}}}},
                  {"norm", {3}, false, {{"weight", 0, 1, {}}, {"gamma", 0, 1, {}}}}};
    const BoundWeights weights = files.bind(plan);
    CHECK(weights.report().complete());
    CHECK(weights.report().loaded == 4);
    CHECK(weights.report().unexpected.empty());
    CHECK(weights.get("k").equal(at::arange(4, 8, at::kFloat).view({2, 2})));
    CHECK(weights.get("v").equal(at::arange(8, 12, at::kFloat).view({2, 2})));
    CHECK(weights.get("k").data_ptr() == static_cast<float*>(weights.get("q").data_ptr()) + 4);
    CHECK(weights.get("class").dim() == 1);
    CHECK(weights.get("patch").dim() == 4);
    CHECK(weights.get("norm").size(0) == 3);

    plan.specs[0].shape = {3, 2};
    CHECK(files.bind(plan).report().misshaped.size() == 1);
}

TEST_CASE("a missing fused tensor is named once, as the other layers spell it") {
    const Checkpoint files({{"blocks.0.attn.qkv.weight", {6, 2}}, {"blocks.1.attn.proj.weight", {2, 2}}});
    WeightPlan plan;
    for (const char* layer : {"0", "1"}) {
        const std::string ours = "layer." + std::string(layer) + ".attention.";
        const std::string theirs = "blocks." + std::string(layer) + ".attn.";
        for (int part = 0; part < 3; ++part)
            plan.specs.push_back(
                {ours + "qkv" [part], { 2, 2 }, false, {{theirs + "qkv.weight", part, 3, {}}}});
        plan.specs.push_back({ours + "out", {2, 2}, layer[0] == '0', {{theirs + "proj.weight", 0, 1, {}}}});
    }
    CHECK(files.bind(plan).report().missing == Names{"blocks.1.attn.qkv.weight"});
}

TEST_CASE("conversion leaves the mapped values readable") {
    const Checkpoint files({{"w", {64, 64}}});
    WeightPlan plan;
    plan.specs = {{"w", {64, 64}}};
    const BoundWeights weights = files.bind(plan);
    const at::Tensor stored = weights.get("w");
    const at::Tensor half = weights.get("w", at::kBFloat16);
    CHECK((half.scalar_type() == at::kBFloat16));
    CHECK(stored.equal(at::arange(4096, at::kFloat).view({64, 64})));
    CHECK(weights.get("w", at::kFloat).data_ptr() == stored.data_ptr());
    CHECK(weights.storedDtype() == Dtype::F32);
}

TEST_CASE("8-bit floats follow their formats") {
    CHECK(decodeFloat8(Dtype::F8E4M3, 0x7E) == 448.0F);
    CHECK(std::isnan(decodeFloat8(Dtype::F8E4M3, 0x7F)));
    CHECK(decodeFloat8(Dtype::F8E4M3, 0x01) == std::ldexp(1.0F, -9));
    CHECK(decodeFloat8(Dtype::F8E5M2, 0x7B) == 57344.0F);
    CHECK(decodeFloat8(Dtype::F8E5M2, 0xFC) == -std::numeric_limits<float>::infinity());
    CHECK(decodeFloat8(Dtype::F8E4M3Fnuz, 0x7F) == 240.0F);
    CHECK(std::isnan(decodeFloat8(Dtype::F8E4M3Fnuz, 0x80)));
    CHECK(decodeFloat8(Dtype::F8E8M0, 127) == 1.0F);
    CHECK_THROWS_AS(decodeFloat8(Dtype::F32, 0), Error);
}

}  // namespace fovea::test
