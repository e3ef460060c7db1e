// Which modules target_modules and its like mean, as peft 0.21 decides it.
#include <doctest/doctest.h>

#include "fovea/error.h"
#include "io/adapter_targets.h"

using namespace fovea;

namespace {

std::string leftOutBy(const std::string& config, const std::string& module) {
    return AdapterTargets(ConfigView(nlohmann::json::parse(config), "adapter_config.json")).leftOutBy(module);
}

}  // namespace

TEST_CASE("lists name ends of paths, texts are regular expressions of whole paths") {
    const std::string list = R"({"target_modules":["q_proj","mlp.fc1"]})";
    CHECK(leftOutBy(list, "a.0.q_proj").empty());
    CHECK(leftOutBy(list, "q_proj").empty());
    CHECK(leftOutBy(list, "a.mlp.fc1").empty());
    CHECK(leftOutBy(list, "a.nq_proj") == "target_modules");
    CHECK(leftOutBy(list, "a.fc1") == "target_modules");
    const std::string text = R"({"target_modules":".*(?P<part>q|v)_proj"})";
    CHECK(leftOutBy(text, "a.v_proj").empty());
    CHECK(leftOutBy(text, "a.v_proj.b") == "target_modules");
    CHECK(leftOutBy(R"({"target_modules":"a|a.b"})", "a.b").empty());
    for (const char* any : {R"({})", R"({"target_modules":null})", R"({"target_modules":[]})",
                            R"({"target_modules":"all-linear"})"})
        CHECK(leftOutBy(any, "x.y").empty());
    CHECK(leftOutBy(R"({"target_modules":["q"],"target_parameters":["up.weight"]})", "m.up").empty());
}

TEST_CASE("excluded modules and other layers are left out") {
    CHECK(leftOutBy(R"({"exclude_modules":["b.q"]})", "a.b.q") == "exclude_modules");
    CHECK(leftOutBy(R"({"exclude_modules":["b.q"]})", "a.c.q").empty());
    CHECK(leftOutBy(R"({"exclude_modules":".*vision.*","target_modules":"all-linear"})", "a.vision.q") ==
          "exclude_modules");
    const std::string one = R"({"target_modules":["q"],"layers_to_transform":1})";
    CHECK(leftOutBy(one, "model.layers.1.q").empty());
    CHECK(leftOutBy(one, "model.layers.1.experts.0.q").empty());
    CHECK(leftOutBy(one, "model.layers.0.experts.1.q") == "layers_to_transform");
    CHECK(leftOutBy(one, "model.q") == "layers_to_transform");
    const std::string named = R"({"target_modules":["q"],"layers_to_transform":[0,2],"layers_pattern":"h"})";
    CHECK(leftOutBy(named, "t.3.h.2.q").empty());
    CHECK(leftOutBy(named, "t.h.1.q") == "layers_to_transform");
    CHECK(leftOutBy(R"({"target_modules":["q"],"layers_to_transform":[]})", "model.layers.1.q").empty());
}

TEST_CASE("patterns that cannot be used are refused") {
    CHECK_THROWS_WITH_AS(leftOutBy(R"({"target_modules":"("})", "x"), doctest::Contains("regular expression"), Error);
    CHECK_THROWS_WITH_AS(leftOutBy(R"({"target_modules":"(a*)*b"})", std::string(60, 'a')), doctest::Contains("too long"),
                         Error);
    CHECK_THROWS_AS(leftOutBy(R"({"target_modules":[1]})", "x"), Error);
    CHECK_THROWS_AS(leftOutBy(R"({"layers_to_transform":"1"})", "x"), Error);
}
