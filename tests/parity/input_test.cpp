// What comes in: pictures with their geometry, raw tensors with their checks.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "io/safetensors.h"
#include "parity/fixtures.h"

using namespace fovea;
using namespace fovea::test;

namespace {

namespace fs = std::filesystem;

struct RawTensor {
    std::string name;
    Dtype dtype;
    std::vector<std::int64_t> shape;
};

/// Writes tensors filled with ones (integers) or 0.5 (floats) and feeds them to a model.
std::shared_ptr<const ModelInput> feed(const Model& model, const std::vector<RawTensor>& tensors) {
    std::vector<std::vector<std::byte>> storage;
    std::vector<SafetensorsEntry> entries;
    storage.reserve(tensors.size());
    for (const RawTensor& tensor : tensors) {
        const auto count = static_cast<std::size_t>(checkedBytes(tensor.shape, 1));
        std::vector<std::byte> bytes(count * static_cast<std::size_t>(itemSize(tensor.dtype)));
        for (std::size_t i = 0; i < count; ++i) {
            const float half = 0.5F;
            const std::int64_t one = 1;
            if (tensor.dtype == Dtype::F32) std::memcpy(bytes.data() + 4 * i, &half, 4);
            if (tensor.dtype == Dtype::I64) std::memcpy(bytes.data() + 8 * i, &one, 8);
        }
        storage.push_back(std::move(bytes));
        entries.push_back(
            SafetensorsEntry::fromBytes(tensor.name, tensor.dtype, tensor.shape, storage.back()));
    }
    const fs::path path = fs::path(FOVEA_PARITY_FOLDER) / "fed.safetensors";
    writeSafetensors(path, std::move(entries));
    UserInput input;
    input.tensors = path;
    return model.encode(input);
}

void checkRefused(const Model& model, const std::vector<RawTensor>& tensors, const std::string& named) {
    try {
        feed(model, tensors);
        FAIL("accepted: ", named);
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::Input);
        CHECK_MESSAGE(std::string(error.what()).find(named) != std::string::npos, error.what());
    }
}

Pixels gradient(int width, int height) {
    Pixels picture(width, height);
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) {
            picture.at(x, y)[0] = static_cast<std::uint8_t>(x * 255 / width);
            picture.at(x, y)[1] = static_cast<std::uint8_t>(y * 255 / height);
            picture.at(x, y)[2] = 90;
        }
    return picture;
}

}  // namespace

TEST_CASE("raw tensors are checked by name, rank, type and shape") {
    const auto vit = open(caseNamed("vit-class-0"));
    const RawTensor good{"pixel_values", Dtype::F32, {1, 3, 32, 32}};
    CHECK(feed(*vit, {good})->count() == 1);
    CHECK(feed(*vit, {{"pixel_values", Dtype::F32, {4, 3, 40, 24}}})->count() == 4);
    checkRefused(*vit, {good, {"pixel_valves", Dtype::F32, {1}}}, "pixel_valves");
    checkRefused(*vit, {{"pixel_values", Dtype::F32, {3, 32, 32}}}, "4 axes");
    checkRefused(*vit, {{"pixel_values", Dtype::I64, {1, 3, 32, 32}}}, "floating");
    checkRefused(*vit, {good, {"attention_mask", Dtype::F32, {1, 17}}}, "integers");
    checkRefused(*vit, {good, {"attention_mask", Dtype::I64, {1, 16}}}, "attention_mask");
    checkRefused(*vit, {good, {"bool_masked_pos", Dtype::I64, {1, 17}}}, "bool_masked_pos");
    checkRefused(*vit, {{"pixel_values", Dtype::F32, {1, 4, 32, 32}}}, "[1, 3, any, any]");
    checkRefused(*vit, {{"pixel_values", Dtype::F32, {1, 3, 7, 32}}}, "at least one patch");
    checkRefused(*vit, {{"pixel_values", Dtype::F32, {0, 3, 32, 32}}}, "at least one element");
    checkRefused(*vit, {{"attention_mask", Dtype::I64, {1, 17}}}, "pixel_values");
    checkRefused(*vit,
                 {{"pixel_values", Dtype::F32, {2, 3, 32, 32}}, {"attention_mask", Dtype::I64, {3, 17}}},
                 "batch");

    const auto clip = open(caseNamed("clip-both-0"));
    CHECK(feed(*clip, {{"input_ids", Dtype::I64, {1, 5}}})->count() == 1);
    checkRefused(*clip, {{"input_ids", Dtype::I64, {1, 13}}}, "at most 12 tokens");
    checkRefused(*clip, {{"input_ids", Dtype::F32, {1, 5}}}, "integers");
    checkRefused(*clip, {good, {"attention_mask", Dtype::I64, {1, 5}}}, "input_ids");

    const auto siglip2 = open(caseNamed("siglip2-vision-full"));
    checkRefused(*siglip2, {{"pixel_values", Dtype::F32, {1, 16, 192}}}, "pixel_attention_mask");
    checkRefused(*siglip2, {{"pixel_values", Dtype::F32, {1, 3, 32, 32}}}, "3 axes");

    // The hint says why; the message names what was expected and found.
    const auto grid = open(caseNamed("vit-configured-24x40"));
    checkRefused(*grid, {{"pixel_values", Dtype::F32, {1, 3, 32, 32}}}, "3 x 5 patches, found 4 x 4");
}

