// Adapters on models: equal to the peft package, exactly nothing at strength 0, strengths changed without
// loading.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>

#include "fovea/catalog.h"
#include "fovea/error.h"
#include "fovea/open_model.h"
#include "fovea/run.h"
#include "images/fixtures.h"

using namespace fovea;
namespace fs = std::filesystem;

namespace {

const fs::path& fixtures() {
    static const fs::path folder = test::fixtureFolder("adapters/make_adapter_fixtures.py");
    return folder;
}

struct Opened {
    std::shared_ptr<const Model> model;
    std::shared_ptr<const ModelInput> input;
};

Opened open(const std::string& name, const std::vector<AdapterChoice>& adapters,
            const std::string& dtype = "float32") {
    static const Catalog catalog = makeCatalog();
    LoadOptions options;
    options.device = "cpu";
    options.dtype = dtype;
    options.adapters = adapters;
    Opened opened{openModel(catalog, (fixtures() / name / "base").string(), options), nullptr};
    UserInput input;
    input.tensors = fixtures() / "input.safetensors";
    opened.input = opened.model->encode(input);
    return opened;
}

AdapterChoice adapterOf(const std::string& name, double strength = 1) {
    return {(fixtures() / name / "adapter").string(), strength};
}

struct Result {
    std::vector<float> logits, hidden;
};

Result run(const Opened& opened, const std::vector<double>& strengths = {}) {
    RunSpec spec;
    spec.capture.output = spec.capture.hidden = true;
    spec.adapterStrengths = strengths;
    const RunResult result = runModel(*opened.model, *opened.input, spec);
    const int layers = opened.model->spec().stages.front().layers;
    return {result.trace->output("logits").values,
            result.trace->hidden(opened.model->spec().stages.front().id, layers).values};
}

double largestDifference(const nlohmann::json& a, const nlohmann::json& b) {
    REQUIRE(a.size() == b.size());
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double d = std::abs(a[i].get<double>() - b[i].get<double>());
        largest = d >= 0 ? std::max(largest, d) : HUGE_VAL;
    }
    return largest;
}

/// The error to the reference in float64 is at most 1e-6 of its largest value, or what is allowed besides.
void compare(const std::vector<float>& ours, const nlohmann::json& reference, double besides) {
    const nlohmann::json zero(std::vector<double>(reference.size()));
    const double largest = largestDifference(reference, zero), error = largestDifference(ours, reference);
    CHECK_MESSAGE(error <= std::max(1e-6 * largest, besides), "error " << error << " of " << largest);
}

}  // namespace

TEST_CASE("models with adapters compute what peft computes, at every strength") {
    const auto index = test::readJson(fixtures() / "index.json");
    for (const auto& one : index.at("cases")) {
        const std::string name = one.at("name");
        INFO(name);
        const Opened opened = open(name, {adapterOf(name)}), exact = open(name, {adapterOf(name)}, "float64");
        CHECK(opened.model->spec().weights.notices.back().starts_with("adapter "));
        for (const auto& [strength, reference] : one.at("reference").items()) {
            INFO("strength " << strength);
            const Result wide = run(exact, {std::stod(strength)});
            compare(wide.logits, reference[0], 0);
            compare(wide.hidden, reference[1], 0);
            if (!one.at("single").contains(strength)) continue;
            // In float32 twice the largest error of peft in float32 over several pictures.
            const auto& single = one.at("single").at(strength);
            const Result result = run(opened, {std::stod(strength)});
            compare(result.logits, reference[0], 2 * single[0].get<double>());
            compare(result.hidden, reference[1], 2 * single[1].get<double>());
        }
    }
    CHECK(index.at("cases").size() >= 22);
}

TEST_CASE("strength 0 is the base model bit for bit, and a strength needs no loading") {
    for (const char* name : {"lora-all", "dora", "saved-classifier", "bias-lora-only", "patches", "patches-dora", "saved-patches",
                             "lora-bias"}) {
        INFO(name);
        const Result plain = run(open(name, {}));
        const Opened opened = open(name, {adapterOf(name, 0.25)});
        const Result off = run(opened, {0});
        CHECK(off.logits == plain.logits);
        CHECK(off.hidden == plain.hidden);
        CHECK(run(opened).logits == run(opened, {0.25}).logits);
        CHECK(run(opened, {1}).logits != plain.logits);
        CHECK(run(open(name, {adapterOf(name)})).logits == run(opened, {1}).logits);
    }
}

TEST_CASE("several adapters add up") {
    const Opened both = open("lora", {adapterOf("lora"), adapterOf("rslora")});
    CHECK(run(both, {1, 0}).logits == run(open("lora", {adapterOf("lora")})).logits);
    CHECK(run(both, {0, 1}).logits == run(open("lora", {adapterOf("rslora")})).logits);
    CHECK(run(both, {1, 1}).logits != run(both, {1, 0}).logits);
    const Opened twice = open("lora", {adapterOf("lora", 0.5), adapterOf("lora", 0.5)});
    const Result halves = run(twice), whole = run(open("lora", {adapterOf("lora")}));
    for (std::size_t i = 0; i < whole.logits.size(); ++i)
        CHECK(halves.logits[i] == doctest::Approx(whole.logits[i]).epsilon(1e-4));
    CHECK_THROWS_WITH_AS(run(both, {1}), doctest::Contains("strengths of 1 adapters for a model with 2"),
                         Error);
}

TEST_CASE("adapters follow the precision of the run") {
    const Result exact = run(open("lora", {adapterOf("lora")}, "float64")),
                 half = run(open("lora", {adapterOf("lora")}, "bfloat16"));
    const Result plain = run(open("lora", {}, "float64"));
    double moved = 0, off = 0;
    for (std::size_t i = 0; i < exact.logits.size(); ++i) {
        moved = std::max(moved, std::abs(static_cast<double>(exact.logits[i]) - plain.logits[i]));
        off = std::max(off, std::abs(static_cast<double>(exact.logits[i]) - half.logits[i]));
    }
    CHECK(off < 0.5 * moved);
}

TEST_CASE("a run cannot resume from one with other strengths") {
    const Opened opened = open("lora", {adapterOf("lora")});
    RunSpec spec;
    spec.adapterStrengths = {1};
    spec.checkpoints = {1, 0};
    spec.resume = runModel(*opened.model, *opened.input, spec).state;
    REQUIRE(spec.resume);
    CHECK(runModel(*opened.model, *opened.input, spec).blocksResumed > 0);
    spec.adapterStrengths = {0.5};
    CHECK_THROWS_WITH_AS(runModel(*opened.model, *opened.input, spec), doctest::Contains("adapter strength"),
                         Error);
}
