// Prompts with pictures through a model folder's own processor and tokenizer: ids and logits as transformers makes
// them, rectangles that the pixels themselves prove, and errors a person can act on.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "analyses/test_context.h"
#include "attention/forward.h"
#include "common/gradient_maps.h"
#include "common/input_views.h"
#include "fovea/catalog.h"
#include "fovea/error.h"
#include "fovea/generate.h"
#include "fovea/ppm.h"
#include "fovea/seen_pictures.h"
#include "parity/errors.h"
#include "parity/fixtures.h"

using namespace fovea;
using namespace fovea::test;

namespace {

struct PromptCase {
    std::string name, family, prompt;
    std::filesystem::path folder;
    std::vector<Pixels> images;

    UserInput input() const {
        UserInput user;
        user.prompt = prompt;
        user.images = images;
        return user;
    }
};

const std::vector<PromptCase>& promptCases() {
    static const std::vector<PromptCase> all = [] {
        const std::filesystem::path folder = std::filesystem::path(FOVEA_PARITY_FOLDER) / "prompts";
        const char* given = std::getenv("FOVEA_TEST_PYTHON");
        const std::string python = given ? given : FOVEA_SOURCE_DIR "/build/venv/bin/python";
        const std::string command = "\"" + python + "\" \"" FOVEA_SOURCE_DIR
                                    "/tests/tools/vlm/make_prompts.py\" \"" + folder.string() + "\"";
        std::filesystem::create_directories(folder.parent_path());
        REQUIRE_MESSAGE(std::system(command.c_str()) == 0, command);
        std::ifstream file(folder / "cases.json");
        const auto listing = nlohmann::json::parse(file);
        std::vector<PromptCase> found;
        for (const auto& entry : listing.at("cases")) {
            PromptCase c{entry.at("name"), entry.at("family"), entry.at("prompt"),
                         folder / std::string(entry.at("name")), {}};
            for (int i = 0; i < entry.at("images"); ++i)
                c.images.push_back(readPpm(c.folder / (std::to_string(i) + ".ppm")));
            found.push_back(std::move(c));
        }
        return found;
    }();
    return all;
}

const PromptCase& promptNamed(const std::string& name) {
    for (const PromptCase& c : promptCases())
        if (c.name == name) return c;
    FAIL("no case is called ", name);
    return promptCases().front();
}

std::shared_ptr<const Model> openCase(const PromptCase& c) {
    static const Catalog catalog = makeCatalog();
    return openModel(catalog, (c.folder / "model").string(), {testDevice(), "float32", true, {}});
}

std::vector<double> idsOf(const ModelInput& input) {
    const auto& tensors = dynamic_cast<const TensorInput&>(input);
    const at::Tensor ids = tensors.items[0].at("input_ids").to(at::kCPU, at::kLong).contiguous();
    return {ids.const_data_ptr<std::int64_t>(), ids.const_data_ptr<std::int64_t>() + ids.numel()};
}

/// The patch embeddings of every pass, before any block has mixed them, with what each row's token is.
struct Embedded {
    std::vector<StageTokens> tokens;
    std::vector<Array> rows;
};

Embedded embeddedBy(const Model& model, const ModelInput& input) {
    RunSpec spec;
    spec.capture.hidden = true;
    const auto trace = runModel(model, input, spec).trace;
    Embedded out;
    const auto add = [&](const AttentionTrace& part) {
        if (!part.hasHidden("vision", 0)) return;
        out.tokens.push_back(part.tokens().stage("vision"));
        out.rows.push_back(part.hidden("vision", 0));
    };
    add(*trace);
    for (const auto& part : trace->parts()) add(*part);
    return out;
}

/// Pixels of the original on one axis that the resize filter carries over a token's border: Lanczos reaches three
/// pixels of the coarser picture. A size that stays is not filtered; Idefics3 resizes up to three times.
double reach(const PromptCase& c, double length) {
    const double patch = c.family.starts_with("qwen") ? 4 : 8, scale = length / patch;
    if (std::abs(scale - 1) < 1e-9) return 0;
    return 3 * std::max(1.0, scale) * (c.family == "idefics3" ? 3 : 1);
}

struct Box {
    int x0, y0, x1, y1;
    bool empty() const { return x1 <= x0 || y1 <= y0; }
};

Box core(const PromptCase& c, const Rect& rect) {
    const double dx = reach(c, rect.width), dy = reach(c, rect.height);
    return {static_cast<int>(std::ceil(rect.x + dx)), static_cast<int>(std::ceil(rect.y + dy)),
            static_cast<int>(std::floor(rect.x + rect.width - dx)), static_cast<int>(std::floor(rect.y + rect.height - dy))};
}

void invert(Pixels& pixels, const Box& box) {
    for (int y = box.y0; y < std::min(box.y1, pixels.height); ++y)
        for (int x = box.x0; x < std::min(box.x1, pixels.width); ++x)
            for (int channel = 0; channel < 3; ++channel) pixels.at(x, y)[channel] ^= 0xff;
}

}  // namespace

