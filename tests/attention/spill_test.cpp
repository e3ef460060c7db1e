#include "attention/spill.h"

#include <doctest/doctest.h>

#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>

#include <algorithm>

#include "attention/toy_model.h"
#include "attention/trace_impl.h"
#include "fovea/error.h"
#include "fovea/run.h"

using namespace fovea;
using namespace fovea::test;
namespace fs = std::filesystem;

namespace {

fs::path emptyFolder() {
    const fs::path folder = fs::temp_directory_path() / "fovea_spill_test";
    fs::remove_all(folder);
    fs::create_directories(folder);
    return folder;
}

}  // namespace

TEST_CASE("tensors keep their values, dtypes and shapes on a file that goes with them") {
    const fs::path folder = emptyFolder();
    const at::Tensor whole = at::randn({1, 3, 5, 8});
    const std::vector<at::Tensor> given = {whole.transpose(1, 2), whole.to(at::kBFloat16).select(1, 1),
                                           at::randn({7}).to(at::kDouble)};
    {
        const std::vector<at::Tensor> moved = onTemporaryFile(given, folder);
        REQUIRE(moved.size() == 3);
        for (std::size_t i = 0; i < 3; ++i) {
            CHECK((moved[i].scalar_type() == given[i].scalar_type()));
            CHECK(at::equal(moved[i], given[i]));
            CHECK(reinterpret_cast<std::uintptr_t>(moved[i].const_data_ptr()) % 64 == 0);
        }
    }
    CHECK(fs::is_empty(folder));
    CHECK_THROWS_AS(onTemporaryFile(given, folder / "missing"), Error);
    fs::remove_all(folder);
}

TEST_CASE("a recording beyond the budget goes to a file and answers bit for bit the same") {
    ToyOptions options;
    options.bias = true;
    const auto model = makeToyModel(options);
    const auto input = makeToyInput(options);
    RunSpec spec;
    spec.capture = CaptureRequest::parse("qkv,output");
    const RunResult held = runModel(*model, *input, spec);
    spec.budget = 1200;  // 1000 for activations, 500 for the recording
    const RunResult spilled = runModel(*model, *input, spec);
    CHECK(held.notices.empty());
    REQUIRE(spilled.notices.size() == 1);
    CHECK(spilled.notices[0].find("temporary file") != std::string::npos);
    CHECK(spilled.trace->output("logits") == held.trace->output("logits"));
    for (int site = 0; site < 3; ++site) {
        CHECK(spilled.trace->query(site) == held.trace->query(site));
        CHECK(spilled.trace->probabilities(site) == held.trace->probabilities(site));
        CHECK(spilled.trace->statistics(site).colsum == held.trace->statistics(site).colsum);
        CHECK(spilled.trace->valueNorms(site) == held.trace->valueNorms(site));
        CHECK(spilled.trace->logSumExp(site) == held.trace->logSumExp(site));
    }
    spec.budget = 900;
    CHECK_THROWS_AS(runModel(*model, *input, spec), Error);
    spec.budget = 1200;
    spec.capture.probs = true;
    CHECK_THROWS_AS(runModel(*model, *input, spec), Error);
}
