// Settings and pictures that make no sense are refused with the key and a hint.
#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "fovea/error.h"
#include "fovea/visual_processor.h"
#include "images/visual_cases.h"

using namespace fovea;
using namespace fovea::test;
using nlohmann::json;

namespace {

std::string refusal(const char* modelType, const json& files) {
    try {
        visualProcessor(files, modelType);
    } catch (const Error& e) {
        return e.what();
    }
    return "";
}

struct Refusal {
    std::string what;
    std::string hint;
    ErrorCode code = ErrorCode::Internal;
};

Refusal refusedPictures(const char* modelType, const json& files, const std::vector<Pixels>& pictures) {
    try {
        visualProcessor(files, modelType)->process(pictures);
    } catch (const Error& e) {
        return {e.what(), e.hint(), e.code()};
    }
    return {};
}

}  // namespace

TEST_CASE("settings that make no sense are refused by key, in every family") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (const std::string& type : VisualProcessor::supportedModelTypes()) {
        CAPTURE(type);
        const auto refused = [&](const json& image) { return refusal(type.c_str(), {{"image", image}}); };
        CHECK(refusal(type.c_str(), json::object()).empty());
        CHECK(refused({{"image_mean", {0, 0}}}).find("image_mean") != std::string::npos);
        CHECK(refused({{"image_std", 0}}).find("image_std") != std::string::npos);
        CHECK(refused({{"image_std", {1, nan, 1}}}).find("image_std") != std::string::npos);
        CHECK(refused({{"rescale_factor", -1}}).find("rescale_factor") != std::string::npos);
        CHECK(refused({{"resample", 9}}).find("resample") != std::string::npos);
        CHECK(refused({{"do_resize", 3}}).find("do_resize") != std::string::npos);
        CHECK(refused({{"size", "x"}}).find("size") != std::string::npos);
        CHECK(refused({{"size", {{"height", 0}, {"width", 4}}}}).find("size") != std::string::npos);
        CHECK(refused({{"size", {{"shortest_edge", -4}, {"longest_edge", -5}}}}).find("size") !=
              std::string::npos);
        CHECK(refused({{"image_processor_type", "PixtralImageProcessor"}}).find("Pixtral") !=
              std::string::npos);
        CHECK(refused(json::array()).find("object") != std::string::npos);
    }
    const std::vector<std::tuple<const char*, json, const char*>> bad{
        {"llava_next", {{"image_grid_pinpoints", json::array()}}, "image_grid_pinpoints"},
        {"llava_next", {{"image_grid_pinpoints", {{1, 2, 3}}}}, "image_grid_pinpoints"},
        {"llava_next", {{"image_grid_pinpoints", {{0, 336}}}}, "image_grid_pinpoints"},
        {"llava_next", {{"image_grid_pinpoints", {{1e9, 336}}}}, "image_grid_pinpoints"},
        {"llava_next", {{"size", {{"max_height", 4}, {"max_width", 4}}}}, "size"},
        {"idefics3", {{"max_image_size", 5}}, "max_image_size"},
        {"idefics3", {{"max_image_size", {{"longest_edge", 0}}}}, "max_image_size"},
        {"idefics3", {{"size", {{"longest_edge", 100000}}}}, "size"},
        {"smolvlm", {{"video_sampling", 5}}, "video_sampling"},
        {"qwen2_vl", {{"patch_size", 0}}, "patch_size"},
        {"qwen2_vl", {{"merge_size", 1000}}, "merge_size"},
        {"qwen2_vl", {{"temporal_patch_size", -2}}, "temporal_patch_size"},
        {"qwen2_vl", {{"min_pixels", 0}}, "min_pixels"},
        {"qwen2_vl", {{"max_pixels", 1e30}}, "max_pixels"},
        {"qwen2_vl", {{"max_pixels", 18446744073709551615ULL}}, "max_pixels"},
        {"qwen3_vl", {{"size", {{"shortest_edge", 1}}}}, "size"},
        {"internvl", {{"max_patches", 100000}}, "max_patches"},
        {"internvl", {{"min_patches", 0}}, "min_patches"},
        {"internvl", {{"size", {{"shortest_edge", 30}}}}, "size"},
        {"gemma3", {{"pan_and_scan_max_num_crops", 0}}, "pan_and_scan_max_num_crops"},
        {"gemma3", {{"pan_and_scan_min_crop_size", 0}}, "pan_and_scan_min_crop_size"},
        {"gemma3", {{"pan_and_scan_min_ratio_to_activate", nan}}, "pan_and_scan_min_ratio_to_activate"},
        {"mllama", {{"max_image_tiles", 0}}, "max_image_tiles"},
        {"mllama", {{"max_image_tiles", 1000}}, "max_image_tiles"},
        {"mllama", {{"size", {{"height", 30}, {"width", 31}}}}, "size"},
        {"mllama", {{"do_pad", false}}, "do_pad"},
        {"mllama", {{"do_resize", false}}, "do_resize"},
        {"paligemma", {{"image_seq_length", 0}}, "image_seq_length"}};
    for (const auto& [type, image, key] : bad) {
        const std::string message = refusal(type, {{"image", image}, {"video", image}});
        CAPTURE(type);
        CAPTURE(image.dump());
        CAPTURE(message);
        CHECK(message.find(key) != std::string::npos);
    }
    CHECK(refusal("llava", {{"processor", {{"patch_size", 0}}}}).find("patch_size") != std::string::npos);
    CHECK(
        refusal("llava_onevision", {{"config", {{"vision_aspect_ratio", "square"}}}}).find("anyres_max_N") !=
        std::string::npos);
    CHECK(refusal("bert", json::object()).find("bert") != std::string::npos);
}

