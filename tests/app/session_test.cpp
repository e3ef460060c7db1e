#include "session/session.h"

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <random>

#include "fovea/error.h"
#include "io/support.h"
#include "session/answer_length.h"
#include "session/content_key.h"
#include "session/conversation.h"

using namespace fovea;
namespace fs = std::filesystem;

namespace {

Session sample() {
    Session session;
    session.model = {"demo:vit", "cpu", "float32"};
    session.input.images = {"pictures/cat.png", "scene:7"};
    session.input.prompt = "What is \"this\"?\n";
    session.input.rawPrompt = true;
    session.input.chat = "talk.json";
    session.input.maxNewTokens = 12;
    session.input.sampling = {0.7, 40, 0.9, 1.1, 0};
    session.seed = 18446744073709551615U;
    session.budget = "4GiB";
    session.edits = {{"temperature", {{"factor", 0.5}}, true}, {"mute_heads", {{"heads", "0,3"}}, false}};
    session.analyses = {{"attention_from", {{"layers", "last"}}}, {"rollout", nlohmann::json::object()}};
    PictureRequest picture;
    picture.analysis = 1;
    picture.display.scale = "fixed";
    picture.display.minimum = -0.25;
    picture.display.maximum = 0.125;
    picture.display.tokenGrid = false;
    picture.file = "a/b.png";
    picture.dpi = 96;
    session.pictures = {picture};
    session.views = {{"dock", {1, 2, 3}}};
    return session;
}

// Reads a document and returns the message of the error, or "" when it was accepted.
std::string problemOf(const std::string& text) {
    try {
        sessionFromText(text);
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::Input);
        CHECK(!std::string(error.what()).empty());
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("a repetition penalty that is not given stays so: the model's own counts") {
    Session session = sample();
    session.input.sampling.repetitionPenalty.reset();
    const auto json = toJson(session);
    CHECK_FALSE(json.at("input").at("sampling").contains("repetition_penalty"));
    CHECK(sessionFromText(json.dump()) == session);
    Session none = session;
    none.input.sampling.repetitionPenalty = 1;
    CHECK(sessionFromText(toJson(none).dump()) == none);
    CHECK(content_key::ofAnswer(session.input, 0) != content_key::ofAnswer(none.input, 0));
    CHECK_FALSE(problemOf(R"({"schema":1,"input":{"sampling":{"repetition_penalty":0}}})").empty());
}

TEST_CASE("an answer is as long as the model's own files say where nobody else does") {
    GenerationRules rules;
    const auto length = [&](int prompt) { return usualAnswerLength(rules, prompt, 64); };
    CHECK(length(5).tokens == 64);
    CHECK(length(5).source.empty());
    rules.maxLength = 12;
    CHECK(length(5).tokens == 7);
    CHECK(length(5).source == "max_length");
    CHECK_THROWS_WITH_AS(length(12), doctest::Contains("max_length: expected more than the prompt's 12 tokens, found 12"), Error);
    rules.maxNewTokens = 300;
    CHECK(length(12).tokens == 300);
    CHECK(length(12).source == "max_new_tokens");
    rules.maxNewTokens = 1 << 30;
    CHECK(length(12).tokens == 1 << 20);
}

TEST_CASE("turns of a conversation are kept, and refused beside other prompts") {
    Session session = sample();
    session.input.rawPrompt = false;
    session.input.chat.clear();
    session.input.turns = {{"user", "What is it?"}, {"assistant", "A \"star\"\n"}};
    const std::string text = toJson(session).dump(2);
    CHECK(sessionFromText(text) == session);
    CHECK(content_key::ofInput(session.input) != content_key::ofInput(sample().input));
    Session other = session;
    other.input.turns[1].text = "A ring";
    CHECK(content_key::ofInput(session.input) != content_key::ofInput(other.input));
    CHECK(problemOf(R"({"schema":1,"input":{"turns":[{"role":"robot","text":"x"}]}})").find("/input/turns/0/role") !=
          std::string::npos);
    CHECK(problemOf(R"({"schema":1,"input":{"turns":[{"text":"x"}]}})").find("/input/turns/0/role") != std::string::npos);
    CHECK(problemOf(R"({"schema":1,"input":{"raw_prompt":true,"turns":[{"role":"user","text":"x"}]}})").find("/input/turns") !=
          std::string::npos);
}

TEST_CASE("a folder of frames is another input when one of them changes") {
    const test::TemporaryFolder folder;
    SessionInput input;
    input.video = (folder.path() / "frames").string();
    const std::string absent = content_key::ofInput(input);
    test::writeBytes(folder.path() / "frames/1.ppm", "first");
    test::writeBytes(folder.path() / "frames/2.ppm", "second");
    const auto time = fs::last_write_time(folder.path() / "frames");
    const std::string before = content_key::ofInput(input);
    CHECK(before != absent);
    CHECK(content_key::ofInput(input) == before);
    test::writeBytes(folder.path() / "frames/2.ppm", "another second");
    fs::last_write_time(folder.path() / "frames", time);
    const std::string longer = content_key::ofInput(input);
    CHECK(longer != before);
    fs::last_write_time(folder.path() / "frames/1.ppm", time + std::chrono::hours(1));
    const std::string later = content_key::ofInput(input);
    CHECK(later != longer);
    fs::rename(folder.path() / "frames/1.ppm", folder.path() / "frames/3.ppm");
    CHECK(content_key::ofInput(input) != later);
    input.video = (folder.path() / "frames/2.ppm").string();
    CHECK(content_key::ofInput(input).find("2.ppm 14 ") != std::string::npos);
}

TEST_CASE("a conversation's messages: the pictures with the first question, the prompt last; its file goes") {
    SessionInput input;
    input.images = {"a.png", "b.png"};
    input.prompt = "Sure?";
    input.turns = {{"system", "Be brief."}, {"user", "What is it?"}, {"assistant", "A star."}};
    const auto messages = conversationMessages(input);
    REQUIRE(messages.size() == 4);
    CHECK(messages[0] == nlohmann::ordered_json({{"role", "system"}, {"content", "Be brief."}}));
    REQUIRE(messages[1].at("content").size() == 3);
    CHECK(messages[1].at("content")[1].at("type") == "image");
    CHECK(messages[1].at("content")[2].at("text") == "What is it?");
    CHECK(messages[3].at("content") == "Sure?");
    fs::path path;
    {
        const ConversationFile file(input);
        path = file.path();
        CHECK(fs::file_size(path) > 50);
    }
    CHECK_FALSE(fs::exists(path));
}

TEST_CASE("what was asked last is in the prompt or the chat file") {
    const test::TemporaryFolder folder;
    SessionInput input;
    CHECK(lastQuestion(input).empty());
    input.prompt = "Why?";
    CHECK(lastQuestion(input) == "Why?");
    input.chat = (folder.path() / "talk.json").string();
    CHECK(lastQuestion(input) == "Why?");  // no such file
    test::writeBytes(input.chat, R"([{"role": "user", "content": "First?"}, {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is"}, {"type": "text", "text": "it?"}]},
        {"role": "assistant", "content": "A star."}])");
    CHECK(lastQuestion(input) == "What is it?");
    test::writeBytes(input.chat, R"({"messages": [{"role": "system", "content": "Be brief."}]})");
    CHECK(lastQuestion(input) == "Why?");
    test::writeBytes(input.chat, "[[");
    input.prompt.clear();
    CHECK(lastQuestion(input).empty());
}