TEST_CASE("prompts with pictures give the reference's ids and logits") {
    double worst = 0;
    REQUIRE(promptCases().size() >= 15);
    for (const PromptCase& c : promptCases()) {
        INFO(c.name);
        const auto model = openCase(c);
        CHECK(model->spec().family == c.family);
        const auto input = model->encode(c.input());
        CHECK(input->count() == 1);
        const auto reference = readReference(c.folder / "reference.safetensors");
        CHECK(idsOf(*input) == reference.at("ids").values);
        const Array logits = runModel(*model, *input, {}).trace->output("logits");
        Errors errors;
        errors.add("logits", logits, reference.at("f64/logits").item(0), reference.at("f32/logits").item(0));
        CHECK_MESSAGE(errors.ours <= errors.allowed(), "error " << errors.ours << ", allowed " << errors.allowed());
        worst = std::max(worst, errors.share());
    }
    fmt::print("prompts: {} cases, worst {:.0f} % of what is allowed\n", promptCases().size(), 100 * worst);
}

TEST_CASE("pixels inside a token's rectangle change that token alone") {
    std::set<std::string> proven, families;
    for (const PromptCase& c : promptCases()) {
        INFO(c.name);
        families.insert(c.family);
        const auto model = openCase(c);
        const Embedded before = embeddedBy(*model, *model->encode(c.input()));
        REQUIRE(!before.rows.empty());
        for (std::size_t part = 0; part < before.rows.size(); ++part) {
            int tried = 0;
            const std::vector<Token>& tokens = before.tokens[part].tokens;
            for (std::size_t t = 0; t < tokens.size() && tried < 3; t += 5) {
                const Box box = tokens[t].kind == TokenKind::Image ? core(c, tokens[t].rect) : Box{0, 0, 0, 0};
                if (box.empty()) continue;
                UserInput changed = c.input();
                // Several pictures have one part each here.
                invert(changed.images[c.images.size() > 1 ? part : 0], box);
                const Embedded after = embeddedBy(*model, *model->encode(changed));
                const std::int64_t width = before.rows[part].shape[1];
                for (std::size_t row = 0; row < tokens.size(); ++row) {
                    const auto begin = static_cast<std::ptrdiff_t>(row) * width;
                    const auto& old = before.rows[part].values;
                    const bool same = std::equal(old.begin() + begin, old.begin() + begin + width,
                                                 after.rows[part].values.begin() + begin);
                    INFO("part ", part, ", token ", t, ", row ", row);
                    CHECK(same == (row != t));
                }
                ++tried;
                proven.insert(c.family);
            }
            if (c.family == "mllama") CHECK(tried > 0);  // of every picture
        }
    }
    CHECK(proven == families);
}

