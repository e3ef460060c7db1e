#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "fovea/catalog.h"
#include "fovea/kernels/kernels.h"
#include "fovea/run.h"
#include "fovea/scenes.h"

using namespace fovea;

namespace {

// Checkpoint folders to compare on: the demo, and every folder below FOVEA_PARITY_FIXTURES that has a config.json.
std::vector<std::string> folders() {
    std::vector<std::string> found = {"demo:vit"};
    if (const char* fixtures = std::getenv("FOVEA_PARITY_FIXTURES"))
        for (const auto& entry : std::filesystem::recursive_directory_iterator(fixtures))
            if (entry.path().filename() == "config.json") found.push_back(entry.path().parent_path().string());
    return found;
}

struct Difference {
    double absolute = 0;
    double relative = 0;  // of the largest magnitude
};

Difference compare(const Array& reference, const Array& other) {
    REQUIRE(reference.shape == other.shape);
    double largest = 0, magnitude = 0;
    for (std::size_t i = 0; i < other.values.size(); ++i) {
        largest = std::max(largest, std::abs(static_cast<double>(reference.values[i]) - other.values[i]));
        magnitude = std::max(magnitude, std::abs(static_cast<double>(reference.values[i])));
    }
    return {largest, magnitude > 0 ? largest / magnitude : largest};
}

struct Recorded {
    std::shared_ptr<const Model> model;
    RunResult result;
};

Recorded record(const Catalog& catalog, const std::string& folder, const std::string& device,
                const std::string& dtype, bool gradients = false) {
    const auto model = openModel(catalog, folder, {device, dtype, true});
    SceneOptions options;
    options.seed = 3;
    const auto input = model->encode({{makeScene(options).image}, "", {}});
    RunSpec spec;
    spec.capture = CaptureRequest::parse("probs,hidden,output");
    if (gradients) {
        spec.objective = Objective{};
        spec.gradients = {true, false};
    }
    return {model, runModel(*model, *input, spec)};
}

Difference worst(const AttentionTrace& reference, const AttentionTrace& other) {
    Difference worst;
    const auto add = [&](const Array& a, const Array& b) {
        const Difference d = compare(a, b);
        worst.absolute = std::max(worst.absolute, d.absolute);
        worst.relative = std::max(worst.relative, d.relative);
    };
    for (const int site : reference.sites()) add(reference.probabilities(site), other.probabilities(site));
    for (const StageSpec& stage : reference.spec().stages)
        for (int i = 0; i <= stage.layers; ++i) add(reference.hidden(stage.id, i), other.hidden(stage.id, i));
    for (const std::string& name : reference.outputNames()) add(reference.output(name), other.output(name));
    return worst;
}

}  // namespace

TEST_CASE("cuda: without a device a model is refused with a hint, with one it agrees with float64 on the CPU") {
    const Catalog catalog = makeCatalog();
    if (fv_device_count() == 0) {
        std::cout << "no CUDA device: " << folders().size() << " comparisons skipped\n";
        try {
            openModel(catalog, "demo:vit", {"cuda", "auto", true});
            FAIL("expected a refusal");
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::Memory);
            CHECK_FALSE(error.hint().empty());
        }
        return;
    }
    fv_device_info info{};
    REQUIRE(fv_get_device_info(0, &info) == FV_OK);
    CHECK(info.total_bytes > 0);
    std::cout << "device " << info.name << " sm_" << info.major << info.minor << "\n";
    for (const std::string& folder : folders()) {
        const Recorded reference = record(catalog, folder, "cpu", "float64");
        const Recorded single = record(catalog, folder, "cuda", "float32");
        const Recorded half = record(catalog, folder, "cuda", "bfloat16");
        const Difference fp32 = worst(*reference.result.trace, *single.result.trace);
        const Difference bf16 = worst(*reference.result.trace, *half.result.trace);
        std::cout << std::filesystem::path(folder).filename().string() << " (" << reference.model->spec().family
                  << "): fp32 " << fp32.absolute << " by " << single.result.routes.front().route << ", bf16 "
                  << bf16.relative << " of the maximum by " << half.result.routes.front().route << "\n";
        CHECK_MESSAGE(fp32.absolute <= 1e-4, folder);
        CHECK_MESSAGE(bf16.relative <= 3e-2, folder);
    }
}

TEST_CASE("cuda: observation changes no bit, edits and gradients agree with the CPU") {
    if (fv_device_count() == 0) return;
    const Catalog catalog = makeCatalog();
    const auto model = openModel(catalog, "demo:vit", {"cuda", "float32", true});
    const auto input = model->encode({{makeScene({}).image}, "", {}});
    RunSpec plain, observed;
    observed.capture = CaptureRequest::parse("qkv,lse,stats,probs,hidden,output");
    CHECK(runModel(*model, *input, plain).trace->output("logits") ==
          runModel(*model, *input, observed).trace->output("logits"));

    const auto onCpu = openModel(catalog, "demo:vit", {"cpu", "float32", true});
    const auto cpuInput = onCpu->encode({{makeScene({}).image}, "", {}});
    RunSpec edited;
    GroupFactor group;
    group.keys = {0, 1};
    group.factor = 0;
    group.rowSum = RowSum::Renormalise;
    edited.edits.at(2).factors.push_back(group);
    edited.edits.at(1).headGain.assign(static_cast<std::size_t>(model->spec().sites[1].heads), 1.0);
    edited.edits.at(1).headGain[0] = 0;
    edited.edits.prunes = {{"vision", 3, {5, 6, 7}}};
    edited.objective = Objective{};
    edited.objective->classIndex = 0;
    edited.gradients = {true, false};
    const RunResult a = runModel(*model, *input, edited), b = runModel(*onCpu, *cpuInput, edited);
    CHECK(compare(b.trace->output("logits"), a.trace->output("logits")).absolute < 1e-4);
    CHECK(compare(b.inputGradient, a.inputGradient).relative < 1e-3);
}
