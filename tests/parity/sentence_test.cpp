// A trained MiniLM: plain text to vectors, and where its attention drains to.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "fovea/sinks.h"
#include "nn/prompt_reader.h"
#include "parity/fixtures.h"

using namespace fovea;
using namespace fovea::test;

TEST_CASE("a trained sentence encoder gives the reference's vectors for plain text, and its sink is found") {
    const Case& c = caseNamed("bert-minilm");
    std::ifstream file(c.reference.parent_path() / "sentences.json");
    const auto sentences = nlohmann::json::parse(file);
    const auto model = open(c);
    for (const auto& entry : sentences) {
        UserInput said;
        said.prompt = entry.at("text");
        const auto input = model->encode(said);
        CHECK(dynamic_cast<const LanguageInput&>(*input).ids == entry.at("ids").get<std::vector<int>>());
        RunSpec spec = recordAll();
        const auto trace = runModel(*model, *input, spec).trace;
        const Array vector = trace->output("sentence_embedding");
        const auto expectedVector = entry.at("embedding").get<std::vector<double>>();
        REQUIRE(vector.values.size() == expectedVector.size());
        double apart = 0;
        for (std::size_t i = 0; i < expectedVector.size(); ++i)
            apart = std::max(apart, std::abs(static_cast<double>(vector.values[i]) - expectedVector[i]));
        CHECK(apart < 1e-5);
        const StageTokens& stage = input->maps[0].stage("text");
        CHECK(stage.tokens.front().text == "[CLS]");
        CHECK(stage.tokens.back().text == "[SEP]");
        CHECK(stage.tokens.back().kind == TokenKind::Special);
        // Half of all attention goes to the first token from the second block on (measured with the reference).
        SinkRule rule;
        rule.limit = SinkRule::Limit::Absolute;
        const std::vector<int> sinks = sinkTokens(*trace, {1, 2, 3, 4}, rule, 0.5);
        CHECK(std::find(sinks.begin(), sinks.end(), 0) != sinks.end());
    }
}