TEST_CASE("every image token of the decoder has the rectangle of the patches that it stands for") {
    for (const PromptCase& c : promptCases()) {
        INFO(c.name);
        const auto model = openCase(c);
        const auto input = model->encode(c.input());
        const TokenMap& map = input->maps[0];
        REQUIRE(map.images.size() == c.images.size());
        double covered = 0, whole = 0;
        for (std::size_t i = 0; i < c.images.size(); ++i) {
            CHECK(map.images[i].width == c.images[i].width);
            CHECK(map.images[i].height == c.images[i].height);
            // The text of these reads the tower's states by cross-attention.
            const char* stage = c.family == "mllama" ? "projector" : c.family == "blip" ? "vision" : "text";
            // Every pixel that a model reads is read by some token: count them.
            std::vector<bool> read(static_cast<std::size_t>(c.images[i].width * c.images[i].height));
            for (const Token& token : map.stage(stage).tokens) {
                if (token.kind != TokenKind::Image || token.image != static_cast<int>(i)) continue;
                CHECK(token.rect.width > 0);
                for (int y = static_cast<int>(token.rect.y); y < token.rect.y + token.rect.height && y < c.images[i].height; ++y)
                    for (int x = static_cast<int>(token.rect.x); x < token.rect.x + token.rect.width && x < c.images[i].width; ++x)
                        read[static_cast<std::size_t>(y * c.images[i].width + x)] = true;
            }
            covered += static_cast<double>(std::count(read.begin(), read.end(), true));
            whole += static_cast<double>(read.size());
            for (const Rect& rect : map.images[i].unread) covered += rect.width * rect.height;
        }
        if (whole > 0) CHECK(covered >= 0.98 * whole);
    }
}

TEST_CASE("cross-attention of a recorded prompt knows the picture's tokens again") {
    const auto path = std::filesystem::path(FOVEA_PARITY_FOLDER) / "replayed_cross.safetensors";
    for (const char* name : {"blip", "mllama-wide", "mllama-two"}) {
        INFO(name);
        const PromptCase& c = promptNamed(name);
        const auto model = openCase(c);
        RunSpec spec;
        spec.capture.qkv = true;
        spec.capture.sites = {"text.*.cross"};
        const auto trace = runModel(*model, *model->encode(c.input()), spec).trace;
        REQUIRE(!trace->sites().empty());
        TraceFileOptions options;
        options.keep = CaptureRequest::parse("probs,qkv");
        writeTraceFile(path, {trace}, options);
        const auto recorded = openModel(makeCatalog(), path.string());
        const auto again = runModel(*recorded, *recorded->encode({}), {}).trace;
        REQUIRE(again->sites().size() == trace->sites().size());
        for (const int site : trace->sites()) {
            const AttentionSite& expected = model->spec().sites[static_cast<std::size_t>(site)];
            const int index = recorded->spec().siteIndex(expected.address());
            REQUIRE(index >= 0);
            CHECK(!expected.keyStage.empty());
            CHECK(recorded->spec().sites[static_cast<std::size_t>(index)].keyStage == expected.keyStage);
            CHECK(again->keyTokens(index) == trace->keyTokens(site));
            CHECK(again->queryTokens(index) == trace->queryTokens(site));
            CHECK(again->tokens().stage(expected.keyStage).size() == again->keys(index));
        }
    }
}

TEST_CASE("an answer by the cache is the one by whole passes") {
    for (const char* name : {"llava-wide", "paligemma-wide", "qwen2_vl", "qwen2_5_vl-two", "qwen3_vl", "gemma3",
                             "idefics3-square", "llava_next-tall", "internvl-wide", "blip", "mllama-wide", "mllama-two"}) {
        INFO(name);
        const PromptCase& c = promptNamed(name);
        const auto model = openCase(c);
        CHECK(model->spec().capabilities.generate);
        GenerateSpec spec;
        spec.maxNewTokens = 5;
        const auto input = model->encode(c.input());
        const Generation answer = generate(*model, *input, spec);
        REQUIRE(!answer.ids.empty());
        const Array first = runModel(*model, *input, {}).trace->output("logits");
        const auto best = std::max_element(first.values.begin(), first.values.end()) - first.values.begin();
        CHECK(answer.ids.front() == static_cast<int>(best));
        // The answer so far, as part of the prompt, leads to the same next token.
        if (answer.ids.size() > 1 && answer.ids.front() >= 3 && answer.ids.front() < 100 && c.family != "paligemma") {
            PromptCase longer = c;
            longer.prompt += " w" + std::to_string(answer.ids.front());
            const Array next = runModel(*model, *model->encode(longer.input()), {}).trace->output("logits");
            const auto second = std::max_element(next.values.begin(), next.values.end()) - next.values.begin();
            CHECK(answer.ids[1] == static_cast<int>(second));
        }
    }
}