TEST_CASE("pictures that cannot be processed are refused with a hint") {
    const json none = json::object();
    for (const std::string& type : VisualProcessor::supportedModelTypes()) {
        CAPTURE(type);
        const char* name = type.c_str();
        CHECK_FALSE(refusedPictures(name, none, {Pixels()}).what.empty());
        CHECK_FALSE(refusedPictures(name, none, {Pixels(0, 7)}).what.empty());
        CHECK(refusedPictures(name, none, {}).code == ErrorCode::Usage);
    }
    const Refusal thin = refusedPictures("qwen2_5_vl", none, {Pixels(2011, 10)});
    CHECK(thin.what.find("aspect ratio of at most 200") != std::string::npos);
    CHECK_FALSE(thin.hint.empty());
    CHECK(thin.code == ErrorCode::Input);
    CHECK(
        refusedPictures("qwen2_vl", {{"image", {{"do_resize", false}}}}, {Pixels(30, 28)}).what.find("28") !=
        std::string::npos);
    // Memory: too many values in all, or one picture too large.
    const json huge{{"image", {{"size", {{"shortest_edge", 1LL << 35}, {"longest_edge", 1LL << 36}}}}}};
    CHECK(refusedPictures("qwen2_vl", huge, {Pixels(10, 10)}).code == ErrorCode::Memory);
    const json wide{{"image", {{"size", {{"height", 8192}, {"width", 8192}}}, {"max_patches", 256}}}};
    CHECK(refusedPictures("internvl", wide, {Pixels(100, 10)}).code == ErrorCode::Memory);
    const json tiles{{"image", {{"size", {{"height", 2048}, {"width", 2048}}}, {"max_image_tiles", 64}}}};
    CHECK(refusedPictures("mllama", tiles, {Pixels(9, 9)}).code == ErrorCode::Memory);
    const json dense{{"image",
                      {{"size", {{"height", 1}, {"width", 1}}},
                       {"crop_size", 1},
                       {"image_grid_pinpoints", {{100, 100}}}}}};
    CHECK(refusedPictures("llava_next", dense, {Pixels(9, 9)}).code == ErrorCode::Memory);
    const json uneven{{"image",
                       {{"do_resize", false},
                        {"do_center_crop", false},
                        {"size", {{"height", 8}, {"width", 8}}},
                        {"crop_size", 8},
                        {"image_grid_pinpoints", {{12, 12}}}}}};
    CHECK(refusedPictures("llava_next", uneven, {Pixels(9, 9)}).what.find("views of 8 x 8") !=
          std::string::npos);
}

TEST_CASE("transparency counts for mllama alone") {
    Pixels picture(40, 30);
    for (std::size_t i = 0; i < picture.rgb.size(); ++i) picture.rgb[i] = static_cast<std::uint8_t>(i * 5);
    Pixels clear = picture;
    clear.alpha.assign(picture.rgb.size() / 3, 100);
    Pixels damaged = clear;
    damaged.alpha.pop_back();
    for (const std::string& type : VisualProcessor::supportedModelTypes()) {
        CAPTURE(type);
        const auto processor = visualProcessor(json::object(), type);
        const auto valuesOf = [&](const Pixels& given) {
            return processor->process(std::span(&given, 1)).tensors.at("pixel_values").floats;
        };
        CHECK((valuesOf(clear) == valuesOf(picture)) == (type != "mllama"));
    }
    CHECK(refusedPictures("mllama", json::object(), {damaged}).code == ErrorCode::Internal);
    CHECK(refusedPictures("mllama", json::object(), {damaged}).what.find("alpha") != std::string::npos);
}

