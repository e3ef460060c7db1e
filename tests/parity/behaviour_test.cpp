// What has to hold for real families beside their numbers: gradients, resumed runs, pruned tokens,
// observation.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "fovea/catalog.h"
#include "parity/fixtures.h"

using namespace fovea;
using namespace fovea::test;

namespace {

const char* const kOneOfEach[] = {"vit-class-0",
                                  "deit-teacher-0",
                                  "vit_mae-masked-0.4",
                                  "dinov2-swiglu",
                                  "dinov2_with_registers-class",
                                  "dinov3_vit-gated",
                                  "clip-vision-0",
                                  "siglip-vision-0",
                                  "siglip2-vision-padded",
                                  "beit-both-absolute-cls",
                                  "timm-registers",
                                  "llama-embeds",
                                  "gemma-embeds"};

const char* const kWithoutInputGradient[] = {"llama-gqa-2", "llama-padded-left", "llama-packed", "qwen2-window",
                                              "gemma2-0",    "gemma3-0",          "gpt2-0"};

/// All of the above: text models get token ids, which have no gradient.
std::vector<const char*> observed() {
    std::vector<const char*> names(std::begin(kOneOfEach), std::end(kOneOfEach));
    names.insert(names.end(), std::begin(kWithoutInputGradient), std::end(kWithoutInputGradient));
    return names;
}

const std::string& stageOf(const Model& model) { return model.spec().stages.front().id; }

Objective normOf(const Model& model, const ModelInput& input) {
    const RunResult plain = runModel(model, input, recordAll());
    Objective objective;
    objective.kind = Objective::Kind::OutputNorm;
    for (const std::string& name : plain.trace->outputNames()) objective.output = name;
    return objective;
}

void checkSame(const Array& a, const Array& b) {
    REQUIRE(a.shape == b.shape);
    CHECK(a.values == b.values);
}

}  // namespace

TEST_CASE("input gradients equal finite differences") {
    for (const char* name : kOneOfEach) {
        INFO(name);
        const Case& c = caseNamed(name);
        const auto model = open(c, "float64");
        const auto input = inputsOf(c, *model);
        RunSpec spec;
        spec.objective = normOf(*model, *input);
        spec.gradients.input = true;
        const RunResult result = runModel(*model, *input, spec);
        // d/ds f(s x) at s = 1 is <grad f, x>.
        double slope = 0;
        REQUIRE(result.inputGradient.values.size() == result.inputTensor.values.size());
        for (std::size_t i = 0; i < result.inputGradient.values.size(); ++i)
            slope += static_cast<double>(result.inputGradient.values[i]) *
                     static_cast<double>(result.inputTensor.values[i]);
        const auto at = [&](double scale) {
            RunSpec moved;
            moved.objective = spec.objective;
            moved.perturbation.scale = scale;
            return runModel(*model, *input, moved).objective;
        };
        const double step = 1e-4;
        const double difference = (at(1 + step) - at(1 - step)) / (2 * step);
        CHECK(std::abs(slope) > 1e-6);
        CHECK(slope == doctest::Approx(difference).epsilon(1e-3));
    }
}

TEST_CASE("attention gradients exist at every site") {
    for (const char* name : kOneOfEach) {
        INFO(name);
        const Case& c = caseNamed(name);
        const auto model = open(c);
        const auto input = inputsOf(c, *model);
        RunSpec spec = recordAll();
        spec.objective = normOf(*model, *input);
        spec.gradients.attention = true;
        const RunResult result = runModel(*model, *input, spec);
        // The last block's class query, or the pooling, decides the output: its gradient cannot be zero.
        double most = 0;
        for (const int site : result.trace->sites()) {
            if (!result.trace->hasGradient(site)) continue;
            for (const float value : result.trace->probabilityGradient(site).values)
                most = std::max(most, std::abs(static_cast<double>(value)));
        }
        CHECK(most > 0);
        CHECK(result.trace->hasGradient(0));
    }
}

