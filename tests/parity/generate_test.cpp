// Answers of every decoder: the reference's tokens, and the same numbers as one run over prompt and answer.
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "attention/forward.h"
#include "attention/trace_impl.h"
#include "fovea/generate.h"
#include "nn/mllama_model.h"
#include "parity/fixtures.h"

using namespace fovea;
using namespace fovea::test;

namespace {

const char* const kOneOfEach[] = {"llama-gqa-2", "llama-yarn", "mistral-window", "qwen2-window", "qwen3-0", "gemma-0",
                                  "gemma2-0",    "gemma3-0",   "gpt2-0",       "blip",    "blip-question", "mllama-one", "mllama-masked", "mllama-two"};

/// The input of a case with an answer behind its prompt.
std::shared_ptr<const ModelInput> continuedInput(const ModelInput& input, const std::vector<int>& ids) {
    std::shared_ptr<TensorInput> longer;
    if (const auto* pictures = dynamic_cast<const MllamaInput*>(&input))
        longer = std::make_shared<MllamaInput>(*pictures);
    else
        longer = std::make_shared<TensorInput>(dynamic_cast<const TensorInput&>(input));
    const std::vector<std::int64_t> wide(ids.begin(), ids.end());
    auto& item = longer->items[0];
    at::Tensor& tokens = item.at(item.count("decoder_input_ids") ? "decoder_input_ids" : "input_ids");
    tokens = at::cat({tokens, at::tensor(wide, at::kLong).unsqueeze(0).to(tokens.device())}, 1);
    const auto count = static_cast<std::int64_t>(ids.size());
    // What an answer sees is what the prompt's last token sees.
    for (const char* name : {"attention_mask", "cross_attention_mask"})
        if (const auto mask = item.find(name); mask != item.end())
            mask->second = at::cat({mask->second, mask->second.narrow(1, mask->second.size(1) - 1, 1).repeat_interleave(count, 1)}, 1);
    StageTokens& stage = longer->maps[0].stages.back();
    for (std::size_t i = 0; i < ids.size(); ++i) {
        Token token;
        token.index = stage.size();
        stage.tokens.push_back(token);
    }
    return longer;
}

GenerateSpec recordAnswer(int tokens) {
    GenerateSpec spec;
    spec.maxNewTokens = tokens;
    spec.capture = recordAll().capture;
    spec.capture.allLogits = true;
    return spec;
}

/// The largest difference of the last rows of `whole` from `part` along `axis`.
double apartAtEnd(const Array& part, const Array& whole, std::size_t axis, std::int64_t skip = 0) {
    REQUIRE(part.shape.size() == whole.shape.size());
    const std::int64_t rows = part.shape[axis], all = whole.shape[axis] - skip;
    std::int64_t inner = 1, outer = 1;
    for (std::size_t i = 0; i < part.shape.size(); ++i) {
        if (i == axis) continue;
        REQUIRE(part.shape[i] == whole.shape[i]);
        (i < axis ? outer : inner) *= part.shape[i];
    }
    REQUIRE(rows <= all);
    double worst = 0;
    for (std::int64_t o = 0; o < outer; ++o)
        for (std::int64_t i = 0; i < rows * inner; ++i) {
            const auto at = static_cast<std::size_t>((o * whole.shape[axis] + all - rows) * inner + i);
            worst = std::max(worst, std::abs(static_cast<double>(part.values[static_cast<std::size_t>(o * rows * inner + i)] - whole.values[at])));
        }
    return worst;
}

double largest(const Array& array) {
    double most = 0;
    for (const float value : array.values) most = std::max(most, std::abs(static_cast<double>(value)));
    return most;
}

void checkAgainstOneRun(const Model& model, const ModelInput& input, const Generation& answer, const EditPlan& edits) {
    RunSpec spec = recordAll();
    spec.edits = edits;
    const auto whole = runModel(model, *continuedInput(input, answer.ids), spec).trace;
    REQUIRE(answer.trace->sites() == whole->sites());
    REQUIRE(answer.trace->tokens().stage("text").size() == whole->tokens().stage("text").size());
    for (const int site : whole->sites()) {
        CHECK(apartAtEnd(answer.trace->probabilities(site), whole->probabilities(site), 1) < (edits.empty() ? 1e-6 : 3e-6));
        CHECK(apartAtEnd(answer.trace->logSumExp(site), whole->logSumExp(site), 1) < 1e-5);
        CHECK(answer.trace->queryTokens(site).back() == whole->queryTokens(site).back());
        CHECK(answer.trace->keyTokens(site) == whole->keyTokens(site));
    }
    for (int i = 0; i <= model.spec().stage("text").layers; ++i) {
        const Array part = answer.trace->hidden("text", i), all = whole->hidden("text", i);
        CHECK(apartAtEnd(part, all, 0) < (edits.empty() ? 2e-6 : 4e-6) * largest(all));
    }
    const Array logits = answer.trace->output("logits"), all = whole->output("logits");
    CHECK(logits.size(0) == static_cast<std::int64_t>(answer.ids.size()));
    CHECK(apartAtEnd(logits, all, 0, 1) < (edits.empty() ? 2e-6 : 4e-6) * largest(all));
}

EditPlan someEdits(const Model& model) {
    EditPlan plan;
    for (std::size_t site = 0; site < model.spec().sites.size(); ++site) {
        SiteEdit& edit = plan.at(static_cast<int>(site));
        GroupFactor factor;
        factor.keys = {0, 3, 18};  // the last is a token of the answer
        factor.factor = 0.3;
        factor.rowSum = site % 2 ? RowSum::Renormalise : RowSum::Compensate;
        edit.factors = {factor};
        edit.temperature = std::vector<double>(static_cast<std::size_t>(model.spec().sites[site].heads), 1.0);
        edit.temperature[1] = 0.7;
        edit.headGain = std::vector<double>(edit.temperature.size(), 1.0);
        edit.headGain[2] = 0;
    }
    return plan;
}

}  // namespace

