// Memory estimates against what the allocator saw.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <mutex>

#include "attention/forward.h"
#include "fovea/generate.h"
#include "fovea/run_estimate.h"
#include "io/safetensors.h"
#include "parity/fixtures.h"

using namespace fovea;
using namespace fovea::test;

namespace {

/// Follows every tensor allocation while it is installed.
class Meter : public c10::MemoryReportingInfoBase {
public:
    void reportMemoryUsage(void*, std::int64_t size, std::size_t, std::size_t, c10::Device) override {
        const std::lock_guard lock(m_mutex);
        m_live += size;
        m_peak = std::max(m_peak, m_live);
    }
    bool memoryProfilingEnabled() const override { return true; }
    std::int64_t peak() const { return m_peak; }

private:
    std::mutex m_mutex;
    std::int64_t m_live = 0;
    std::int64_t m_peak = 0;
};

/// A picture of noise large enough that tensors outweigh what is constant.
std::shared_ptr<const ModelInput> largeInput(const Model& model, const Case& c) {
    if (c.family == "siglip2") return inputsOf(c, model);
    std::vector<float> values(3 * 136 * 136);
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<float>((i * 2654435761U) % 1000) / 500 - 1;
    const auto path = std::filesystem::path(FOVEA_PARITY_FOLDER) / "large.safetensors";
    writeSafetensors(path, {SafetensorsEntry::fromBytes("pixel_values", Dtype::F32, {1, 3, 136, 136},
                                                        std::as_bytes(std::span(values)))});
    UserInput input;
    input.tensors = path;
    return model.encode(input);
}

/// A text that is long enough for the same.
std::shared_ptr<const ModelInput> longText(const Model& model, const Case& c, std::int64_t tokens) {
    auto input = std::make_shared<TensorInput>(dynamic_cast<const TensorInput&>(*inputsOf(c, model)));
    at::Tensor& ids = input->items[0].at("input_ids");
    ids = at::arange(tokens, at::kLong).remainder(90).unsqueeze(0) + 1;
    StageTokens& stage = input->maps[0].stages[0];
    stage.tokens.resize(static_cast<std::size_t>(tokens));
    return input;
}

template <typename Run>
double measured(const std::string& what, Run run) {
    auto meter = std::make_shared<Meter>();
    MemoryEstimate estimate;
    {
        const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, meter);
        estimate = run();
    }
    const double ratio = static_cast<double>(estimate.run()) / static_cast<double>(meter->peak());
    fmt::print("memory estimate / measured, {:<48} {:.2f}\n", what, ratio);
    return ratio;
}

}  // namespace

TEST_CASE("estimates of texts and answers are near the measured peak" * doctest::skip(testDevice() != "cpu")) {
    for (const char* name : {"llama-gqa-1", "llama-gqa-4", "qwen2-window", "qwen3-0", "gemma2-0", "gemma3-0"}) {
        const Case& c = caseNamed(name);
        const auto model = open(c);
        const auto input = longText(*model, c, 1500);
        RunSpec plain, keeps;
        keeps.capture.qkv = keeps.capture.lse = keeps.capture.hidden = true;
        GenerateSpec answer;
        answer.maxNewTokens = 100;
        answer.capture.qkv = true;
        GenerateSpec all = answer;
        all.rows = RecordedRows::All;
        all.capture.hidden = true;
        const std::string what = name;
        for (const double ratio :
             {measured(what + ", plain", [&] { return runModel(*model, *input, plain).estimate; }),
              measured(what + ", recording", [&] { return runModel(*model, *input, keeps).estimate; }),
              measured(what + ", answer", [&] { return generate(*model, *input, answer).estimate; }),
              measured(what + ", answer, all rows", [&] { return generate(*model, *input, all).estimate; })}) {
            CHECK(ratio > 0.9);
            CHECK(ratio < 1.5);
        }
    }
}

TEST_CASE("an answer to tensors is counted with the logits of one position, a run with those of all") {
    const Case& c = caseNamed("llama-prompts");
    const auto model = open(c);
    const auto input = longText(*model, c, 1500);
    auto one = std::make_shared<TensorInput>(dynamic_cast<const TensorInput&>(*input));
    one->allLogits = false;
    CHECK(estimateGeneration(*model, *input, {}).run() == estimateGeneration(*model, *one, {}).run());
    CHECK(estimateRun(*model, *input, {}).run() > estimateRun(*model, *one, {}).run());
    CHECK(runModel(*model, *input, {}).trace->output("logits").size(0) == 1500);
}

