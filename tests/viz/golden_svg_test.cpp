#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "fovea/viz/picture_file.h"
#include "viz/samples.h"

using namespace fovea;
using namespace fovea::viz;

namespace {

const std::filesystem::path folder = FOVEA_GOLDEN_DIR;

/// Compares with tests/golden/NAME.svg; FOVEA_UPDATE_GOLDEN=1 writes the file instead, to be looked at before
/// it is committed.
void checkGolden(const std::string& name, const std::string& svg) {
    const std::filesystem::path file = folder / (name + ".svg");
    if (std::getenv("FOVEA_UPDATE_GOLDEN")) {
        std::filesystem::create_directories(folder);
        std::ofstream(file, std::ios::binary) << svg;
        return;
    }
    std::ifstream in(file, std::ios::binary);
    REQUIRE_MESSAGE(in.good(), "no golden file ", file.string());
    const std::string golden{std::istreambuf_iterator<char>(in), {}};
    std::size_t at = 0;
    while (at < std::min(golden.size(), svg.size()) && golden[at] == svg[at]) ++at;
    const std::size_t from = at > 80 ? at - 80 : 0;
    INFO(name, " differs at byte ", at, "\nexpected ...", golden.substr(from, 200), "\nfound    ...",
         svg.substr(from, 200));
    CHECK(golden == svg);
}

Picture drawn(const Finding& finding, const TokenMap& tokens, const std::string& painter, Display display) {
    const Pixels photo = samples::photo(36, 24);
    display.width = 320;
    const PainterCatalog catalog = makePainterCatalog();
    const PainterEntry& entry = painterFor(catalog, finding, painter);
    Picture picture =
        entry.paint({finding, tokens, photo, display, "demo:vit | photo | seed 0 | fovea", {2}, {}},
                    checkedParams(entry.info, nullptr));
    picture.document = "{\"prompt\":\"<image>\"}";
    return picture;
}

}  // namespace

TEST_CASE("the SVG text of every painter is what was looked at and kept") {
    const TokenMap tokens = samples::tokens(36, 24, 2, 3);
    Display display, masked;
    masked.sinks = SinkPolicy::Mask;
    masked.sinkTokens = {3};
    masked.filter = Filter::Nearest;
    masked.threshold = 0.1;
    checkGolden("heat_overlay",
                svgText(drawn(samples::grid(2, 3, {"L0 H0"}, 36, 24), tokens, "heat_overlay", masked)));
    checkGolden("head_grid", svgText(drawn(samples::grid(2, 3, samples::headNames(2, 2), 36, 24, true),
                                           tokens, "head_grid", display)));
    checkGolden("matrix", svgText(drawn(samples::matrix("vision", 7), tokens, "matrix", display)));
    checkGolden("tree", svgText(drawn(samples::tree(tokens), tokens, "tree", display)));
    checkGolden("scanpath", svgText(drawn(samples::path(36, 24, 3), tokens, "scanpath", display)));
    checkGolden("chart", svgText(drawn(samples::series(2, 4), tokens, "chart", display)));
    checkGolden("token_strip",
                svgText(drawn(samples::scores(tokens, "text"), tokens, "token_strip", masked)));
    checkGolden("table", svgText(drawn(samples::table(3), tokens, "table", display)));
}
