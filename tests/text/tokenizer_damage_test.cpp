#include <doctest/doctest.h>

#include <fstream>
#include <functional>

#include "fovea/error.h"
#include "fovea/tokenizer.h"
#include "text/sentencepiece_file.h"

using namespace fovea;
using nlohmann::json;

namespace {

/// A small tokenizer in which every kind of component occurs.
json sound() {
    return json::parse(R"({
      "added_tokens": [{"id": 5, "content": "<s>", "special": true, "normalized": false}],
      "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Replace", "pattern": {"Regex": " +"}, "content": "_"}]},
      "pre_tokenizer": {"type": "Split", "pattern": {"String": "_"}, "behavior": "MergedWithNext", "invert": false},
      "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}}], "special_tokens": {"<s>": {"id": "<s>", "ids": [5], "tokens": ["<s>"]}}},
      "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "_"}, "content": " "}, {"type": "Fuse"}]},
      "model": {"type": "BPE", "unk_token": "?", "vocab": {"?": 0, "a": 1, "b": 2, "_": 3, "ab": 4}, "merges": ["a b"]}})");
}

struct Damage {
    const char* name;
    std::function<void(json&)> apply;
    const char* says;  // part of the message
};

const std::vector<Damage>& damages() {
    static const std::vector<Damage> list = {
        {"no model", [](json& j) { j.erase("model"); }, "model: expected a value"},
        {"unknown model", [](json& j) { j["model"]["type"] = "Magic"; }, "expected BPE, WordPiece"},
        {"vocabulary is a number", [](json& j) { j["model"]["vocab"] = 7; }, "model.vocab: expected an object"},
        {"id is negative", [](json& j) { j["model"]["vocab"]["a"] = -1; }, "expected a whole number"},
        {"id is huge", [](json& j) { j["model"]["vocab"]["a"] = 4'000'000'000U; }, "expected a whole number"},
        {"id is a text", [](json& j) { j["model"]["vocab"]["a"] = "1"; }, "expected a whole number"},
        {"token too long", [](json& j) { j["model"]["vocab"][std::string(5000, 'x')] = 9; }, "at most 2048 bytes"},
        {"merge of strangers", [](json& j) { j["model"]["merges"].push_back("a z"); }, "merges[1]: expected tokens"},
        {"merge makes a stranger", [](json& j) { j["model"]["merges"].push_back("b a"); }, "found \"ba\""},
        {"merge of three", [](json& j) { j["model"]["merges"].push_back("a b c"); }, "one space between"},
        {"merge is a number", [](json& j) { j["model"]["merges"].push_back(3); }, "expected two tokens"},
        {"unknown token is a stranger", [](json& j) { j["model"]["unk_token"] = "zz"; }, "a token of the vocabulary"},
        {"unknown normalizer", [](json& j) { j["normalizer"] = {{"type", "Upside"}}; }, "a normalizer that Fovea knows"},
        {"regex does not compile", [](json& j) { j["normalizer"]["normalizers"][1]["pattern"]["Regex"] = "(a"; },
         "not a valid regular expression"},
        {"regex nests too deep", [](json& j) {
             j["normalizer"]["normalizers"][1]["pattern"]["Regex"] = std::string(5000, '(') + std::string(5000, ')');
         }, "not a valid regular expression"},
        {"regex too long", [](json& j) { j["normalizer"]["normalizers"][1]["pattern"]["Regex"] = std::string(99999, 'a'); },
         "at most 16384 bytes"},
        {"too many normalizers", [](json& j) {
             for (int i = 0; i < 100; ++i) j["normalizer"]["normalizers"].push_back({{"type", "NFC"}});
         }, "at most 64"},
        {"charsmap is no base64", [](json& j) { j["normalizer"] = {{"type", "Precompiled"}, {"precompiled_charsmap", "!!"}}; },
         "expected base64"},
        {"charsmap is cut", [](json& j) { j["normalizer"] = {{"type", "Precompiled"}, {"precompiled_charsmap", "/////w=="}}; },
         "expected a trie"},
        {"unknown behaviour", [](json& j) { j["pre_tokenizer"]["behavior"] = "Eaten"; }, "Removed, Isolated"},
        {"unknown pre-tokenizer", [](json& j) { j["pre_tokenizer"]["type"] = "Axe"; }, "a pre-tokenizer that Fovea knows"},
        {"template of strangers", [](json& j) { j["post_processor"]["special_tokens"] = json::object(); },
         "a key of special_tokens"},
        {"sequence twice", [](json& j) {
             j["post_processor"]["single"].push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
         }, "only once"},
        {"unknown post-processor", [](json& j) { j["post_processor"]["type"] = "Stamp"; }, "a post-processor that Fovea knows"},
        {"unknown decoder", [](json& j) { j["decoder"] = {{"type", "Enigma"}}; }, "a decoder that Fovea knows"},
        {"added token without content", [](json& j) { j["added_tokens"][0].erase("content"); }, "content: expected a value"},
        {"root is a list", [](json& j) { j = json::array(); }, "expected an object"}};
    return list;
}

std::string messageOf(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::Input);
        return error.what();
    }
    return "no error";
}

}  // namespace

