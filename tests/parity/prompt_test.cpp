// Prompts as people type them: templates, tokenizers, token maps and answers of a folder, against the reference.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "fovea/catalog.h"
#include "fovea/generate.h"
#include "fovea/tokenizer.h"
#include "nn/prompt_reader.h"
#include "parity/fixtures.h"

using namespace fovea;
using namespace fovea::test;

namespace {

namespace fs = std::filesystem;

nlohmann::json expected() {
    std::ifstream file(caseNamed("llama-prompts").reference.parent_path() / "prompts.json");
    REQUIRE(file);
    return nlohmann::json::parse(file);
}

/// The folder of the case, with its chat template where one is wanted.
std::shared_ptr<const Model> folder(const std::string& name, bool withTemplate) {
    const Case& c = caseNamed("llama-prompts");
    const fs::path copy = copyOf(c, name);
    if (withTemplate) fs::copy_file(c.reference.parent_path() / "template.jinja", copy / "chat_template.jinja");
    return openModel(makeCatalog(), copy.string(), {testDevice(), "float32", true, {}});
}

UserInput said(const std::string& text, PromptForm form = PromptForm::Template) {
    UserInput input;
    input.prompt = text;
    input.promptForm = form;
    return input;
}

RunSpec recordInput() {
    RunSpec spec;
    spec.capture.input = true;
    return spec;
}

const LanguageInput& language(const std::shared_ptr<const ModelInput>& input) {
    return dynamic_cast<const LanguageInput&>(*input);
}

}  // namespace

TEST_CASE("prompts go through the folder's template and tokenizer") {
    const auto model = folder("templated", true);
    for (const auto& entry : expected().at("templated")) {
        const auto input = model->encode(said(entry.at("text")));
        CHECK(language(input).ids == entry.at("ids").get<std::vector<int>>());
        CHECK(input->notices.empty());
        CHECK(input->count() == 1);
    }
    UserInput chat;
    chat.chat = caseNamed("llama-prompts").reference.parent_path() / "chat.json";
    CHECK(language(model->encode(chat)).ids == expected().at("chat").get<std::vector<int>>());
}

TEST_CASE("a raw prompt goes in as it is, and so does one without a template, with a notice") {
    const auto with = folder("raw", true), without = folder("plain", false);
    for (const auto& entry : expected().at("plain")) {
        const auto ids = entry.at("ids").get<std::vector<int>>();
        const auto raw = with->encode(said(entry.at("text"), PromptForm::Raw));
        CHECK(language(raw).ids == ids);
        CHECK(raw->notices.empty());
        const auto plain = without->encode(said(entry.at("text")));
        CHECK(language(plain).ids == ids);
        REQUIRE(plain->notices.size() == 1);
        CHECK(plain->notices[0].find("template") != std::string::npos);
    }
    UserInput chat;
    chat.chat = caseNamed("llama-prompts").reference.parent_path() / "chat.json";
    CHECK_THROWS_WITH_AS(without->encode(chat), doctest::Contains("chat template"), Error);
}

TEST_CASE("token maps hold the words of the prompt, and which tokens are special") {
    const auto model = folder("maps", true);
    const auto input = model->encode(said("What colour is the star?"));
    const LanguageInput& encoded = language(input);
    const StageTokens& stage = input->maps[0].stage("text");
    REQUIRE(stage.size() == static_cast<int>(encoded.ids.size()));
    CHECK(stage.tokens[0].text == "<|begin|>");
    CHECK(stage.tokens[0].kind == TokenKind::Special);
    std::string text;
    for (const Token& token : stage.tokens) text += token.text;
    CHECK(text == encoded.text);
    CHECK(std::count_if(stage.tokens.begin(), stage.tokens.end(),
                        [](const Token& t) { return t.kind == TokenKind::Special; }) == 4);
    // A byte that is no character by itself is shown by name, others as what they spell.
    const auto lead = model->tokenizer()->idOf("\u00F0");
    REQUIRE(lead.has_value());
    CHECK(model->tokenText(*lead) == "<0xF0>");
    const auto letter = model->tokenizer()->idOf("a");
    REQUIRE(letter.has_value());
    CHECK(model->tokenText(*letter) == "a");
    const auto tree = model->encode(said("\U0001F333", PromptForm::Raw));
    for (const Token& token : tree->maps[0].stage("text").tokens)
        CHECK_NOTHROW(static_cast<void>(nlohmann::json(token.text).dump()));
}

TEST_CASE("an answer's text equals the reference, streamed or whole") {
    const auto model = folder("answered", true);
    const auto input = model->encode(said(expected().at("templated")[0].at("text")));
    GenerateSpec spec;
    spec.maxNewTokens = 16;
    StreamingDecoder words(model->tokenizer());
    std::string text;
    const Generation answer =
        generate(*model, *input, spec, [&](const GeneratedToken& token) { text += words.push(token.id); });
    text += words.finish();
    CHECK(answer.ids == expected().at("answer").at("ids").get<std::vector<int>>());
    CHECK(text == expected().at("answer").at("text").get<std::string>());
    // The last token was not run, as nothing was recorded that it would add to.
    CHECK(answer.trace->tokens().stage("text").size() ==
          input->maps[0].stage("text").size() + static_cast<int>(answer.ids.size()) - 1);
}

TEST_CASE("text towers get their prompts shortened, cleaned and padded as the reference does") {
    for (const char* name : {"clip-prompts", "siglip-prompts"}) {
        INFO(name);
        const Case& c = caseNamed(name);
        std::ifstream file(c.reference.parent_path() / "prompts.json");
        const auto model = open(c);
        int shortened = 0;
        for (const auto& entry : nlohmann::json::parse(file)) {
            const auto ids = entry.at("ids").get<std::vector<int>>();
            const auto input = model->encode(said(entry.at("text")));
            const auto trace = runModel(*model, *input, recordInput()).trace;
            const Array found = trace->input("input_ids");
            CHECK(std::vector<int>(found.values.begin(), found.values.end()) == ids);
            CHECK(input->maps[0].stage("text").size() == static_cast<int>(ids.size()));
            shortened += static_cast<int>(input->notices.size());
            CHECK(trace->output("text_embeds").values.size() > 0);
        }
        CHECK(shortened == 1);
    }
}

TEST_CASE("wrong prompts say what is wrong") {
    const auto model = folder("wrong", true);
    CHECK_THROWS_AS(model->encode({}), Error);
    UserInput picture = said("a");
    picture.images.emplace_back();
    CHECK_THROWS_AS(model->encode(picture), Error);

    const Case& c = caseNamed("llama-prompts");
    const fs::path bare = copyOf(c, "no-tokenizer");
    for (const char* name : {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"})
        fs::remove(bare / name);
    const auto mute = openModel(makeCatalog(), bare.string(), {testDevice(), "float32", true, {}});
    CHECK_THROWS_AS(mute->encode(said("a", PromptForm::Raw)), Error);
    UserInput tensors;
    tensors.tensors = c.inputs;
    CHECK(mute->encode(tensors)->maps[0].stage("text").tokens[0].text.starts_with("<"));

    const fs::path other = copyOf(caseNamed("llama-gqa-2"), "other-tokenizer");
    for (const char* name : {"tokenizer.json", "tokenizer_config.json"}) fs::copy_file(c.model / name, other / name);
    const auto small = openModel(makeCatalog(), other.string(), {testDevice(), "float32", true, {}});
    CHECK_THROWS_WITH_AS(small->encode(said("zzz star", PromptForm::Raw)), doctest::Contains("token ids"), Error);
}
