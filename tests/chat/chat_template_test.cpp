// Renderings equal to those of jinja2 as transformers sets it up, and templates of model folders.
#include "fovea/chat_template.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "fovea/error.h"
#include "images/fixtures.h"
#include "text/chat_template/program.h"

using namespace fovea;
using nlohmann::json;
using nlohmann::ordered_json;

namespace {

namespace fs = std::filesystem;

ordered_json reference() {
    const fs::path folder = test::fixtureFolder("chat/make_chat_fixtures.py", {"family_templates.py"});
    const auto bytes = test::readBytes(folder / "index.json");
    return ordered_json::parse(bytes.begin(), bytes.end());
}

/// A folder of its own that goes away again.
struct Folder {
    fs::path path = fs::temp_directory_path() / ("fovea-chat-" + std::to_string(std::rand()));
    Folder() { fs::create_directories(path); }
    ~Folder() { fs::remove_all(path); }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(path / name, std::ios::binary) << text;
    }
};

const json kHello = json::array({{{"role", "user"}, {"content", "hi"}}});

std::string failure(const std::string& source, const json& messages = kHello) {
    try {
        ChatTemplate(source, "t.jinja").render(messages);
    } catch (const Error& e) {
        CHECK(e.code() == ErrorCode::Input);
        CHECK_FALSE(e.hint().empty());
        return e.what();
    }
    return "";
}

}  // namespace

TEST_CASE("templates of every family and a few thousand small ones render as jinja2 renders them") {
    const ordered_json index = reference();
    int rendered = 0, refused = 0;
    for (const ordered_json& one : index["cases"]) {
        const ordered_json& variables = one.contains("variables") ? one["variables"] : index["variables"];
        const std::string source = one["template"];
        INFO(one["name"].get<std::string>(), "\n", source);
        try {
            const std::string text = jinja::Program(source).run(variables);
            REQUIRE_MESSAGE(one.contains("out"), "jinja2 refuses it: " << one.value("error", ""));
            REQUIRE(text == one["out"].get<std::string>());
            ++rendered;
        } catch (const jinja::Fault& fault) {
            REQUIRE_MESSAGE(one.contains("error"), fault.what());
            ++refused;
        }
    }
    CHECK(rendered > 2000);
    CHECK(refused > 500);
}

TEST_CASE("what a template is given: messages, tokens, the generation prompt and named extras") {
    const ChatTemplate chat(
        "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}|{{ tools }}|{{ documents }}|{{ unk_token }}|"
        "{{ 'A:' if add_generation_prompt }}{{ add_vision_id }}",
        "t.jinja");
    ChatOptions options;
    options.bosToken = "<s>";
    CHECK(chat.render(kHello, options) == "<s>hi|None|None||A:");
    options.eosToken = "</s>";
    options.addGenerationPrompt = GenerationPrompt::No;
    options.extra["unk_token"] = "<u>";
    options.extra["add_vision_id"] = true;
    options.extra["tools"] = ordered_json::array({{{"z", 1}, {"a", 2}}});
    CHECK(chat.render(kHello, options) == "<s>hi</s>|[{'z': 1, 'a': 2}]|None|<u>|True");
}