TEST_CASE("prompts that do not fit their pictures or their model are refused with a hint") {
    const PromptCase& c = promptNamed("llava-wide");
    const auto model = openCase(c);
    const auto refused = [&](const Model& m, const UserInput& user, const std::string& what) {
        try {
            m.encode(user);
            FAIL("no error");
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::Input);
            CHECK_MESSAGE(std::string(error.what()).find(what) != std::string::npos, error.what());
            CHECK(!error.hint().empty());
        }
    };
    UserInput user = c.input();
    user.prompt = "w7 w8";
    user.promptForm = PromptForm::Raw;
    refused(*model, user, "expected 1 placeholder <image> (one for each picture), found 0");
    user = c.input();
    user.images.push_back(user.images.front());
    refused(*model, user, "expected 2 placeholders <image> (one for each picture), found 1");
    user = c.input();
    user.prompt += " <image>";
    refused(*model, user, "expected 1 placeholder <image> (one for each picture), found 2");
    user = c.input();
    for (int i = 0; i < 600; ++i) user.prompt += " w9";
    refused(*model, user, "at most 512 tokens");
    UserInput empty;
    CHECK_THROWS_AS(model->encode(empty), Error);

    const auto damaged = [&](const std::string& name, const std::function<void(const std::filesystem::path&)>& damage) {
        const std::filesystem::path copy = std::filesystem::path(FOVEA_PARITY_FOLDER) / "damaged" / name;
        std::filesystem::remove_all(copy);
        std::filesystem::create_directories(copy.parent_path());
        std::filesystem::copy(c.folder / "model", copy, std::filesystem::copy_options::recursive);
        damage(copy);
        return openModel(makeCatalog(), copy.string(), {testDevice(), "float32", true, {}});
    };
    // Without a processor file the reference's defaults stand in, and the report says so.
    const auto plain = damaged("prompt-no-processor", [](const auto& f) {
        std::filesystem::remove(f / "preprocessor_config.json");
        std::filesystem::remove(f / "processor_config.json");
    });
    const std::vector<std::string>& notices = plain->spec().weights.notices;
    CHECK(std::any_of(notices.begin(), notices.end(), [](const std::string& notice) {
        return notice.find("no preprocessor_config.json") != std::string::npos;
    }));
    // A folder without a template, likewise.
    const auto untaught = damaged("prompt-no-template", [](const auto& f) {
        for (const char* name : {"chat_template.jinja", "chat_template.json"}) std::filesystem::remove(f / name);
        for (const char* name : {"tokenizer_config.json", "processor_config.json"}) {
            if (!std::filesystem::exists(f / name)) continue;
            std::ifstream in(f / name);
            auto json = nlohmann::json::parse(in);
            json.erase("chat_template");
            std::ofstream(f / name) << json.dump();
        }
    });
    UserInput bare = c.input();
    bare.prompt = "w7 w8";
    bare.promptForm = PromptForm::Template;
    const auto encoded = untaught->encode(bare);
    REQUIRE(encoded->notices.size() == 1);
    CHECK(encoded->notices.front().find("no chat template") != std::string::npos);
    refused(*damaged("prompt-no-tokenizer", [](const auto& f) { std::filesystem::remove(f / "tokenizer.json"); }), c.input(),
            "tokenizer");
    refused(*damaged("prompt-other-tokenizer",
                     [](const auto& f) {
                         std::ifstream in(f / "tokenizer.json");
                         auto json = nlohmann::json::parse(in);
                         json["model"]["vocab"]["w50"] = 119000;
                         std::ofstream(f / "tokenizer.json") << json.dump();
                     }),
            [&] { UserInput u = c.input(); u.prompt += " w50"; return u; }(), "vocabulary ends at 119");
}

