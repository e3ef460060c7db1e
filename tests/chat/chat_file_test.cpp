// Conversations in files: what --chat takes and refuses.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "fovea/chat_template.h"
#include "fovea/error.h"

using namespace fovea;
using nlohmann::json;

namespace {

ChatFile read(const std::string& text) {
    return parseChat(text, "/chats", "chat.json");
}

std::string refusal(const std::string& text) {
    try {
        read(text);
    } catch (const Error& e) {
        CHECK(e.code() == ErrorCode::Input);
        CHECK_FALSE(e.hint().empty());
        return e.what();
    }
    return "";
}

}  // namespace

TEST_CASE("a message of the user has its images before the text") {
    CHECK(userMessage(2, "q") ==
          json::parse(
              R"({"role":"user","content":[{"type":"image"},{"type":"image"},{"type":"text","text":"q"}]})"));
    CHECK(userMessage(0, "").at("content").size() == 1);
}

TEST_CASE("a chat file is a list of messages or an object with them") {
    CHECK(read(R"([{"role":"user","content":"hi"}])").messages.size() == 1);
    const ChatFile file = read(R"({"messages":[
        {"role":"system","content":[{"type":"text","text":"be brief"}]},
        {"role":"user","content":[{"type":"image","path":"a.png"},{"type":"image"},{"type":"text","text":"?"}]},
        {"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":{"z":1,"a":2}}}]},
        {"role":"user","content":[{"type":"image_url","image_url":{"url":"file:///p/b.png"}},{"type":"video","video":"v/c.mp4"}]}],
        "tools":[{"z":1,"a":2}]})");
    REQUIRE(file.images.size() == 3);
    CHECK(file.images[0] == "/chats/a.png");
    CHECK(file.images[1].empty());
    CHECK(file.images[2] == "/p/b.png");
    CHECK(file.videos == std::vector<std::filesystem::path>{"/chats/v/c.mp4"});
    CHECK(file.messages[3]["content"][0]["type"] == "image");
    // The order of keys is what templates print.
    CHECK(file.tools.dump() == R"([{"z":1,"a":2}])");
    CHECK(file.messages[2]["tool_calls"][0]["function"]["arguments"].dump() == R"({"z":1,"a":2})");
}

TEST_CASE("a chat file is read from disk, its pictures lie beside it") {
    const auto path = std::filesystem::temp_directory_path() / "fovea-chat-file.json";
    std::ofstream(path) << R"([{"role":"user","content":[{"type":"image","image":"x/y.png"}]}])";
    CHECK(readChatFile(path).images.at(0) == path.parent_path() / "x/y.png");
    std::filesystem::remove(path);
    CHECK_THROWS_AS(readChatFile(path), Error);
}

TEST_CASE("what is wrong in a chat file is named") {
    CHECK(refusal("[]") ==
          "chat.json: messages: expected a list with at least one message, found a list of 0");
    CHECK(refusal("3").find("messages: expected a list") != std::string::npos);
    CHECK(refusal("{}").find("the key \"messages\"") != std::string::npos);
    CHECK(refusal("[1]").find("messages[0]: expected an object, found 1") != std::string::npos);
    CHECK(refusal(R"([{"content":"x"}])").find("messages[0].role: expected a text, found null") !=
          std::string::npos);
    CHECK(refusal(R"([{"role":1,"content":"x"}])").find("messages[0].role") != std::string::npos);
    CHECK(refusal(R"([{"role":"user"}])").find("messages[0].content") != std::string::npos);
    CHECK(refusal(R"([{"role":"user","content":null}])").find("messages[0].content") != std::string::npos);
    CHECK(refusal(R"([{"role":"user","content":[1]}])").find("content[0]: expected an object") !=
          std::string::npos);
    CHECK(refusal(R"([{"role":"user","content":[{"text":"x"}]}])").find("content[0].type") !=
          std::string::npos);
    CHECK(refusal(R"([{"role":"user","content":[{"type":"text"}]}])").find("content[0].text") !=
          std::string::npos);
    CHECK(refusal(R"([{"role":"user","content":[{"type":"audio"}]}])")
              .find("text, image or video, found \"audio\"") != std::string::npos);
    CHECK(refusal(R"([{"role":"user","content":[{"type":"image","url":"https://x/y.png"}]}])")
              .find("a local file") != std::string::npos);
    CHECK(refusal(R"([{"role":"user","content":[{"type":"image","image":"data:image/png;base64,AA"}]}])")
              .find("a local file") != std::string::npos);
    CHECK(refusal(R"([{"role":"user","content":[{"type":"image","path":7}]}])")
              .find("path: expected the name of a file") != std::string::npos);
    CHECK(
        refusal(R"({"messages":[{"role":"user","content":"x"}],"tools":3})").find("tools: expected a list") !=
        std::string::npos);
    CHECK_THROWS_AS(read("[{\"role\":\"user\""), Error);
    CHECK_THROWS_AS(read(R"([{"role":"user","role":"user","content":"x"}])"), Error);
}
