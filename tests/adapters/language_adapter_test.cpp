// Adapters on language models and on the towers, projectors and decoders of vision-language models: equal to the peft
// package at every strength, in a run and in an answer.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "fovea/catalog.h"
#include "fovea/generate.h"
#include "fovea/open_model.h"
#include "fovea/run.h"
#include "images/fixtures.h"

using namespace fovea;
namespace fs = std::filesystem;

namespace {

const fs::path& fixtures() {
    static const fs::path folder = test::fixtureFolder("adapters/make_language_fixtures.py");
    return folder;
}

struct Opened {
    std::shared_ptr<const Model> model;
    std::shared_ptr<const ModelInput> input;
};

enum class Adapters { None, One };

Opened open(const std::string& name, const std::string& dtype, Adapters adapters = Adapters::One) {
    static const Catalog catalog = makeCatalog();
    LoadOptions options;
    options.device = "cpu";
    options.dtype = dtype;
    if (adapters == Adapters::One) options.adapters = {{(fixtures() / name / "adapter").string(), 1}};
    Opened opened{openModel(catalog, (fixtures() / name / "base").string(), options), nullptr};
    UserInput input;
    input.tensors = fixtures() / name / "input.safetensors";
    opened.input = opened.model->encode(input);
    return opened;
}

std::vector<float> logits(const Opened& opened, const std::vector<double>& strengths) {
    RunSpec spec;
    spec.capture.output = true;
    spec.adapterStrengths = strengths;
    return runModel(*opened.model, *opened.input, spec).trace->output("logits").values;
}

template <typename Values>
double apart(const Values& a, const nlohmann::json& b) {
    REQUIRE(a.size() == b.size());
    double most = 0;
    for (std::size_t i = 0; i < b.size(); ++i) most = std::max(most, std::abs(static_cast<double>(a[i]) - b[i].template get<double>()));
    return most;
}

}  // namespace

TEST_CASE("language models with adapters compute what peft computes, at every strength") {
    const auto index = test::readJson(fixtures() / "index.json");
    int changed = 0;
    for (const auto& one : index.at("cases")) {
        const std::string name = one.at("name");
        INFO(name);
        const Opened opened = open(name, "float32"), exact = open(name, "float64");
        for (const auto& [strength, reference] : one.at("reference").items()) {
            INFO("strength " << strength);
            double largest = 0;
            for (const double value : reference[0].get<std::vector<double>>()) largest = std::max(largest, std::abs(value));
            CHECK(apart(logits(exact, {std::stod(strength)}), reference[0]) <= 1e-6 * largest);
            if (!one.at("single").contains(strength)) continue;
            const double single = one.at("single").at(strength);
            CHECK(apart(logits(opened, {std::stod(strength)}), reference[0]) <= std::max(1e-6 * largest, 2 * single));
        }
        if (!one.contains("answer")) continue;
        GenerateSpec spec;
        spec.maxNewTokens = 12;
        spec.adapterStrengths = {1};
        const auto answer = one.at("answer").get<std::vector<int>>();
        CHECK(generate(*opened.model, *opened.input, spec).ids == answer);
        spec.adapterStrengths = {0};
        changed += generate(*opened.model, *opened.input, spec).ids != answer;
    }
    CHECK(changed >= 16);
    CHECK(index.at("cases").size() >= 37);
}

TEST_CASE("at strength 0 tables, patches and tokens are the base's bit for bit") {
    for (const char* name : {"llama-dora-embedding", "llama-dora-tied", "llama-tokens", "llama-tokens-tied", "gpt2-saved",
                             "llava-patches", "qwen2_5_vl-patches", "qwen3_vl-patches"}) {
        INFO(name);
        const Opened opened = open(name, "float32");
        const auto plain = logits(open(name, "float32", Adapters::None), {});
        CHECK(logits(opened, {0}) == plain);
        CHECK(logits(opened, {1}) != plain);
    }
}

TEST_CASE("an answer that goes on from another one has its adapters") {
    const auto index = test::readJson(fixtures() / "index.json");
    REQUIRE(index.at("cases").size() >= 12);
    for (const auto& one : index.at("cases")) {
        INFO(one.at("name").get<std::string>());
        if (!one.contains("answer")) continue;
        const Opened opened = open(one.at("name"), "float32");
        GenerateSpec spec;
        spec.maxNewTokens = 6;
        spec.adapterStrengths = {1};
        spec.capture.allLogits = true;
        spec.keepState = true;
        const Generation first = generate(*opened.model, *opened.input, spec);
        const int prompt = opened.input->maps[0].stage("text").size();
        for (std::size_t site = 0; site < opened.model->spec().sites.size(); ++site)
            if (opened.model->spec().sites[site].stage == "text") {
                GroupFactor factor;
                factor.queries = {prompt + 2};
                factor.keys = {0, 1};
                factor.factor = 0;
                spec.edits.at(static_cast<int>(site)).factors = {factor};
            }
        const Generation full = generate(*opened.model, *opened.input, spec);
        spec.resume = first.state;
        const Generation resumed = generate(*opened.model, *opened.input, spec);
        CHECK(resumed.resumedAt == 2);
        CHECK(resumed.trace->output("logits") == full.trace->output("logits"));
        spec.adapterStrengths = {0.5};
        CHECK(generate(*opened.model, *opened.input, spec).resumedAt == -1);
    }
}