TEST_CASE("mllama cuts as many tiles as its model knows") {
    const auto tower = [](int tiles) { return json{{"vision_config", {{"max_num_tiles", tiles}, {"image_size", 28}}}}; };
    const Pixels picture(100, 30);
    const VisualInput two = visualProcessor({{"config", tower(2)}}, "mllama")->process(std::span(&picture, 1));
    CHECK(two.tensors.at("aspect_ratio_mask").shape == std::vector<std::int64_t>{1, 1, 2});
    CHECK(two.tensors.at("pixel_values").shape == std::vector<std::int64_t>{1, 1, 2, 3, 28, 28});
    CHECK(two.images.front().tiles.size() == 2);
    const std::string message = refusal("mllama", {{"config", tower(2)}, {"image", {{"max_image_tiles", 3}}}});
    CHECK(message.find("max_image_tiles: expected 2") != std::string::npos);
    CHECK(message.find("found 3") != std::string::npos);
    CHECK(message.find("max_num_tiles") != std::string::npos);
    CHECK_FALSE(refusal("mllama", {{"config", tower(6)}, {"image", {{"max_image_tiles", 4}}}}).empty());
    CHECK(refusal("mllama", {{"config", tower(4)}, {"image", {{"max_image_tiles", 4}}}}).empty());
    CHECK_FALSE(refusal("mllama", {{"config", {{"vision_config", {{"image_size", 28}}}}}, {"image", {{"max_image_tiles", 3}}}}).empty());
}

TEST_CASE("numbers of tokens that contradict each other are refused") {
    const auto layoutRefusal = [](const char* type, const json& files) -> std::string {
        const auto processor = visualProcessor(files, type);
        const Pixels picture(50, 40);
        const VisualInput input = processor->process(std::span(&picture, 1));
        try {
            imageLayout(processor->layout(), input.images[0]);
        } catch (const Error& e) {
            return e.what();
        }
        return "";
    };
    const json size{{"size", {{"height", 56}, {"width", 56}}}};
    CHECK(layoutRefusal("internvl", {{"image", size}, {"processor", {{"image_seq_length", 4}}}}).empty());
    CHECK(layoutRefusal("internvl", {{"image", size}, {"processor", {{"image_seq_length", 5}}}})
              .find("image_seq_length") != std::string::npos);
    CHECK(layoutRefusal("internvl", {{"image", size}, {"processor", {{"image_seq_length", 25}}}})
              .find("square") != std::string::npos);
    CHECK(
        layoutRefusal("paligemma", {{"image", size}, {"config", {{"vision_config", {{"patch_size", 100}}}}}})
            .find("patch_size") != std::string::npos);
}

TEST_CASE("a folder's files are found in the reference's order, token names included") {
    const auto folder = std::filesystem::temp_directory_path() / "fovea_visual_test";
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    const auto write = [&](const char* name, const json& contents) {
        std::FILE* file = std::fopen((folder / name).string().c_str(), "wb");
        REQUIRE(file);
        std::fputs(contents.dump().c_str(), file);
        std::fclose(file);
    };
    const json config{{"vision_config", {{"image_size", 56}, {"patch_size", 14}}}};
    const auto pixelsOf = [&](const char* type) {
        const Pixels picture(30, 20);
        return VisualProcessor::fromFolder(folder, type, config)
            ->process(std::span(&picture, 1))
            .tensors["pixel_values"]
            .shape;
    };
    CHECK(pixelsOf("llava") == std::vector<std::int64_t>{1, 3, 56, 56});
    CHECK(pixelsOf("paligemma") == std::vector<std::int64_t>{1, 3, 56, 56});
    CHECK(VisualProcessor::fromFolder(folder, "llava", config)->notices().size() == 1);
    write("preprocessor_config.json", {{"size", {{"height", 28}, {"width", 28}}}, {"crop_size", 28}});
    CHECK(pixelsOf("llava") == std::vector<std::int64_t>{1, 3, 28, 28});
    write("processor_config.json",
          {{"image_processor", {{"size", {{"height", 42}, {"width", 42}}}, {"crop_size", 42}}},
           {"patch_size", 7},
           {"num_additional_image_tokens", 1}});
    CHECK(pixelsOf("llava") == std::vector<std::int64_t>{1, 3, 42, 42});
    write("tokenizer_config.json", {{"extra_special_tokens", {{"image_token", {{"content", "<picture>"}}}}}});
    const auto processor = VisualProcessor::fromFolder(folder, "llava", config);
    CHECK(processor->layout().imageSlot == "<picture>");
    const Pixels picture(30, 20);
    CHECK(imageLayout(processor->layout(), processor->process(std::span(&picture, 1)).images[0]).size() ==
          36);
    CHECK(processor->describe().find("42 x 42") != std::string::npos);
    CHECK(processor->black()[0] == doctest::Approx(-0.48145466 / 0.26862954));
    std::filesystem::remove_all(folder);
}
