// Prompts with films through a model folder's own processors: ids, logits and answers as transformers makes them of the
// same frames, and rectangles that the pixels of the frames prove.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "attention/forward.h"
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

struct FilmCase {
    std::string name, family;
    std::filesystem::path folder;
    UserInput input;
    std::vector<int> answer;
};

const std::vector<FilmCase>& filmCases() {
    static const std::vector<FilmCase> all = [] {
        const std::filesystem::path folder = std::filesystem::path(FOVEA_PARITY_FOLDER) / "films";
        const char* given = std::getenv("FOVEA_TEST_PYTHON");
        const std::string python = given ? given : FOVEA_SOURCE_DIR "/build/venv/bin/python";
        const std::string command = "\"" + python + "\" \"" FOVEA_SOURCE_DIR "/tests/tools/vlm/make_films.py\" \"" +
                                    folder.string() + "\"";
        std::filesystem::create_directories(folder.parent_path());
        REQUIRE_MESSAGE(std::system(command.c_str()) == 0, command);
        std::ifstream file(folder / "cases.json");
        const auto listing = nlohmann::json::parse(file);
        std::vector<FilmCase> found;
        for (const auto& entry : listing.at("cases")) {
            FilmCase c;
            c.name = entry.at("name");
            c.family = entry.at("family");
            c.folder = folder / c.name;
            c.input.prompt = entry.at("prompt");
            for (int i = 0; i < entry.at("images"); ++i)
                c.input.images.push_back(readPpm(c.folder / (std::to_string(i) + ".ppm")));
            for (int i = 0; i < entry.at("frames"); ++i)
                c.input.video.frames.push_back(readPpm(c.folder / ("frame" + std::to_string(i) + ".ppm")));
            const auto& film = entry.at("film");
            c.input.video.timing = {film.at("fps"), film.at("duration"), film.at("total_num_frames"),
                                    film.at("frames_indices").get<std::vector<std::int64_t>>()};
            c.answer = entry.at("answer").get<std::vector<int>>();
            found.push_back(std::move(c));
        }
        return found;
    }();
    return all;
}

std::shared_ptr<const Model> openCase(const FilmCase& c) {
    static const Catalog catalog = makeCatalog();
    return openModel(catalog, (c.folder / "model").string(), {testDevice(), "float32", true, {}});
}

/// Patch embeddings before any block has mixed them; pictures as the whole token map counts them.
struct Embedded {
    std::vector<Token> tokens;
    std::vector<std::vector<float>> rows;
};

Embedded embeddedBy(const Model& model, const ModelInput& input) {
    RunSpec spec;
    spec.capture.hidden = true;
    const auto trace = runModel(model, input, spec).trace;
    Embedded out;
    const auto add = [&](const AttentionTrace& part, int first) {
        if (!part.hasHidden("vision", 0)) return;
        const Array rows = part.hidden("vision", 0);
        const auto width = static_cast<std::ptrdiff_t>(rows.shape[1]);
        for (const Token& token : part.tokens().stage("vision").tokens) {
            out.tokens.push_back(token);
            if (token.image >= 0) out.tokens.back().image += first;
            const auto begin = rows.values.begin() + token.index * width;
            out.rows.emplace_back(begin, begin + width);
        }
    };
    add(*trace, 0);
    for (const auto& part : trace->parts()) add(*part, std::atoi(part->prefix().substr(5).c_str()));
    return out;
}

/// The pixels of a rectangle that the resize filter (Lanczos: three pixels of the coarser picture) keeps inside it.
Rect core(const Rect& rect, double patch, int resizes) {
    const auto reach = [&](double length) {
        const double scale = length / patch;
        return std::abs(scale - 1) < 1e-9 ? 0 : 3 * resizes * std::max(1.0, scale);
    };
    const double x = std::ceil(rect.x + reach(rect.width)), y = std::ceil(rect.y + reach(rect.height));
    return {x, y, std::floor(rect.x + rect.width - reach(rect.width)) - x,
            std::floor(rect.y + rect.height - reach(rect.height)) - y};
}

