#include <doctest/doctest.h>

#include <cstdlib>

#include "fovea/error.h"
#include "fovea/viz/picture_file.h"
#include "io/support.h"
#include "session/engine.h"

using namespace fovea;

// "Copy as command" is a promise: the printed line makes the picture, byte for byte.
TEST_CASE("the printed command draws the same picture") {
    const test::TemporaryFolder folder;
    Session session;
    session.model = {std::string(FOVEA_SOURCE_DIR) + "/resources/demo_models/vit-scenes", "cpu", "float32"};
    session.input.images = {"scene:7", "scene:8"};
    session.seed = 5;
    session.edits = {{"temperature", {{"layers", "2"}, {"temperature", 0.7}}, true}};
    session.analyses = {{"attention_from", {{"layers", "3-4"}, {"heads", "0,2"}}},
                        {"scanpath", nlohmann::json::object()}};
    PictureRequest map;
    map.display.colormap = "viridis";
    map.display.threshold = 0.125;
    map.display.filter = "bilinear";
    map.display.tokenGrid = false;
    PictureRequest path;
    path.analysis = 1;
    session.pictures = {map, path};

    Engine engine(std::make_shared<const Catalog>(makeCatalog()),
                  std::make_shared<const viz::PainterCatalog>(viz::makePainterCatalog()),
                  [](const std::filesystem::path& file) -> Pixels { throw Error(file.string()); });
    for (const int picture : {0, 1})
        for (const int item : {0, 1}) {
            const auto painted = engine.paint(session, picture, item, JobContext());
            Session own = sessionFromText(painted->document);
            own.pictures[0].file = (folder.path() / "it's one.svg").string();
            std::string line = commandLineFor(own, 0);
            REQUIRE(line.starts_with("fovea-cli "));
            line = shellQuoted(FOVEA_CLI) + line.substr(9) + " --quiet";
            CAPTURE(line);
            REQUIRE(std::system(line.c_str()) == 0);
            CHECK(test::readBytes(folder.path() / "it's one.svg") == viz::svgText(painted->picture));
        }
}