TEST_CASE("errors that follow from a missing processor file name it, in every family") {
    for (const char* name : {"gemma3", "idefics3-square", "internvl-wide", "llava_next-wide", "mllama-wide", "qwen2_vl", "llava-wide"}) {
        INFO(name);
        const PromptCase& c = promptNamed(name);
        const auto copy = std::filesystem::path(FOVEA_PARITY_FOLDER) / "damaged" / (std::string("unprocessed-") + name);
        std::filesystem::remove_all(copy);
        std::filesystem::create_directories(copy.parent_path());
        std::filesystem::copy(c.folder / "model", copy, std::filesystem::copy_options::recursive);
        std::filesystem::remove(copy / "preprocessor_config.json");
        const auto model = openModel(makeCatalog(), copy.string(), {testDevice(), "float32", true, {}});
        const std::vector<std::string>& notices = model->spec().weights.notices;
        CHECK(std::count_if(notices.begin(), notices.end(), [](const std::string& notice) {
                  return notice.starts_with("no preprocessor_config.json");
              }) == 1);
        bool failed = false;
        try {
            model->encode(c.input());
        } catch (const Error& error) {
            failed = true;
            INFO(error.what());
            CHECK(error.code() == ErrorCode::Input);
            CHECK(error.hint().find("no preprocessor_config.json") != std::string::npos);
            CHECK(error.hint().find(". ") != std::string::npos);  // what else may help stays
        }
        if (c.family == "gemma3") CHECK(failed);
        UserInput text;  // nothing was guessed about a text
        text.prompt = c.prompt;
        text.promptForm = PromptForm::Raw;
        try {
            model->encode(text);
        } catch (const Error& error) {
            CHECK(error.hint().find("preprocessor_config") == std::string::npos);
        }
    }
}

TEST_CASE("sizes of BLIP's configuration that are no sizes are refused, used or not") {
    for (const nlohmann::json& nonsense : std::vector<nlohmann::json>{"wide", -5, 0, 1e12}) {
        INFO(nonsense.dump());
        const auto copy = std::filesystem::path(FOVEA_PARITY_FOLDER) / "damaged" / "blip-encoder";
        std::filesystem::remove_all(copy);
        std::filesystem::create_directories(copy.parent_path());
        std::filesystem::copy(promptNamed("blip").folder / "model", copy, std::filesystem::copy_options::recursive);
        std::ifstream in(copy / "config.json");
        auto config = nlohmann::json::parse(in);
        config["text_config"]["encoder_hidden_size"] = nonsense;
        std::ofstream(copy / "config.json") << config.dump();
        std::string message;
        try {
            openModel(makeCatalog(), copy.string(), {testDevice(), "float32", true, {}});
        } catch (const Error& error) {
            message = error.what();
            CHECK(error.code() == ErrorCode::Input);
        }
        CHECK(message.find("encoder_hidden_size") != std::string::npos);
    }
}

TEST_CASE("pan and scan of a Gemma 3 folder is left aside, and said to be") {
    const PromptCase& c = promptNamed("gemma3-elongated");
    const auto model = openCase(c);
    const std::vector<std::string>& notices = model->spec().weights.notices;
    CHECK(std::count_if(notices.begin(), notices.end(), [](const std::string& notice) {
              return notice.find("do_pan_and_scan: true has no effect") != std::string::npos;
          }) == 1);
    const auto input = model->encode(c.input());
    CHECK(dynamic_cast<const SeenPictures&>(*input).pictures.front().tiles.size() == 1);
}

TEST_CASE("inputs keep every tile that the model saw, and the windows that its tower looks within") {
    std::set<std::string> tiled, windowed;
    for (const PromptCase& c : promptCases()) {
        const auto model = openCase(c);
        const auto input = model->encode(c.input());
        const auto* seen = dynamic_cast<const SeenPictures*>(input.get());
        if (!seen) continue;
        INFO(c.name);
        REQUIRE(seen->pictures.size() == c.images.size());
        REQUIRE(seen->windows.size() == c.images.size());
        for (std::size_t i = 0; i < c.images.size(); ++i) {
            const VisionImage& picture = seen->pictures[i];
            REQUIRE(!picture.tiles.empty());
            CHECK(picture.tiles.front().seen.rgb == input->seen[i].rgb);
            if (picture.tiles.size() > 1) tiled.insert(c.family);
            if (seen->windows[i].empty()) continue;
            windowed.insert(c.family);
            double area = 0;
            for (const Rect& window : seen->windows[i]) area += window.width * window.height;
            CHECK(area == doctest::Approx(static_cast<double>(picture.width) * picture.height).epsilon(1e-6));
            // No token of the decoder reads beyond its window.
            for (const Token& token : input->maps[0].stage("text").tokens) {
                if (token.kind != TokenKind::Image || token.image != static_cast<int>(i)) continue;
                CHECK(std::count_if(seen->windows[i].begin(), seen->windows[i].end(), [&](const Rect& w) {
                          return token.rect.x >= w.x - 1e-6 && token.rect.y >= w.y - 1e-6 &&
                                 token.rect.x + token.rect.width <= w.x + w.width + 1e-6 &&
                                 token.rect.y + token.rect.height <= w.y + w.height + 1e-6;
                      }) == 1);
            }
        }
    }
    for (const char* family : {"llava_next", "idefics3", "internvl", "llava_onevision", "mllama"})
        CHECK_MESSAGE(tiled.contains(family), family);
    CHECK(windowed == std::set<std::string>{"qwen2_5_vl"});
}