TEST_CASE("a session survives JSON, with equal text, hash and value") {
    const Session session = sample();
    const std::string text = toJson(session).dump(2);
    const Session again = sessionFromText(text);
    CHECK(again == session);
    CHECK(toJson(again).dump(2) == text);
    CHECK(hashOf(again) == hashOf(session));
    Session other = session;
    other.seed = 0;
    CHECK(hashOf(other) != hashOf(session));
}

TEST_CASE("adapters of the model are kept, and written only where there are some") {
    CHECK_FALSE(toJson(Session())["model"].contains("adapters"));
    Session session;
    session.model.adapters = {{"a/lora", 0.5}, {"b", 1}};
    CHECK(sessionFromText(toJson(session).dump()) == session);
    CHECK(adapterStrengths(session.model) == std::vector<double>{0.5, 1});
    const Session plain = sessionFromText(R"({"schema":1,"model":{"adapters":[{"folder":"x"}]}})");
    CHECK(plain.model.adapters == std::vector<AdapterChoice>{{"x", 1}});
    CHECK(fs::path(withAbsolutePaths(plain).model.adapters[0].folder).is_absolute());
}

TEST_CASE("keys come in a fixed order") {
    const std::string text = toJson(Session()).dump();
    std::size_t last = 0;
    for (const char* key :
         {"schema", "model", "input", "seed", "budget", "edits", "analyses", "pictures", "views"}) {
        const std::size_t at = text.find("\"" + std::string(key) + "\"");
        REQUIRE(at != std::string::npos);
        CHECK(at >= last);
        last = at;
    }
}