TEST_CASE("greedy answers equal the reference for 20 tokens" * doctest::skip(testDevice() != "cpu")) {
    int compared = 0;
    for (const Case& c : cases()) {
        std::ifstream file(c.reference.parent_path() / "answers.json");
        if (!file) continue;
        INFO(c.name);
        const auto answers = nlohmann::json::parse(file);
        const auto model = open(c);
        const auto input = inputsOf(c, *model);
        GenerateSpec spec;
        spec.maxNewTokens = 20;
        CHECK(generate(*model, *input, spec).ids == answers.at("greedy").get<std::vector<int>>());
        spec.sampling.repetitionPenalty = 1.4;
        if (answers.contains("penalised")) CHECK(generate(*model, *input, spec).ids == answers.at("penalised").get<std::vector<int>>());
        ++compared;
    }
    CHECK(compared >= 20);
}

TEST_CASE("a cached answer has the numbers of one run over prompt and answer") {
    for (const char* name : kOneOfEach) {
        INFO(name);
        const auto model = open(caseNamed(name));
        const auto input = inputsOf(caseNamed(name), *model);
        GenerateSpec spec = recordAnswer(8);
        checkAgainstOneRun(*model, *input, generate(*model, *input, spec), {});
        spec.rows = RecordedRows::All;
        const Generation all = generate(*model, *input, spec);
        const int site = model->spec().siteIndex("text.0.self");
        CHECK(all.trace->queries(site) == all.trace->keys(site));
        checkAgainstOneRun(*model, *input, all, {});
    }
}

TEST_CASE("edits act in the prompt and in the answer alike") {
    for (const char* name : kOneOfEach) {
        INFO(name);
        const auto model = open(caseNamed(name));
        const auto input = inputsOf(caseNamed(name), *model);
        GenerateSpec spec = recordAnswer(8);
        spec.edits = someEdits(*model);
        const Generation edited = generate(*model, *input, spec);
        checkAgainstOneRun(*model, *input, edited, spec.edits);
        spec.edits = {};
        const Array before = generate(*model, *input, spec).trace->output("logits");
        CHECK(before.values != edited.trace->output("logits").values);
    }
}