TEST_CASE("errors name the file, the line and where possible the column") {
    CHECK(failure("a\n{{ 1 + }}") == "t.jinja:2:8: expected an expression, found the end of {{ ... }}");
    CHECK(failure("a\n\n{% if x %}\n").starts_with("t.jinja:3:9: expected {% endif %}, found the end"));
    CHECK(failure("{% include 'x' %}").find("{% include %} is not supported") != std::string::npos);
    CHECK(failure("{% import 'x' as y %}").find("{% import %} is not supported") != std::string::npos);
    CHECK(failure("\n{{ messages|nope }}") == "t.jinja:2: the filter 'nope' is not known");
    CHECK(failure("{{ messages is nope }}") == "t.jinja:1: the test 'nope' is not known");
    CHECK(failure("{{ a.b }}") == "t.jinja:1: 'a' is undefined");
    CHECK(failure("{{ messages[0].x.y }}") == "t.jinja:1: a dictionary has no 'x'");
    CHECK(failure("{{ messages.append(1) }}").find("changes a list, which templates must not do") !=
          std::string::npos);
    CHECK(failure("\n\n{{ raise_exception('Only users!') }}") ==
          "t.jinja:3: the chat template refuses these messages: Only users!");
    CHECK(failure("{{ '%s' % 1 }}").find("not supported") != std::string::npos);
    CHECK(failure("{{ '{}'.format(1) }}").find("'format' of texts is not supported") != std::string::npos);
    CHECK(failure("{{ cycler(1) }}").find("'cycler' is not supported") != std::string::npos);
    CHECK(failure("{{ 9223372036854775807 + 1 }}").find("64 bits") != std::string::npos);
    CHECK(failure("{{ 99999999999999999999 }}").find("64 bits") != std::string::npos);
    CHECK(failure("\xff").find("UTF-8") != std::string::npos);
    CHECK(failure("{{ messages|map('upper') }}").find("a generator; make it a list") != std::string::npos);
    CHECK(failure("{{ f(*messages) }}").find("unpacked by *") != std::string::npos);
}

TEST_CASE("strftime_now gives the date of today") {
    const std::string text =
        ChatTemplate("{{ strftime_now('%Y-%m-%d') }}{{ strftime_now('') }}", "t").render(kHello);
    REQUIRE(text.size() == 10);
    CHECK(text[4] == '-');
    CHECK(std::stoi(text.substr(0, 4)) >= 2024);
}

TEST_CASE("the template of a model folder is found in the order of its files") {
    const Folder folder;
    CHECK_FALSE(ChatTemplate::fromFolder(folder.path).has_value());
    folder.write("tokenizer_config.json", R"({"chat_template": null})");
    CHECK_FALSE(ChatTemplate::fromFolder(folder.path).has_value());
    folder.write("tokenizer_config.json", R"({"chat_template": [{"name": "rag", "template": "R"}]})");
    CHECK_THROWS_WITH_AS(ChatTemplate::fromFolder(folder.path), doctest::Contains("named \"default\""),
                         Error);
    folder.write(
        "tokenizer_config.json",
        R"({"chat_template": [{"name": "rag", "template": "R"}, {"name": "default", "template": "1"}]})");
    const auto source = [&] { return ChatTemplate::fromFolder(folder.path)->source(); };
    CHECK(source() == "1");
    folder.write("processor_config.json", R"({"processor_class": "P"})");
    CHECK(source() == "1");
    folder.write("processor_config.json", R"({"chat_template": "2"})");
    CHECK(source() == "2");
    folder.write("chat_template.json", R"({"chat_template": "3"})");
    CHECK(source() == "3");
    folder.write("chat_template.json", R"({"chat_template": 3})");
    CHECK_THROWS_WITH_AS(source(), doctest::Contains("found 3"), Error);
    folder.write("chat_template.jinja", "4");
    CHECK(source() == "4");
    CHECK(ChatTemplate::fromFolder(folder.path)->fileName().ends_with("chat_template.jinja"));
}

TEST_CASE("messages are brought into the form that a template reads") {
    const ChatTemplate text("{% for m in messages %}{{ m.content + '!' }}{% endfor %}", "t");
    const ChatTemplate parts(
        "{% for m in messages %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endfor %}", "t");
    const ChatTemplate both(
        "{% for m in messages %}{{ m.content if m.content is string else m.content[0].text }}{% endfor %}",
        "t");
    const ChatTemplate prints("{% for m in messages %}{{ m.content }}{% endfor %}", "t");
    CHECK(text.contentForm() == ContentForm::Text);
    CHECK(parts.contentForm() == ContentForm::Parts);
    CHECK(both.contentForm() == ContentForm::Both);
    CHECK(prints.contentForm() == ContentForm::Text);
    const ordered_json plain = kHello, listed = ordered_json::array({ordered_json(userMessage(0, "hi"))});
    CHECK(text.render(text.fitted(listed)) == "hi!");
    CHECK(parts.render(parts.fitted(plain)) == "hi");
    CHECK(both.fitted(listed) == listed);
    const ordered_json withImage = ordered_json::array({ordered_json(userMessage(1, "hi"))});
    CHECK(text.fitted(withImage) == withImage);
}