void invert(Pixels& pixels, const Rect& box) {
    for (int y = static_cast<int>(box.y); y < box.y + box.height; ++y)
        for (int x = static_cast<int>(box.x); x < box.x + box.width; ++x)
            for (int channel = 0; channel < 3; ++channel) pixels.at(x, y)[channel] ^= 0xff;
}

}  // namespace

TEST_CASE("pictures of a film are called by when they were taken, stills by nothing") {
    for (const FilmCase& c : filmCases()) {
        CAPTURE(c.name);
        UserInput user = c.input;
        for (const double fps : {user.video.timing.fps, 0.0}) {
            user.video.timing.fps = fps;
            const auto input = openCase(c)->encode(user);
            const auto* seen = dynamic_cast<const SeenPictures*>(input.get());
            REQUIRE(seen);
            REQUIRE(seen->frames.size() == input->maps.front().images.size());
            std::size_t named = 0;
            for (const std::string& name : seen->frames) {
                if (name.empty()) continue;
                const auto& indices = user.video.timing.indices;
                if (named++ == 0 && fps <= 0)
                    CHECK(name.substr(name.find(' ')).starts_with(" " + std::to_string(indices.empty() ? 0 : indices.front())));
                CHECK(name.starts_with("frame"));
                CHECK(name.ends_with(" s") == (fps > 0));
            }
            CHECK(named == seen->frames.size() - user.images.size());
        }
    }
}

TEST_CASE("prompts with films give the reference's ids, logits and answers") {
    REQUIRE(filmCases().size() >= 15);
    for (const FilmCase& c : filmCases()) {
        INFO(c.name);
        const auto model = openCase(c);
        CHECK(model->spec().family == c.family);
        const auto input = model->encode(c.input);
        REQUIRE(input->count() == 1);
        const auto reference = readReference(c.folder / "reference.safetensors");
        const at::Tensor ids = dynamic_cast<const TensorInput&>(*input).items[0].at("input_ids").to(at::kCPU, at::kDouble).contiguous();
        CHECK(std::vector<double>(ids.const_data_ptr<double>(), ids.const_data_ptr<double>() + ids.numel()) == reference.at("ids").values);
        Errors errors;
        errors.add("logits", runModel(*model, *input, {}).trace->output("logits"), reference.at("f64/logits").item(0),
                   reference.at("f32/logits").item(0));
        CHECK_MESSAGE(errors.ours <= errors.allowed(), "error " << errors.ours << ", allowed " << errors.allowed());
        GenerateSpec spec;
        spec.maxNewTokens = 20;
        if (testDevice() == "cpu") CHECK(generate(*model, *input, spec).ids == c.answer);
    }
}

TEST_CASE("pixels inside a token's rectangle in its frame change that token alone") {
    std::set<std::string> proven, families;
    for (const FilmCase& c : filmCases()) {
        INFO(c.name);
        families.insert(c.family);
        const auto model = openCase(c);
        const auto input = model->encode(c.input);
        const Embedded before = embeddedBy(*model, *input);
        const int pictures = static_cast<int>(input->originals.size());
        const double patch = c.family.starts_with("qwen") ? 4 : 8;
        std::map<int, int> tried;  // of a picture
        for (std::size_t t = 0; t < before.tokens.size(); ++t) {
            const Token& token = before.tokens[t];
            const Rect box = token.kind == TokenKind::Image ? core(token.rect, patch, c.family == "smolvlm" ? 2 : 1) : Rect{};
            if (box.width <= 0 || box.height <= 0 || tried[token.image] == 2) continue;
            REQUIRE(token.image < pictures);
            // The picture is the frame that the map says.
            UserInput changed = c.input;
            std::vector<Pixels*> same;
            for (Pixels& frame : changed.video.frames)
                if (frame.rgb == input->originals[static_cast<std::size_t>(token.image)].rgb) same.push_back(&frame);
            if (same.empty()) continue;  // a picture beside the film
            REQUIRE(same.size() == 1);
            invert(*same.front(), box);
            const Embedded after = embeddedBy(*model, *model->encode(changed));
            for (std::size_t row = 0; row < before.rows.size(); ++row) {
                INFO("token ", t, ", row ", row);
                CHECK((before.rows[row] == after.rows[row]) == (row != t));
            }
            ++tried[token.image];
            proven.insert(c.family);
        }
    }
    CHECK(proven == families);
}