TEST_CASE("the smallest session takes the defaults") {
    CHECK(sessionFromText(R"({"schema": 1})") == Session());
}

TEST_CASE("unknown fields are kept where they were and reported") {
    const std::string text =
        R"({"schema":1,"model":{"reference":"x","revision":"main"},"analyses":[{"id":"a","note":[1]}],
        "pictures":[{"analysis":0,"display":{"glow":true}}],"future":{"a":1},"$schema":"session.schema.json"})";
    std::vector<std::string> notices;
    const Session session = sessionFromText(text, &notices);
    CHECK(notices.size() == 4);  // all but $schema
    const auto written = toJson(session);
    CHECK(written["model"]["revision"] == "main");
    CHECK(written["analyses"][0]["note"] == nlohmann::json::array({1}));
    CHECK(written["pictures"][0]["display"]["glow"] == true);
    CHECK(written["future"]["a"] == 1);
    CHECK(sessionFromText(written.dump()) == session);
    Session shorter = session;
    shorter.pictures.clear();
    CHECK(!toJson(shorter).dump().empty());  // a field whose parent is gone goes with it
    CHECK(toJson(shorter).dump().find("glow") == std::string::npos);
}

TEST_CASE("a newer schema is refused with a hint") {
    try {
        sessionFromText(R"({"schema": 2})");
        FAIL("accepted");
    } catch (const Error& error) {
        CHECK(std::string(error.what()).find("/schema") != std::string::npos);
        CHECK(error.hint().find("newer") != std::string::npos);
    }
}

