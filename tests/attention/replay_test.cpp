// A trace file opened again must say what the run said, or say that it cannot.
#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "attention/toy_model.h"
#include "fovea/catalog.h"
#include "fovea/error.h"
#include "fovea/open_model.h"
#include "fovea/run.h"
#include "io/safetensors.h"

using namespace fovea;
using namespace fovea::test;

namespace {

struct File {
    std::filesystem::path path;
    explicit File(const char* name) : path(std::filesystem::temp_directory_path() / name) {}
    ~File() { std::filesystem::remove(path); }
};

struct Replayed {
    std::shared_ptr<const AttentionTrace> trace;
    std::vector<std::string> notices;
};

Replayed replay(const std::filesystem::path& path) {
    const auto model = openModel(makeCatalog(), path.string());
    const RunResult result = runModel(*model, *model->encode({}), {});
    return {result.trace, result.notices};
}

std::shared_ptr<const AttentionTrace> recorded(const ToyOptions& options, EditPlan edits = {}) {
    RunSpec spec;
    spec.capture = CaptureRequest::parse("probs,qkv,lse,stats,output");
    spec.edits = std::move(edits);
    return runModel(*makeToyModel(options), *makeToyInput(options), spec).trace;
}

void write(const std::filesystem::path& path, const std::shared_ptr<const AttentionTrace>& trace,
           const std::string& keep) {
    TraceFileOptions options;
    options.keep = CaptureRequest::parse(keep);
    writeTraceFile(path, {trace}, options);
}

EditPlan knockedOut() {
    EditPlan plan;
    GroupFactor factor;
    factor.keys = {0, 3};
    factor.factor = 0;
    factor.rowSum = RowSum::Renormalise;
    plan.at(1).factors = {factor};
    return plan;
}

SafetensorsEntry floats(const std::string& name, const Array& array) {
    return SafetensorsEntry::fromBytes(name, Dtype::F32, array.shape, std::as_bytes(std::span(array.values)));
}

ErrorCode codeOf(const std::function<void()>& call, std::string* what = nullptr) {
    try {
        call();
    } catch (const Error& error) {
        if (what) *what = error.what();
        return error.code();
    }
    FAIL("no error");
    return {};
}

const char* const oneToken =
    R"({"stages":{"vision":[{"i":0,"kind":"special"}]},"images":[{"width":1,"height":1,"grid":[1,1]}]})";

// What a trace file with this metadata is answered with; it must not take long.
std::string refusal(const std::map<std::string, std::string>& extra) {
    const File file("fovea_replay_hostile.safetensors");
    std::map<std::string, std::string> metadata = {{"fovea.version", "1"}, {"fovea.token_map", oneToken}};
    for (const auto& [key, value] : extra) metadata[key] = value;
    const Array probs({1, 1, 1}, 1);
    writeSafetensors(file.path, {floats("vision.0.self/probs", probs)}, metadata);
    const auto start = std::chrono::steady_clock::now();
    std::string what;
    CHECK(codeOf([&] { replay(file.path); }, &what) == ErrorCode::Input);
    CHECK(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < 5);
    return what;
}

}  // namespace

TEST_CASE("Q, K and the bias of a biased site give its probabilities again") {
    ToyOptions options;
    options.tokens = 22;
    options.bias = true;
    const auto trace = recorded(options);
    const File file("fovea_replay_bias.safetensors");
    write(file.path, trace, "qkv,output");
    const Replayed again = replay(file.path);
    CHECK(again.notices.empty());
    REQUIRE(again.trace->sites().size() == 3);
    for (const int site : again.trace->sites()) {
        CHECK(largestDifference(again.trace->probabilities(site), trace->probabilities(site)) < 1e-6);
        CHECK(largestDifference(again.trace->logSumExp(site), trace->logSumExp(site)) < 1e-5);
        CHECK(largestDifference(again.trace->statistics(site).entropy, trace->statistics(site).entropy) <
              1e-5);
    }
}