TEST_CASE("every token of a film has its frame and a rectangle, and together they read the frames") {
    for (const FilmCase& c : filmCases()) {
        INFO(c.name);
        const auto model = openCase(c);
        const auto input = model->encode(c.input);
        const TokenMap& map = input->maps[0];
        REQUIRE(map.images.size() == input->originals.size());
        const bool pairs = c.family.starts_with("qwen");
        const std::size_t steps = pairs ? (c.input.video.frames.size() + 1) / 2 : c.input.video.frames.size();
        CHECK(map.images.size() == steps + c.input.images.size());
        for (std::size_t i = 0; i < map.images.size(); ++i) {
            const Pixels& shown = input->originals[i];
            CHECK(map.images[i].width == shown.width);
            CHECK(map.images[i].height == shown.height);
            std::vector<bool> read(static_cast<std::size_t>(shown.width * shown.height));
            for (const Token& token : map.stage("text").tokens) {
                if (token.kind != TokenKind::Image || token.image != static_cast<int>(i)) continue;
                CHECK(token.row < map.images[i].gridRows);
                CHECK(token.column < map.images[i].gridColumns);
                for (int y = static_cast<int>(token.rect.y); y < token.rect.y + token.rect.height && y < shown.height; ++y)
                    for (int x = static_cast<int>(token.rect.x); x < token.rect.x + token.rect.width && x < shown.width; ++x)
                        read[static_cast<std::size_t>(y * shown.width + x)] = true;
            }
            CHECK(static_cast<double>(std::count(read.begin(), read.end(), true)) >= 0.98 * static_cast<double>(read.size()));
        }
    }
}

TEST_CASE("films where none fit are refused") {
    const auto refused = [](const Model& model, const UserInput& user, const std::string& what) {
        try {
            model.encode(user);
            FAIL("no error");
        } catch (const Error& error) {
            CHECK_MESSAGE(std::string(error.what()).find(what) != std::string::npos, error.what());
            CHECK(!error.hint().empty());
        }
    };
    const auto named = [](const std::string& name) -> const FilmCase& {
        return *std::find_if(filmCases().begin(), filmCases().end(), [&](const FilmCase& c) { return c.name == name; });
    };
    UserInput user = named("internvl").input;
    user.images = {user.video.frames.front()};
    user.prompt = "w9 <IMG_CONTEXT> w7 <video>";
    refused(*openCase(named("internvl")), user, "pictures or a film");
    user = named("qwen2_vl").input;
    user.video = {};
    refused(*openCase(named("qwen2_vl")), user, "(one for each film), found 1");
    user = named("qwen2_vl").input;
    user.prompt = "w7 w8";
    user.promptForm = PromptForm::Raw;
    try {
        openCase(named("qwen2_vl"))->encode(user);
        FAIL("no error");
    } catch (const Error& error) {
        CHECK(error.hint().find("Write <|vision_start|><|video_pad|><|vision_end|> where the film belongs") != std::string::npos);
    }
    user = named("qwen3_vl").input;
    user.video.frames.back() = Pixels(40, 41);
    refused(*openCase(named("qwen3_vl")), user, "expected frames of");

    VideoTiming film;
    film.totalFrames = 4;
    film.fps = 8;
    CHECK(openCase(named("qwen2_vl"))->sampleFrames(film).size() == 4);
    const auto still = open(caseNamed("llama-gqa-2"));
    CHECK_THROWS_WITH_AS(still->sampleFrames(film), doctest::Contains("reads no films"), Error);
}
