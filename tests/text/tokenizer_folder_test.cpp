#include <doctest/doctest.h>

#include <fstream>

#include "fovea/tokenizer.h"
#include "images/fixtures.h"

using namespace fovea;
using nlohmann::json;

TEST_CASE("folders without tokenizer.json give the ids of the reference packages") {
    const auto root = test::fixtureFolder("text/make_folder_fixtures.py", {"fixture_texts.py"});
    const json names = test::readJson(root / "index.json");
    REQUIRE(names.size() >= 7);
    for (const json& name : names) {
        const auto tokenizer = Tokenizer::fromFolder(root / name.get<std::string>());
        const json cases = test::readJson(root / name.get<std::string>() / "cases.json");
        REQUIRE(cases.size() > 400);
        int wrong = 0;
        for (const json& entry : cases) {
            const std::string text = entry[0];
            const Encoding got = tokenizer->encode(text, AddSpecial::Yes);
            for (const ByteSpan span : got.spans) CHECK((span.begin <= span.end && span.end <= text.size()));
            if (got.ids == entry[1].get<std::vector<int>>() || ++wrong > 3) continue;
            MESSAGE(name, ": ", entry[0].dump(), "\n ", json(got.ids).dump(), "\n ", entry[1].dump());
        }
        CHECK_MESSAGE(wrong == 0, name, ": ", wrong, " of ", cases.size(), " texts differ from the reference");
    }
}

TEST_CASE("the roles and the length limit of a folder") {
    const auto root = test::fixtureFolder("text/make_folder_fixtures.py", {"fixture_texts.py"});
    const auto gpt2 = Tokenizer::fromFolder(root / "gpt2");
    CHECK(gpt2->modelMaxLength() == 77);
    CHECK(gpt2->eosToken() == "<|endoftext|>");
    CHECK(gpt2->isSpecial(*gpt2->idOf("<|endoftext|>")));
    const auto bert = Tokenizer::fromFolder(root / "bert");
    CHECK(bert->modelMaxLength() == 0);
    CHECK(bert->unkToken() == "[UNK]");
    CHECK(bert->tokenText(*bert->idOf("[SEP]")) == "[SEP]");
    const auto llama = Tokenizer::fromFolder(root / "llama");
    CHECK(llama->bosToken() == "<s>");
    CHECK(llama->vocabularySize() == 1400);
    const std::string text = "The star is left of the circle.";
    CHECK(llama->decode(llama->encode(text, AddSpecial::Yes).ids, SkipSpecial::Yes) == text);
}