TEST_CASE("a trace without the bias answers from what was recorded, never from half of the logits") {
    ToyOptions options;
    options.bias = true;
    const auto trace = recorded(options);
    const File file("fovea_replay_half.safetensors");
    const Array probs = trace->probabilities(0), q = trace->query(0), k = trace->key(0),
                lse = trace->logSumExp(0);
    nlohmann::json map;
    map["stages"]["vision"] = nlohmann::json::array();
    for (int i = 0; i < 7; ++i) map["stages"]["vision"].push_back({{"i", i}, {"kind", "latent"}});
    map["images"] = nlohmann::json::array();
    const nlohmann::json how = {{"vision.0.self", {{"scale", 0.5}, {"softcap", 0.0}, {"biased", true}}}};
    writeSafetensors(
        file.path,
        {floats("vision.0.self/probs", probs), floats("vision.0.self/q", q), floats("vision.0.self/k", k),
         floats("vision.0.self/lse", lse)},
        {{"fovea.version", "1"}, {"fovea.token_map", map.dump()}, {"fovea.attention", how.dump()}});
    const Replayed again = replay(file.path);
    CHECK(largestDifference(again.trace->probabilities(0), probs) == 0);
    CHECK(largestDifference(again.trace->logSumExp(0), lse) == 0);
}

TEST_CASE("plain and edited probabilities of a replayed trace are told apart") {
    const auto trace = recorded({}, knockedOut());
    const Array effective = trace->probabilities(1), base = trace->probabilities(1, {}, Weights::Base);
    REQUIRE(largestDifference(effective, base) > 0.01);
    const File both("fovea_replay_both.safetensors"), alone("fovea_replay_alone.safetensors");
    write(both.path, trace, "probs,qkv");
    const Replayed withBoth = replay(both.path);
    CHECK(largestDifference(withBoth.trace->probabilities(1), effective) < 1e-7);
    CHECK(largestDifference(withBoth.trace->probabilities(1, {}, Weights::Base), base) < 1e-6);
    CHECK(largestDifference(withBoth.trace->statistics(1).colsum, trace->statistics(1).colsum) < 1e-5);
    write(alone.path, trace, "probs");
    const Replayed withProbs = replay(alone.path);
    CHECK(largestDifference(withProbs.trace->probabilities(1), effective) < 1e-7);
    CHECK(codeOf([&] { withProbs.trace->statistics(1); }) == ErrorCode::Usage);
}

TEST_CASE("hostile trace files are refused at once") {
    nlohmann::json sites = nlohmann::json::array();
    for (int i = 0; i < 20'000; ++i) sites.push_back({{"address", "vision." + std::to_string(i) + ".self"}});
    CHECK(
        refusal({{"fovea.spec", nlohmann::json{{"sites", sites}}.dump()}}).find("at most 10000 attention") !=
        std::string::npos);
    nlohmann::json items = nlohmann::json::array();
    for (int i = 0; i < 20'000; ++i) items.push_back(nlohmann::json::object());
    CHECK(
        refusal({{"fovea.token_map", nlohmann::json{{"items", items}}.dump()}}).find("at most 10000 token") !=
        std::string::npos);
    const auto map = [](const std::string& token, const std::string& image = "1") {
        return R"({"stages":{"vision":[{"i":0,"kind":"image",)" + token + R"(}]},"images":[{"width":)" +
               image + R"(,"height":1,"grid":[1,1]}]})";
    };
    for (const char* grid :
         {R"("grid":[2147483647,0])", R"("grid":[0,2147483647])", R"("grid":[65535,65535])"})
        CHECK(refusal({{"fovea.token_map", map(grid)}}).find("token map") != std::string::npos);
    CHECK(refusal({{"fovea.token_map", map(R"("grid":[0,0])", "2000000000")}}).find("images[0]") !=
          std::string::npos);
}