TEST_CASE("estimates count the tower of a model that attends to several pictures" * doctest::skip(testDevice() != "cpu")) {
    std::vector<std::uint64_t> recorded;
    for (const char* name : {"mllama-one", "mllama-two"}) {
        const auto model = open(caseNamed(name));
        const auto input = inputsOf(caseNamed(name), *model);
        RunSpec keeps;
        keeps.capture = CaptureRequest::parse("qkv,lse,hidden");
        keeps.capture.sites = {"vision.*"};
        GenerateSpec answer;
        answer.maxNewTokens = 3;
        answer.capture = keeps.capture;
        recorded.push_back(estimateRun(*model, *input, keeps).capture);
        const std::string what = name;
        for (const double ratio :
             {measured(what + ", recording the tower", [&] { return runModel(*model, *input, keeps).estimate; }),
              measured(what + ", answer, recording the tower", [&] { return generate(*model, *input, answer).estimate; })}) {
            CHECK(ratio > 0.9);
            CHECK(ratio < 2.2);  // of a picture as small as this what comes before its blocks is a large part
        }
    }
    CHECK(recorded[1] >= 2 * recorded[0] * 9 / 10);
}

TEST_CASE("memory estimates are within a quarter of the measured peak" *
          doctest::skip(testDevice() != "cpu")) {
    for (const char* name : {"vit-class-0", "deit-teacher-0", "dinov2-swiglu", "dinov3_vit-gated",
                             "clip-vision-0", "siglip-vision-0", "beit-class-0", "beit-shared"}) {
        const Case& c = caseNamed(name);
        const auto model = open(c);
        const auto input = largeInput(*model, c);
        const Objective objective{Objective::Kind::OutputNorm,
                                  c.name.find("class") != std::string::npos || c.family == "deit" ||
                                          c.family == "beit" || c.name == "dinov2-swiglu"
                                      ? "logits"
                                      : "pooler_output",
                                  -1, -1};
        RunSpec plain;
        RunSpec keeps;
        keeps.capture.qkv = keeps.capture.lse = keeps.capture.hidden = true;
        RunSpec gradients = plain;
        gradients.objective = objective;
        gradients.gradients.input = true;
        RunSpec everything = keeps;
        everything.objective = objective;
        everything.gradients.attention = true;
        for (const auto& [kind, spec] : {std::pair{"plain", plain},
                                         {"recording", keeps},
                                         {"gradients", gradients},
                                         {"recording and gradients", everything}}) {
            const std::string what = std::string(name) + ", " + kind;
            auto meter = std::make_shared<Meter>();
            RunResult result;
            {
                const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, meter);
                result = runModel(*model, *input, spec);
            }
            const double ratio =
                static_cast<double>(result.estimate.run()) / static_cast<double>(meter->peak());
            INFO(what, ": estimate ", result.estimate.run(), ", measured ", meter->peak());
            CHECK(ratio > 0.9);
            CHECK(ratio < 1.3);
            fmt::print("memory estimate / measured, {:<48} {:.2f}\n", what, ratio);
        }
    }
}

TEST_CASE("edits under gradients are counted, since the backward pass keeps their maps" *
          doctest::skip(testDevice() != "cpu")) {
    const Case& c = caseNamed("vit-class-0");
    const auto model = open(c);
    const auto input = largeInput(*model, c);
    for (const RowSum rowSum : {RowSum::Free, RowSum::Compensate, RowSum::Renormalise}) {
        RunSpec spec;
        spec.objective = Objective{};
        spec.gradients.input = true;
        for (std::size_t site = 0; site < model->spec().sites.size(); ++site) {
            GroupFactor factor;
            factor.keys = {0, 5};
            factor.factor = 0.5;
            factor.rowSum = rowSum;
            spec.edits.at(static_cast<int>(site)).factors = {factor};
        }
        auto meter = std::make_shared<Meter>();
        RunResult result;
        {
            const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, meter);
            result = runModel(*model, *input, spec);
        }
        const double ratio = static_cast<double>(result.estimate.run()) / static_cast<double>(meter->peak());
        INFO("estimate ", result.estimate.run(), ", measured ", meter->peak());
        CHECK(ratio > 0.9);
        CHECK(ratio < 1.6);
        fmt::print("memory estimate / measured, edits under gradients, row sum {} {:>17.2f}\n",
                   static_cast<int>(rowSum), ratio);
    }
}