namespace {

/// What a run reads in the place of the pictures.
RunResult readBy(const Model& model, const ModelInput& input, const Perturbation& change = {}) {
    RunSpec spec;
    spec.objective = Objective{};
    spec.objective->classIndex = 3;
    spec.gradients.input = true;
    spec.perturbation = change;
    return runModel(model, input, spec);
}

// The byte that the model saw at a pixel of a view.
int byteAt(const VisionImage& picture, const InputView& view, int channel, int y, int x) {
    for (const VisionTile& tile : picture.tiles) {
        const bool alone = picture.tileRows == 0 || picture.tiles.size() == 1;
        if (!alone && tile.overview != (view.name == "whole picture")) continue;
        const bool whole = alone || tile.overview || view.name.starts_with("crop ");
        if (view.name.starts_with("crop ") && view.name != fmt::format("crop {},{}", tile.row, tile.column)) continue;
        const int left = whole ? 0 : tile.column * tile.seen.width, top = whole ? 0 : tile.row * tile.seen.height;
        if (x >= left && y >= top && x < left + tile.seen.width && y < top + tile.seen.height)
            return tile.seen.at(x - left, y - top)[channel];
    }
    FAIL("no tile shows the pixel");
    return 0;
}

bool severalViews(const PromptCase& c, const std::shared_ptr<const Model>& model, const std::shared_ptr<const ModelInput>& input) {
    if (c.images.empty()) return false;
    return holdsViews(TestContext(model, input, {}));
}

double statedSum(const std::string& note) {
    const std::size_t at = note.find("sum to ");
    REQUIRE(at != std::string::npos);
    return std::stod(note.substr(at + 7));
}

}  // namespace

TEST_CASE("what a model reads of pictures is put back onto their pixels") {
    std::set<std::string> families;
    for (const PromptCase& c : promptCases()) {
        INFO(c.name);
        const auto model = openCase(c);
        const auto input = model->encode(c.input());
        if (!severalViews(c, model, input)) continue;
        families.insert(c.family);
        const TestContext context(model, input, {});
        const auto& pictures = dynamic_cast<const SeenPictures&>(*input).pictures;
        const Array read = readBy(*model, *input).inputTensor;
        std::vector<std::map<int, float>> values(3);
        std::set<int> shown;
        for (const Array& tensor : {read, foldedCopies(context, read)})
            for (const InputView& view : inputViews(context, tensor)) {
                shown.insert(view.image);
                REQUIRE((view.left >= 0 && view.top >= 0 && view.right <= view.values.size(2) && view.bottom <= view.values.size(1)));
                int wrong = 0;
                for (int channel = 0; channel < 3; ++channel)
                    for (int y = view.top; y < view.bottom; ++y)
                        for (int x = view.left; x < view.right; ++x) {
                            const int byte = byteAt(pictures[static_cast<std::size_t>(view.image)], view, channel, y, x);
                            const float value = view.values.at(channel, y, x);
                            const float first = values[static_cast<std::size_t>(channel)].emplace(byte, value).first->second;
                            wrong += std::abs(value - first) <= 1e-4F ? 0 : 1;
                        }
                CHECK(wrong == 0);
            }
        CHECK(shown.size() == c.images.size());
        for (const std::map<int, float>& channel : values) {
            CHECK(channel.size() > 10);
            float before = -HUGE_VALF;
            for (const auto& [byte, value] : channel) {
                CHECK(value > before);
                before = value;
            }
        }
    }
    for (const char* family : {"qwen2_vl", "qwen2_5_vl", "qwen3_vl", "idefics3", "llava_next", "mllama"}) {
        INFO(family);
        CHECK(families.count(family) == 1);
    }
}