TEST_CASE("pruned tokens are gone for the answer, too") {
    for (const char* name : {"llama-gqa-2", "gemma2-0", "gpt2-0"}) {
        INFO(name);
        const auto model = open(caseNamed(name));
        const auto input = inputsOf(caseNamed(name), *model);
        GenerateSpec spec = recordAnswer(6);
        spec.edits.prunes = {{"text", 1, {2, 5, 6}}};
        const Generation answer = generate(*model, *input, spec);
        CHECK(answer.trace->keys(1) == answer.trace->keys(0) - 3);
        checkAgainstOneRun(*model, *input, answer, spec.edits);
    }
}

TEST_CASE("recording changes neither tokens nor logits, bit for bit") {
    for (const char* name : kOneOfEach) {
        INFO(name);
        const auto model = open(caseNamed(name));
        const auto input = inputsOf(caseNamed(name), *model);
        GenerateSpec plain = recordAnswer(10), all = plain;
        plain.capture = {};
        plain.capture.allLogits = true;
        all.rows = RecordedRows::All;
        all.capture.attentionOutput = all.capture.headOutput = all.capture.stats = true;
        all.capture.taps = {"text.*"};
        const Generation a = generate(*model, *input, plain), b = generate(*model, *input, all);
        CHECK(a.ids == b.ids);
        CHECK(a.trace->output("logits").values == b.trace->output("logits").values);
        const int site = model->spec().siteIndex("text.0.self");
        CHECK(b.trace->attentionOutput(site).size(0) == b.trace->keys(site));
    }
}

TEST_CASE("an answer stops at an end token, at the limit of positions, and on request") {
    const auto model = open(caseNamed("qwen3-0"));
    const auto input = inputsOf(caseNamed("qwen3-0"), *model);
    GenerateSpec spec = recordAnswer(12);
    const Generation whole = generate(*model, *input, spec);
    CHECK(whole.stop == StopReason::Length);
    REQUIRE(whole.ids.size() == 12);

    spec.stopIds = {whole.ids[4]};
    const Generation ended = generate(*model, *input, spec);
    CHECK(ended.stop == StopReason::EndToken);
    CHECK(ended.ids.back() == whole.ids[4]);
    CHECK(ended.ids.size() <= 5);

    spec.stopIds.clear();
    std::stop_source source;
    int seen = 0;
    const Generation cut = generate(
        *model, *input, spec,
        [&](const GeneratedToken&) {
            if (++seen == 3) source.request_stop();
        },
        JobContext(source.get_token()));
    CHECK(cut.stop == StopReason::Cancelled);
    CHECK(cut.ids == std::vector<int>(whole.ids.begin(), whole.ids.begin() + 3));
    CHECK(cut.trace->queries(0) == 3);

    // Stopped in the middle of a pass: what the pass has done is forgotten.
    std::stop_source second;
    int reports = 0;
    seen = 0;
    const JobContext job(second.get_token(), [&](double, std::string_view) {
        if (seen == 2 && ++reports == 4) second.request_stop();
    });
    const Generation half = generate(*model, *input, spec, [&](const GeneratedToken&) { ++seen; }, job);
    CHECK(half.stop == StopReason::Cancelled);
    CHECK(half.ids == std::vector<int>(whole.ids.begin(), whole.ids.begin() + 2));
    CHECK(half.trace->queries(0) == 2);
    for (int site = 0; site < 3; ++site) CHECK(half.trace->keys(site) == 18);

    std::stop_source third;
    third.request_stop();
    CHECK_THROWS_AS(generate(*model, *input, spec, {}, JobContext(third.get_token())), Cancelled);

    const auto learned = open(caseNamed("gpt2-0"));
    const auto text = inputsOf(caseNamed("gpt2-0"), *learned);
    spec.maxNewTokens = 100;
    CHECK(generate(*learned, *text, spec).ids.size() == 24);  // 17 of 40 positions are the prompt's
}