TEST_CASE("messages name the field by its path") {
    const struct {
        const char* text;
        const char* path;
    } cases[] = {
        {R"([])", "/"},
        {R"({})", "/schema"},
        {R"({"schema":"1"})", "/schema"},
        {R"({"schema":1.5})", "/schema"},
        {R"({"schema":0})", "/schema"},
        {R"({"schema":1,"model":3})", "/model"},
        {R"({"schema":1,"model":{"dtype":"int4"}})", "/model/dtype"},
        {R"({"schema":1,"model":{"adapters":"x"}})", "/model/adapters"},
        {R"({"schema":1,"model":{"adapters":[{}]}})", "/model/adapters/0/folder"},
        {R"({"schema":1,"model":{"adapters":[{"folder":"x","strength":1000}]}})", "/model/adapters/0/strength"},
        {R"({"schema":1,"input":{"images":"a.png"}})", "/input/images"},
        {R"({"schema":1,"input":{"images":["a",1]}})", "/input/images"},
        {R"({"schema":1,"input":{"images":["a\u0000b"]}})", "/input/images"},
        {R"({"schema":1,"seed":-1})", "/seed"},
        {R"({"schema":1,"seed":1.0})", "/seed"},
        {R"({"schema":1,"edits":{}})", "/edits"},
        {R"({"schema":1,"edits":[{"params":{}}]})", "/edits/0/id"},
        {R"({"schema":1,"edits":[{"id":"a"},{"id":"b","params":[]}]})", "/edits/1/params"},
        {R"({"schema":1,"edits":[{"id":"a","enabled":1}]})", "/edits/0/enabled"},
        {R"({"schema":1,"pictures":[{"analysis":0}]})", "/pictures/0/analysis"},
        {R"({"schema":1,"analyses":[{"id":"a"}],"pictures":[{"analysis":1}]})", "/pictures/0/analysis"},
        {R"({"schema":1,"analyses":[{"id":"a"}],"pictures":[{"analysis":-1}]})", "/pictures/0/analysis"},
        {R"({"schema":1,"analyses":[{"id":"a"}],"pictures":[{"analysis":1e99}]})", "/pictures/0/analysis"},
        {R"({"schema":1,"analyses":[{"id":"a"}],"pictures":[{"analysis":0,"dpi":5}]})", "/pictures/0/dpi"},
        {R"({"schema":1,"analyses":[{"id":"a"}],"pictures":[{"analysis":0,"display":{"opacity":2}}]})",
         "/pictures/0/display/opacity"},
        {R"({"schema":1,"analyses":[{"id":"a"}],"pictures":[{"analysis":0,"display":{"scale":"odd"}}]})",
         "/pictures/0/display/scale"},
        {R"({"schema":1,"analyses":[{"id":"a"}],"pictures":[{"analysis":0,"display":{"scale":"fixed"}}]})",
         "/pictures/0/display/maximum"},
        {R"({"schema":1,"views":[]})", "/views"},
    };
    for (const auto& c : cases) {
        CAPTURE(c.text);
        CHECK(problemOf(c.text).find(c.path) != std::string::npos);
    }
}

TEST_CASE("hostile texts are refused, never followed") {
    CHECK(problemOf("") != "");
    CHECK(problemOf(std::string(1 << 20, '[')) != "");
    CHECK(problemOf(R"({"schema":1,"schema":1})") != "");
    CHECK(problemOf(R"({"schema":NaN})") != "");
    CHECK(problemOf("{\"schema\":1,\"budget\":\"" + std::string(100, '9') + "\"}") != "");
    CHECK(problemOf("{\"schema\":1,\"model\":{\"reference\":\"" + std::string(10000, 'a') + "\"}}") != "");
    CHECK(problemOf("{\"schema\":1,\"views\":{\"a\":\"\xff\xfe\"}}") != "");
    std::string deep = "{\"schema\":1,\"views\":";
    for (int i = 0; i < 5000; ++i) deep += "{\"a\":";
    CHECK(problemOf(deep) != "");
}

TEST_CASE("mutated sessions are read or refused with an error, nothing else") {
    const std::string text = toJson(sample()).dump();
    std::mt19937 random(7);
    for (int i = 0; i < 3000; ++i) {
        std::string mutant = text;
        for (int change = 0; change < 1 + i % 4; ++change) {
            const std::size_t at = random() % mutant.size();
            switch (random() % 3) {
                case 0:
                    mutant[at] = static_cast<char>(random() % 256);
                    break;
                case 1:
                    mutant.erase(at, 1 + random() % 8);
                    break;
                default:
                    mutant.insert(at, mutant.substr(random() % mutant.size(), 1 + random() % 12));
            }
            if (mutant.empty()) break;
        }
        try {
            const Session session = sessionFromText(mutant);
            CHECK(sessionFromText(toJson(session).dump()) == session);
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::Input);
        }
    }
}