TEST_CASE("observation does not change the output by a bit") {
    for (const char* name : observed()) {
        INFO(name);
        const Case& c = caseNamed(name);
        const auto model = open(c);
        const auto input = inputsOf(c, *model);
        RunSpec plain;
        const RunResult unobserved = runModel(*model, *input, plain);
        const RunResult observed = runModel(*model, *input, recordAll());
        for (const std::string& output : unobserved.trace->outputNames())
            checkSame(unobserved.trace->output(output), observed.trace->output(output));
    }
}

TEST_CASE("a trace of Q, K and V alone gives the probabilities of every family again") {
    const auto path = std::filesystem::path(FOVEA_PARITY_FOLDER) / "replayed.safetensors";
    for (const char* name : observed()) {
        INFO(name);
        const Case& c = caseNamed(name);
        const auto model = open(c);
        const auto trace = runModel(*model, *inputsOf(c, *model), recordAll()).trace;
        TraceFileOptions options;
        options.keep = CaptureRequest::parse("qkv");
        writeTraceFile(path, {trace}, options);
        const auto recorded = openModel(makeCatalog(), path.string());
        const auto again = runModel(*recorded, *recorded->encode({}), {}).trace;
        REQUIRE(again->sites() == trace->sites());
        for (const int site : trace->sites()) {
            const Array expected = trace->probabilities(site), found = again->probabilities(site);
            REQUIRE(found.shape == expected.shape);
            double apart = 0;
            for (std::size_t i = 0; i < found.values.size(); ++i)
                apart = std::max(apart, std::abs(static_cast<double>(found.values[i] - expected.values[i])));
            CHECK(apart < 1e-6);
        }
    }
    std::filesystem::remove(path);
}

TEST_CASE("what the taps of a block saw is what it added to the stream") {
    for (const char* name : observed()) {
        INFO(name);
        const Case& c = caseNamed(name);
        const auto model = open(c, "float64");
        RunSpec spec = recordAll();
        spec.capture.taps = {stageOf(*model) + ".*"};
        const auto trace = runModel(*model, *inputsOf(c, *model), spec).trace;
        const int layers = model->spec().stages.front().layers;
        REQUIRE(trace->tapNames().size() == static_cast<std::size_t>(2 * layers));
        for (int block = 0; block < layers; ++block) {
            const std::string at = stageOf(*model) + "." + std::to_string(block);
            const Array before = trace->hidden(stageOf(*model), block), after = trace->hidden(stageOf(*model), block + 1);
            const Array attention = trace->tap(at + ".attention"), mlp = trace->tap(at + ".mlp");
            REQUIRE(attention.shape == before.shape);
            double apart = 0;
            for (std::size_t i = 0; i < after.values.size(); ++i)
                apart = std::max(apart, std::abs(static_cast<double>(after.values[i]) - before.values[i] -
                                                 attention.values[i] - mlp.values[i]));
            CHECK(apart < 1e-5);
        }
    }
}

TEST_CASE("a resumed run equals the full run") {
    for (const char* name : observed()) {
        INFO(name);
        const Case& c = caseNamed(name);
        const auto model = open(c);
        const auto input = inputsOf(c, *model);
        const int layers = model->spec().stages.front().layers;
        RunSpec first = recordAll();
        first.checkpoints.everyBlocks = 1;
        const RunResult before = runModel(*model, *input, first);

        RunSpec edited = recordAll();
        const int site = model->spec().siteIndex(stageOf(*model) + "." + std::to_string(layers - 1) + ".self");
        edited.edits.at(site).headGain.assign(static_cast<std::size_t>(model->spec().sites[0].heads), 1.0);
        edited.edits.at(site).headGain[1] = 0.25;
        const RunResult full = runModel(*model, *input, edited);
        edited.resume = before.state;
        const RunResult resumed = runModel(*model, *input, edited);
        CHECK(resumed.blocksResumed == layers - 1);
        CHECK(resumed.blocksRun == 1);
        for (const std::string& output : full.trace->outputNames()) {
            checkSame(full.trace->output(output), resumed.trace->output(output));
            CHECK(full.trace->output(output).values != before.trace->output(output).values);
        }
        for (int i = 0; i <= layers; ++i)
            checkSame(full.trace->hidden(stageOf(*model), i), resumed.trace->hidden(stageOf(*model), i));
    }
}