TEST_CASE("tokens of raw tensors read the tensor's own pixels") {
    const auto vit = open(caseNamed("vit-class-0"));
    const auto input = feed(*vit, {{"pixel_values", Dtype::F32, {1, 3, 35, 50}}});
    const TokenMap& map = input->maps[0];
    const StageTokens& stage = map.stage("vision");
    CHECK(stage.gridRows == 4);
    CHECK(stage.gridColumns == 6);
    CHECK(stage.size() == 25);
    CHECK(stage.tokens[0].kind == TokenKind::Special);
    CHECK(stage.tokens[0].text == "[CLS]");
    const Token& token = stage.tokens[static_cast<std::size_t>(stage.tokenAt(2, 3))];
    CHECK(token.rect == Rect{24, 16, 8, 8});
    CHECK(map.images[0].width == 50);
    CHECK(map.images[0].height == 35);
    // Two columns on the right and three rows below fill no patch.
    double unread = 0;
    for (const Rect& rect : map.images[0].unread) unread += rect.width * rect.height;
    CHECK(unread == doctest::Approx(35 * 50 - 32 * 48));
    CHECK(input->seen[0].width == 50);
}

TEST_CASE("masked patches are listed as unread and the rest in the order of the sequence") {
    const Case& c = caseNamed("vit_mae-masked-0.75");
    const auto model = open(c);
    const auto input = inputsOf(c, *model);
    const StageTokens& stage = input->maps[0].stage("vision");
    CHECK(stage.size() == 5);
    CHECK(input->maps[0].images[0].unread.size() == 12);
    CHECK(stage.imageTokens().size() == 4);
}

TEST_CASE("a picture's tokens cover what the model read, in its own pixels") {
    for (const char* name : {"vit-class-0", "deit-teacher-0", "clip-vision-0", "siglip-vision-0",
                             "dinov2-bare-0", "beit-bare"}) {
        INFO(name);
        const auto model = open(caseNamed(name));
        UserInput user;
        user.images = {gradient(120, 80), gradient(33, 90)};
        const auto input = model->encode(user);
        REQUIRE(input->count() == 2);
        for (int item = 0; item < 2; ++item) {
            const TokenMap& map = input->maps[static_cast<std::size_t>(item)];
            const StageTokens& stage = map.stage("vision");
            double covered = 0;
            for (const Token& token : stage.tokens)
                if (token.kind == TokenKind::Image) covered += token.rect.width * token.rect.height;
            for (const Rect& rect : map.images[0].unread) covered += rect.width * rect.height;
            CHECK(covered == doctest::Approx(map.images[0].width * map.images[0].height).epsilon(1e-9));
            CHECK(input->originals[static_cast<std::size_t>(item)].width == map.images[0].width);
            CHECK_FALSE(input->seen[static_cast<std::size_t>(item)].empty());
            const RunResult result = runModel(*model, *input, recordAll(item));
            CHECK(result.trace->queries(0) == stage.size());
        }
    }
}

TEST_CASE("NaFlex pictures keep their shape and mark padding") {
    const auto model = open(caseNamed("siglip2-vision-full"));
    UserInput user;
    user.images = {gradient(160, 80)};
    const auto input = model->encode(user);
    const StageTokens& stage = input->maps[0].stage("vision");
    CHECK(stage.size() == 30);
    CHECK(stage.gridColumns > stage.gridRows);
    CHECK(stage.gridRows * stage.gridColumns < 30);
    int padding = 0;
    double covered = 0;
    for (const Token& token : stage.tokens) {
        padding += token.kind == TokenKind::Padding ? 1 : 0;
        covered += token.rect.width * token.rect.height;
    }
    CHECK(padding == 30 - stage.gridRows * stage.gridColumns);
    CHECK(covered == doctest::Approx(160 * 80));
    const RunResult result = runModel(*model, *input, recordAll());
    // Nothing looks at padding, neither in the blocks nor in the pooling.
    const Array pooling = result.trace->probabilities(model->spec().siteIndex("vision.3.cross"));
    for (std::int64_t h = 0; h < pooling.size(0); ++h)
        for (std::int64_t k = 30 - padding; k < 30; ++k) CHECK(pooling.at(h, 0, k) == 0);

    // Without a preprocessor_config.json the family's published patch size applies, which is not this
    // model's.
    CHECK_THROWS_WITH_AS(open(caseNamed("siglip2-class"))->encode(user),
                         doctest::Contains("patches of 8 pixels"), Error);
}

TEST_CASE("a model without an input says what it needs") {
    const auto vit = open(caseNamed("vit-class-0"));
    CHECK_THROWS_AS(vit->encode({}), Error);
    const auto clip = open(caseNamed("clip-both-0"));
    UserInput prompt;
    prompt.images = {gradient(40, 40)};
    prompt.prompt = "a star";
    CHECK_THROWS_WITH_AS(vit->encode(prompt), doctest::Contains("no text"), Error);
    CHECK_THROWS_WITH_AS(clip->encode(prompt), doctest::Contains("tokenizer"), Error);
}