TEST_CASE("paths in a file are relative to it") {
    const test::TemporaryFolder folder;
    const auto root = folder.path();
    test::writeBytes(root / "models/tiny/config.json", "{}");
    test::writeBytes(root / "sessions/s.fovea.json",
                     R"({"schema":1,"model":{"reference":"../models/tiny"},
                         "input":{"images":["a.png","/abs/b.png","scene:3"],"tensors":"../t.safetensors"}})");
    const Session session = readSession(root / "sessions/s.fovea.json");
    CHECK(session.model.reference == (root / "models/tiny").lexically_normal().generic_string());
    CHECK(session.input.images[0] == (root / "sessions/a.png").generic_string());
    CHECK(session.input.images[1] == "/abs/b.png");
    CHECK(session.input.images[2] == "scene:3");
    CHECK(session.input.tensors == (root / "t.safetensors").generic_string());

    writeSession(root / "elsewhere.fovea.json", session);
    const auto written = nlohmann::json::parse(test::readBytes(root / "elsewhere.fovea.json"));
    CHECK(written["model"]["reference"] == "models/tiny");
    CHECK(written["input"]["images"][0] == "sessions/a.png");
    CHECK(readSession(root / "elsewhere.fovea.json") == session);
}

TEST_CASE("what a session is compared with is kept beside it, with paths of its own") {
    const test::TemporaryFolder folder;
    const auto root = folder.path();
    Session a = sample(), b = sample();
    a.views = nlohmann::json::object();
    b.input.images = {(root / "sessions/b.png").generic_string(), "scene:4"};
    b.seed = 99;
    CHECK_FALSE(comparedWith(a));
    const Session both = comparing(a, comparing(b, a));
    REQUIRE(comparedWith(both));
    CHECK(*comparedWith(both) == b);
    std::filesystem::create_directories(root / "sessions");
    writeSession(root / "sessions/s.fovea.json", both);
    const auto written = nlohmann::json::parse(test::readBytes(root / "sessions/s.fovea.json"));
    CHECK(written["views"]["compare"]["input"]["images"][0] == "b.png");
    const Session again = readSession(root / "sessions/s.fovea.json");
    REQUIRE(comparedWith(again));
    CHECK(comparedWith(again)->input.images == b.input.images);
    CHECK(comparedWith(again)->seed == 99);
    test::writeBytes(root / "bad.fovea.json", R"({"schema":1,"views":{"compare":{"schema":1,"seed":-1}}})");
    CHECK_THROWS_WITH_AS(readSession(root / "bad.fovea.json"), doctest::Contains("/views/compare"), Error);
}

TEST_CASE("names of demos and of the cache are no paths") {
    const test::TemporaryFolder folder;
    test::writeBytes(folder.path() / "s.fovea.json",
                     R"({"schema":1,"model":{"reference":"google/vit-base"}})");
    CHECK(readSession(folder.path() / "s.fovea.json").model.reference == "google/vit-base");
}

TEST_CASE("the sample sessions and the schema agree with the reader") {
    const auto resources = std::filesystem::path(FOVEA_SOURCE_DIR) / "resources";
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(resources / "sessions")) {
        if (!entry.path().string().ends_with(".fovea.json")) continue;
        std::vector<std::string> notices;
        readSession(entry.path(), &notices);
        CHECK(notices.empty());
        ++count;
    }
    CHECK(count >= 3);
    const auto schema = nlohmann::json::parse(test::readBytes(resources / "schema/session.schema.json"));
    const auto written = nlohmann::json(toJson(sample()));
    for (const auto& [key, value] : written.items()) CHECK(schema["properties"].contains(key));
    for (const auto& [key, value] : written["pictures"][0]["display"].items())
        CHECK(schema["$defs"]["display"]["properties"].contains(key));
    for (const auto& [key, value] : written["pictures"][0].items())
        CHECK(schema["properties"]["pictures"]["items"]["properties"].contains(key));
}