TEST_CASE("every damage of a tokenizer.json is an error that names file and place") {
    REQUIRE_NOTHROW(Tokenizer::fromJson(sound(), "tokenizer.json"));
    for (const Damage& damage : damages()) {
        json file = sound();
        damage.apply(file);
        const std::string message = messageOf([&] { Tokenizer::fromJson(file, "tokenizer.json"); });
        CAPTURE(damage.name);
        CAPTURE(message);
        CHECK(message.starts_with("tokenizer.json"));
        CHECK(message.find(damage.says) != std::string::npos);
    }
}

TEST_CASE("patterns and replacements that explode end in an error, not in a hang") {
    json file = sound();
    file["normalizer"]["normalizers"][1]["pattern"]["Regex"] = "(?:a*)*b(?:a|a)*c";
    const auto slow = Tokenizer::fromJson(file, "tokenizer.json");
    CHECK(messageOf([&] { slow->encode(std::string(5000, 'a') + "b" + std::string(40, 'a'), AddSpecial::No); })
              .find("cannot be searched") != std::string::npos);
    std::string hint;
    try {
        slow->encode(std::string(5000, 'a') + "b" + std::string(40, 'a'), AddSpecial::No);
    } catch (const Error& error) {
        hint = error.hint();
    }
    CHECK(hint.find("fetch the folder again") != std::string::npos);
    json growing = sound();
    json& steps = growing["normalizer"]["normalizers"];
    for (int i = 0; i < 40; ++i) steps.push_back({{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aaaa"}});
    const auto growth = Tokenizer::fromJson(growing, "tokenizer.json");
    CHECK(messageOf([&] { growth->encode("a", AddSpecial::No); }).find("too long") != std::string::npos);
}

TEST_CASE("bytes that are no UTF-8 become U+FFFD and keep their place") {
    const auto tokenizer = Tokenizer::fromJson(sound(), "tokenizer.json");
    const Encoding got = tokenizer->encode("a\xF0\x9F\x98" "b\xFF\xFE" "ab", AddSpecial::No);
    CHECK(got.ids == std::vector<int>{1, 0, 2, 0, 0, 4});
    CHECK(got.spans == std::vector<ByteSpan>{{0, 1}, {1, 4}, {4, 5}, {5, 6}, {6, 7}, {7, 9}});
}

TEST_CASE("special tokens are marked, wherever they come from") {
    const auto tokenizer = Tokenizer::fromJson(sound(), "tokenizer.json");
    const Encoding got = tokenizer->encode("a <s>b", AddSpecial::Yes);
    CHECK(got.ids == std::vector<int>{5, 1, 3, 5, 2});
    CHECK(got.special == std::vector<bool>{true, false, false, true, false});
    CHECK(got.spans[0] == ByteSpan{0, 0});
    CHECK(got.spans[3] == ByteSpan{2, 5});
    CHECK(tokenizer->decode(got.ids, SkipSpecial::Yes) == "a b");
    CHECK(tokenizer->vocabularySize() == 6);
    CHECK(tokenizer->idEnd() == 6);
}

TEST_CASE("damaged sentencepiece models are errors") {
    using text::parseSentencePiece;
    const std::string unknown("\x0a\x09\x0a\x05<unk>\x18\x02", 11);
    CHECK(parseSentencePiece(unknown, "m").unknownId == 0);
    const std::string noUtf8("\x0a\x03\x0a\x01\xff", 5);
    for (const std::string& bytes :
         {std::string(), std::string("IQ== 0\n"), unknown.substr(0, 7), unknown + "\x0a", unknown + "\x0a\xff\xff\xff\xff\x0f",
          unknown + noUtf8, unknown + std::string("\x12\x02\x18\x03", 4), unknown + std::string("\x1a\x02\x28\x00", 4),
          std::string("\x0a\x05\x0a\x01x\x18\x09", 7)})
        CHECK_THROWS_AS(parseSentencePiece(bytes, "m"), Error);
}
