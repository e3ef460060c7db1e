#include <doctest/doctest.h>

#include "fovea/error.h"
#include "session/session.h"

using namespace fovea;

TEST_CASE("words are quoted for the shell only where they need to be") {
    CHECK(shellQuoted("plain-word_1.png") == "plain-word_1.png");
    CHECK(shellQuoted("a b") == "'a b'");
    CHECK(shellQuoted("") == "''");
    CHECK(shellQuoted("it's") == "'it'\\''s'");
    CHECK(shellQuoted("$(rm)") == "'$(rm)'");
    CHECK(shellQuoted("{\"a\":1}") == "'{\"a\":1}'");
}

TEST_CASE("a command says everything that is not a default") {
    Session session;
    session.model.reference = "demo:vit";
    session.input.images = {"my cat.png"};
    session.seed = 3;
    session.edits = {{"temperature", {{"factor", 2}}, true}, {"mute_heads", nlohmann::json::object(), false}};
    session.analyses = {{"rollout", {{"start_layer", 2}, {"fusion", "max"}}}};
    PictureRequest picture;
    picture.display.scale = "linked";
    picture.display.minimum = 0;
    picture.display.maximum = 0.1;
    picture.display.recipe = false;
    session.pictures = {picture};
    CHECK(commandLineFor(session, 0) ==
          "fovea-cli render demo:vit --image 'my cat.png' --seed 3 --edit 'temperature{\"factor\":2}' "
          "--analysis rollout "
          "--param fusion=max --param start_layer=2 --scale linked:0:0.1 --no-recipe -o rollout.png");
    session.pictures[0] = PictureRequest();
    session.edits.clear();
    session.analyses[0].params = nlohmann::json::object();
    session.seed = 0;
    CHECK(commandLineFor(session, 0) ==
          "fovea-cli render demo:vit --image 'my cat.png' --analysis rollout -o rollout.png");
    session.model.adapters = {{"my lora", 0.5}, {"b", 1}};
    CHECK(commandLineFor(session, 0).starts_with("fovea-cli render demo:vit --adapter 'my lora:0.5' --adapter b --image"));
    session.model.adapters.clear();
    session.input.images = {"-odd.png"};
    CHECK(commandLineFor(session, 0).find(" --image=-odd.png ") != std::string::npos);
    CHECK_THROWS_AS(commandLineFor(session, 1), Error);
}
