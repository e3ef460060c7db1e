// Image processors of vision-language families against transformers, bit for bit.
#include "fovea/visual_processor.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <set>

#include "fovea/error.h"
#include "images/visual_cases.h"

using namespace fovea;
using namespace fovea::test;
using nlohmann::json;

namespace {

void compareAll(const char* script, std::size_t atLeast) {
    const VisualCases cases(script);
    std::size_t layouts = 0;
    for (const json& entry : cases.index) {
        CAPTURE(entry["name"].dump());
        CAPTURE(entry["files"].dump());
        const auto processor = visualProcessor(entry["files"], entry["model_type"]);
        const std::vector<Pixels> pictures = cases.pictures(entry);
        const VisualInput input = processor->process(pictures);
        checkTensors(cases, entry, input);
        if (!entry.contains("texts")) continue;
        checkGeometry(*processor, input.images, pictures);
        REQUIRE(entry["texts"].size() == input.images.size());
        for (std::size_t i = 0; i < input.images.size(); ++i) {
            CHECK(layoutText(imageLayout(processor->layout(), input.images[i])) == entry["texts"][i].get<std::string>());
            ++layouts;
        }
    }
    CHECK(cases.index.size() >= atLeast);
    CHECK(layouts >= atLeast / 2);
}

}  // namespace

TEST_CASE("llava, paligemma, blip and qwen equal transformers") {
    compareAll("make_visual_fixtures.py", 150);
}

TEST_CASE("families with tiles equal transformers") {
    compareAll("make_tile_fixtures.py", 250);
}
