#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "attention/toy_model.h"
#include "fovea/run.h"
#include "io/mapped_file.h"
#include "io/safetensors.h"

using namespace fovea;
using namespace fovea::test;

namespace {

struct File {
    std::filesystem::path path;
    explicit File(const char* name) : path(std::filesystem::temp_directory_path() / name) {}
    ~File() { std::filesystem::remove(path); }
};

const TensorInfo* find(const SafetensorsHeader& header, const std::string& name) {
    for (const TensorInfo& tensor : header.tensors)
        if (tensor.name == name) return &tensor;
    return nullptr;
}

}  // namespace

TEST_CASE("a trace file has the promised names, shapes and metadata") {
    const File file("fovea_trace_test.safetensors");
    RunSpec spec;
    spec.capture = CaptureRequest::parse("probs,qkv,lse,stats,attention_output,hidden,output,input");
    spec.capture.sites = {"vision.1.*"};
    const auto trace = runModel(*makeToyModel(), *makeToyInput(), spec).trace;
    TraceFileOptions options;
    options.keep = spec.capture;
    options.session = "{}";
    writeTraceFile(file.path, {trace}, options);
    const auto mapped = MappedFile::open(file.path);
    const SafetensorsHeader header = parseSafetensors(mapped->bytes(), "trace");
    using Shape = std::vector<std::int64_t>;
    const std::pair<const char*, Shape> expected[] = {
        {"vision.1.self/probs", {4, 7, 7}},      {"vision.1.self/q", {4, 7, 4}},
        {"vision.1.self/lse", {4, 7}},           {"vision.1.self/colsum", {4, 7}},
        {"vision.1.self/colmax", {4, 7}},        {"vision.1.self/entropy", {4, 7}},
        {"vision.1.self/rowmax", {4, 7}},        {"vision.1.self/topk_index", {4, 7, 7}},
        {"vision.1.self/topk_value", {4, 7, 7}}, {"vision.1.self/pooled", {4, 1, 1}},
        {"vision.1.self/output", {7, 16}},       {"hidden/vision/0", {7, 16}},
        {"hidden/vision/3", {7, 16}},            {"output/logits", {2}},
        {"input/pixel_values", {7, 16}}};
    for (const auto& [name, shape] : expected) {
        const TensorInfo* tensor = find(header, name);
        REQUIRE_MESSAGE(tensor != nullptr, name);
        CHECK_MESSAGE(tensor->shape == shape, name);
    }
    CHECK(find(header, "vision.0.self/probs") == nullptr);
    const auto map = nlohmann::json::parse(header.metadata.at("fovea.token_map"));
    CHECK(tokenMapFromJson(map).stage("vision").size() == 7);
    CHECK(header.metadata.at("fovea.version") == FOVEA_VERSION);
    CHECK(header.metadata.at("fovea.session") == "{}");
}

TEST_CASE("a stopped trace leaves no file, several items get prefixes, half precision halves the file") {
    const File file("fovea_trace_test_2.safetensors");
    RunSpec spec;
    spec.capture = CaptureRequest::parse("probs,output");
    const auto model = makeToyModel();
    const auto input = makeToyInput({}, 2);
    std::vector<std::shared_ptr<const AttentionTrace>> traces;
    for (spec.item = 0; spec.item < 2; ++spec.item) traces.push_back(runModel(*model, *input, spec).trace);
    TraceFileOptions options;
    options.keep = spec.capture;
    std::stop_source stop;
    stop.request_stop();
    CHECK_THROWS_AS(writeTraceFile(file.path, traces, options, JobContext(stop.get_token())), Cancelled);
    CHECK_FALSE(std::filesystem::exists(file.path));
    options.dtype = "bfloat16";
    writeTraceFile(file.path, traces, options);
    const auto mapped = MappedFile::open(file.path);
    const SafetensorsHeader header = parseSafetensors(mapped->bytes(), "trace");
    REQUIRE(find(header, "image1/vision.0.self/probs") != nullptr);
    CHECK(find(header, "image1/vision.0.self/probs")->dtype == Dtype::BF16);
    CHECK(find(header, "image0/output/logits") != nullptr);
    options.dtype = "int8";
    CHECK_THROWS_AS(writeTraceFile(file.path, traces, options), Error);
}