TEST_CASE("an edit of a decoder's block leaves the blocks before it, pictures or not") {
    for (const char* name : {"llava-one-gqa-2", "llava-two", "qwen2_5_vl-two", "qwen3_vl-one", "internvl-tiles", "gemma3-two"}) {
        INFO(name);
        const auto model = open(caseNamed(name));
        const auto input = inputsOf(caseNamed(name), *model);
        RunSpec first = recordAll();
        first.checkpoints.everyBlocks = 1;
        const RunResult before = runModel(*model, *input, first);
        const int layers = model->spec().stage("text").layers, heads = model->spec().sites.back().heads;
        const auto edited = [&](const std::string& address) {
            RunSpec spec = recordAll();
            spec.edits.at(model->spec().siteIndex(address)).headGain.assign(static_cast<std::size_t>(heads), 0.5);
            return spec;
        };
        const auto check = [&](RunSpec spec, int left) {
            const RunResult full = runModel(*model, *input, spec);
            spec.resume = before.state;
            const RunResult resumed = runModel(*model, *input, spec);
            CHECK(full.blocksRun - resumed.blocksRun >= left);
            checkSame(full.trace->output("logits"), resumed.trace->output("logits"));
            CHECK(full.trace->output("logits").values != before.trace->output("logits").values);
            for (int i = 0; i <= layers; ++i) checkSame(full.trace->hidden("text", i), resumed.trace->hidden("text", i));
            for (const int site : full.trace->sites()) checkSame(full.trace->probabilities(site), resumed.trace->probabilities(site));
            return resumed;
        };
        check(edited("text." + std::to_string(layers - 1) + ".self"), layers - 1);
        // What the tower sees otherwise, the decoder reads from its beginning.
        const RunResult tower = check(edited("vision.0.self"), 0);
        CHECK(tower.blocksResumed == 0);
        RunSpec pruned = recordAll();
        pruned.edits.prunes = {{"text", layers - 1, {4, 5}}};
        check(pruned, layers - 1);
    }
}

TEST_CASE("an edit of a text that attends to its picture leaves the tower, its parts too, and the blocks before it") {
    for (const char* name : {"blip", "blip-question", "mllama-one", "mllama-two", "llava-two"}) {
        INFO(name);
        const auto model = open(caseNamed(name));
        const auto input = inputsOf(caseNamed(name), *model);
        RunSpec first = recordAll();
        first.checkpoints.everyBlocks = 1;
        const RunResult before = runModel(*model, *input, first);
        const int layers = model->spec().stage("text").layers;
        for (int block = 0; block < layers; ++block) {
            RunSpec spec = recordAll();
            for (const int site : model->spec().sitesOfStage("text"))
                if (const AttentionSite& where = model->spec().sites[static_cast<std::size_t>(site)]; where.block == block)
                    spec.edits.at(site).headGain.assign(static_cast<std::size_t>(where.heads), 0.5);
            const RunResult full = runModel(*model, *input, spec);
            spec.resume = before.state;
            const RunResult resumed = runModel(*model, *input, spec);
            CHECK(resumed.blocksRun == layers - block);
            REQUIRE(full.trace->outputNames() == resumed.trace->outputNames());
            for (const std::string& output : full.trace->outputNames())
                checkSame(full.trace->output(output), resumed.trace->output(output));
            CHECK(full.trace->output("logits").values != before.trace->output("logits").values);
            REQUIRE(full.trace->sites() == resumed.trace->sites());
            for (const int site : full.trace->sites()) checkSame(full.trace->probabilities(site), resumed.trace->probabilities(site));
            for (int i = 0; i <= layers; ++i) checkSame(full.trace->hidden("text", i), resumed.trace->hidden("text", i));
            REQUIRE(full.trace->parts().size() == resumed.trace->parts().size());
            for (std::size_t i = 0; i < full.trace->parts().size(); ++i) {
                const AttentionTrace &a = *full.trace->parts()[i], &b = *resumed.trace->parts()[i];
                REQUIRE(a.sites() == b.sites());
                CHECK(a.prefix() == b.prefix());
                for (const int site : a.sites()) checkSame(a.probabilities(site), b.probabilities(site));
            }
            // What was not recorded then is not taken over.
            spec.capture.attentionOutput = true;
            const RunResult more = runModel(*model, *input, spec);
            CHECK(more.blocksRun == full.blocksRun);
            checkSame(more.trace->output("logits"), full.trace->output("logits"));
        }
    }
}