TEST_CASE("gradients of pictures in patches and tiles are maps of their pixels") {
    static const Catalog catalog = makeCatalog();
    for (const PromptCase& c : promptCases()) {
        INFO(c.name);
        const auto model = openCase(c);
        const auto input = model->encode(c.input());
        if (!severalViews(c, model, input)) continue;
        const auto found = analyse("input_gradient", model, input, {{"channels", "signed"}});
        std::set<int> images;
        for (const Finding& finding : found) {
            const Grid& grid = std::get<Grid>(finding.data);
            images.insert(grid.image);
            CHECK((grid.pixels && grid.rows > 0 && grid.columns > 0));
            REQUIRE(grid.values.size() == static_cast<std::size_t>(grid.rows * grid.columns));
            const Pixels& picture = c.images[static_cast<std::size_t>(grid.image)];
            CHECK((grid.area.x >= 0 && grid.area.x + grid.area.width <= picture.width + 1e-6));
            CHECK((grid.area.y >= 0 && grid.area.y + grid.area.height <= picture.height + 1e-6));
        }
        CHECK(images.size() == c.images.size());
        // Pooling needs one grid of tokens: said before the model runs again.
        const AnalysisEntry& entry = catalog.analyses.get("input_gradient");
        TestContext context(model, input, {});
        try {
            entry.compute(context, checkedParams(entry.info, {{"pool", "mean"}}));
            FAIL("accepted");
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::Usage);
            CHECK(error.hint().find("relevance") != std::string::npos);
        }
        CHECK(context.runs == 0);
    }
    const PromptCase& c = promptNamed("qwen2_vl");
    const auto model = openCase(c);
    const auto input = model->encode(c.input());
    const auto plain = analyse("input_gradient", model, input, {{"channels", "signed"}});
    const auto still = analyse("smooth_grad", model, input, {{"channels", "signed"}, {"noise", 0.0}, {"samples", 2}});
    const std::vector<float>& expected = std::get<Grid>(named(plain, "map").data).values;
    const std::vector<float>& smooth = std::get<Grid>(named(still, "map").data).values;
    REQUIRE(smooth.size() == expected.size());
    for (std::size_t i = 0; i < smooth.size(); i += 7) CHECK(smooth[i] == doctest::Approx(expected[i]).epsilon(1e-4));
}

TEST_CASE("attributions of pictures in patches and tiles are complete, from black as well") {
    for (const char* name : {"qwen2_vl", "qwen2_5_vl-two", "idefics3-square"}) {
        const PromptCase& c = promptNamed(name);
        INFO(name);
        const auto model = openCase(c);
        const auto input = model->encode(c.input());
        REQUIRE(severalViews(c, model, input));
        for (const char* baseline : {"value", "black"}) {
            const auto found = analyse("integrated_gradients", model, input, {{"steps", 4}, {"baseline", baseline}});
            double sum = 0;
            for (const Finding& finding : found)
                for (const float value : std::get<Grid>(finding.data).values) sum += static_cast<double>(value);
            CHECK(sum == doctest::Approx(statedSum(named(found, "map").note)).epsilon(1e-3));
        }
        Perturbation black;
        black.scale = 0;
        black.channelBaseline = input->black;
        REQUIRE(black.channelBaseline.size() == 3);
        const TestContext context(model, input, {});
        const Array read = readBy(*model, *input, black).inputTensor;
        const std::vector<double> values = baselineValues(black, read.shape, channelOrder(context));
        REQUIRE(values.size() == read.values.size());
        for (std::size_t i = 0; i < values.size(); i += 5) CHECK(static_cast<double>(read.values[i]) == doctest::Approx(values[i]).epsilon(1e-5));
        const int copies = std::string(name).starts_with("qwen") ? 2 : 1;
        for (const InputView& view : inputViews(context, read))
            for (int channel = 0; channel < 3; ++channel)
                CHECK(static_cast<double>(view.values.at(channel, view.top, view.left)) ==
                      doctest::Approx(copies * black.channelBaseline[static_cast<std::size_t>(channel)]).epsilon(1e-5));
    }
}