TEST_CASE("draws follow from the seed and keep to top-k and top-p") {
    const auto model = open(caseNamed("qwen3-0"));
    const auto input = inputsOf(caseNamed("qwen3-0"), *model);
    GenerateSpec spec;
    spec.maxNewTokens = 12;
    const Generation greedy = generate(*model, *input, spec);
    spec.sampling.temperature = 1.5;
    const Generation first = generate(*model, *input, spec), again = generate(*model, *input, spec);
    CHECK(first.ids == again.ids);
    CHECK(first.ids != greedy.ids);
    spec.sampling.seed = 1;
    CHECK(generate(*model, *input, spec).ids != first.ids);
    spec.sampling.topK = 1;
    CHECK(generate(*model, *input, spec).ids == greedy.ids);
    spec.sampling.topK = 0;
    spec.sampling.topP = 1e-6;
    CHECK(generate(*model, *input, spec).ids == greedy.ids);
    spec.sampling.topP = 1;
    spec.sampling.topK = 3;
    spec.candidates = 3;
    for (const GeneratedToken& step : generate(*model, *input, spec).steps) {
        REQUIRE(step.candidates.size() == 3);
        int among = 0;
        for (const Candidate& candidate : step.candidates)
            if (candidate.id == step.id) {
                ++among;
                CHECK(candidate.logProbability == step.logProbability);
            }
        CHECK(among == 1);
        CHECK(step.candidates[0].logProbability >= step.candidates[1].logProbability);
    }
}

TEST_CASE("models without a head and answers beyond the budget are refused") {
    const auto bare = open(caseNamed("llama-bare"));
    CHECK_THROWS_AS(generate(*bare, *inputsOf(caseNamed("llama-bare"), *bare), {}), Error);
    const auto model = open(caseNamed("llama-gqa-2"));
    GenerateSpec spec = recordAnswer(8);
    spec.budget = 20000;
    try {
        generate(*model, *inputsOf(caseNamed("llama-gqa-2"), *model), spec);
        FAIL("expected a refusal");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::Memory);
        CHECK(error.hint().find("--max-new-tokens") != std::string::npos);
    }
}

TEST_CASE("a tower's recording beyond the budget goes to a file, its windows too, and answers bit for bit the same") {
    for (const char* name : {"llava-two", "qwen2_5_vl-one", "qwen2_5_vl-two", "qwen2_5_vl-clip"}) {
        INFO(name);
        const auto model = open(caseNamed(name));
        const auto input = inputsOf(caseNamed(name), *model);
        GenerateSpec spec;
        spec.maxNewTokens = 3;
        spec.capture = CaptureRequest::parse("qkv,output");
        const Generation held = generate(*model, *input, spec);
        CaptureRequest tower = spec.capture, bare = spec.capture;
        tower.allLogits = bare.allLogits = false;
        tower.sites = {"vision.*"};
        bare.qkv = false;
        const std::uint64_t bytes =
            model->estimate(*input, tower, false).capture - model->estimate(*input, bare, false).capture;
        spec.budget = held.estimate.run() - bytes + 1;
        const Generation spilled = generate(*model, *input, spec);
        CHECK(spilled.ids == held.ids);
        const auto onFile = [](const AttentionTrace& trace, int site) {
            return !trace.impl()->record(site).call.query.storage().resizable();  // memory of somebody else
        };
        const auto same = [&](const AttentionTrace& a, const AttentionTrace& b) {
            REQUIRE(a.sites() == b.sites());
            for (const int site : a.sites()) {
                CHECK_FALSE(onFile(a, site));
                CHECK(onFile(b, site) == (a.spec().sites[static_cast<std::size_t>(site)].stage == "vision"));
                CHECK(a.query(site) == b.query(site));
                CHECK(a.probabilities(site) == b.probabilities(site));
                CHECK(a.statistics(site).colsum == b.statistics(site).colsum);
            }
        };
        same(*held.trace, *spilled.trace);
        REQUIRE(held.trace->parts().size() == spilled.trace->parts().size());
        for (std::size_t i = 0; i < held.trace->parts().size(); ++i)
            same(*held.trace->parts()[i], *spilled.trace->parts()[i]);
        spec.budget -= 2;
        CHECK_THROWS_AS(generate(*model, *input, spec), Error);
    }
}