TEST_CASE("a pruned tower that is left as it was still says which tokens are in it") {
    const auto model = open(caseNamed("blip"));
    const auto input = inputsOf(caseNamed("blip"), *model);
    RunSpec spec = recordAll();
    spec.edits.prunes = {{"vision", 1, {3, 4}}};
    spec.checkpoints.everyBlocks = 1;
    const RunResult before = runModel(*model, *input, spec);
    const int site = model->spec().siteIndex("text.1.cross");
    spec.edits.at(site).headGain.assign(static_cast<std::size_t>(model->spec().sites[static_cast<std::size_t>(site)].heads), 0.5);
    const RunResult full = runModel(*model, *input, spec);
    spec.resume = before.state;
    const RunResult resumed = runModel(*model, *input, spec);
    CHECK(resumed.blocksRun < full.blocksRun);
    const std::vector<int>& keys = full.trace->keyTokens(site);
    CHECK(std::find(keys.begin(), keys.end(), 3) == keys.end());
    CHECK(resumed.trace->keyTokens(site) == keys);
    checkSame(full.trace->output("logits"), resumed.trace->output("logits"));
}

TEST_CASE("pruned tokens leave the sequence and the rest keep their positions") {
    for (const char* name : observed()) {
        INFO(name);
        const Case& c = caseNamed(name);
        const auto model = open(c);
        const auto input = inputsOf(c, *model);
        const int tokens = input->maps[0].stages[0].size();
        RunSpec spec = recordAll();
        spec.edits.prunes = {{stageOf(*model), 1, {tokens - 1, tokens - 3}}};
        const RunResult result = runModel(*model, *input, spec);
        const RunResult plain = runModel(*model, *input, recordAll());
        checkSame(result.trace->probabilities(0), plain.trace->probabilities(0));
        const Array map = result.trace->probabilities(1);
        REQUIRE(map.size(2) == tokens - 2);
        CHECK(result.trace->keyTokens(1).back() == tokens - 2);
        // With two keys gone, the others share their mass in proportion: queries, keys and positions are the
        // same.
        const Array before = plain.trace->probabilities(1);
        for (std::int64_t q = 0; q < map.size(1); ++q) {
            const auto& kept = result.trace->keyTokens(1);
            double mass = 0;
            for (const int key : kept)
                mass += static_cast<double>(before.at(0, kept[static_cast<std::size_t>(q)], key));
            for (std::int64_t k = 0; k < map.size(2); ++k)
                CHECK(static_cast<double>(map.at(0, q, k)) ==
                      doctest::Approx(static_cast<double>(before.at(0, kept[static_cast<std::size_t>(q)],
                                                                    kept[static_cast<std::size_t>(k)])) /
                                      mass)
                          .epsilon(1e-4));
        }
    }
}

TEST_CASE("a pruned class token is an error that says so") {
    const Case& c = caseNamed("vit-class-0");
    const auto model = open(c);
    RunSpec spec;
    spec.edits.prunes = {{"vision", 1, {0}}};
    CHECK_THROWS_WITH_AS(runModel(*model, *inputsOf(c, *model), spec), doctest::Contains("pruned"), Error);
}
