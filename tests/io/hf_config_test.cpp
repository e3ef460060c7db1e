#include <doctest/doctest.h>

#include "fovea/error.h"
#include "io/hf_config.h"
#include "io/json_file.h"

namespace fovea::test {
namespace {

ConfigView view(const char* text) {
    return {parseJson(text, "config.json"), "config.json"};
}

std::string messageOf(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::Input);
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("absent keys and null take the reference class's default; spellings are tried in order") {
    const ConfigView config =
        view(R"({"hidden_size":12,"eps":1e-6,"act":"gelu","bias":false,"dtype":"float16","pad":null,
        "sizes":[1,2],"means":[0.5,1],"vision_config":{"model_type":"clip_vision_model","hidden_size":7}})");
    CHECK(config.integer("hidden_size", 768) == 12);
    CHECK(config.integer("num_layers", 12) == 12);
    CHECK(config.integer("pad", 3) == 3);
    CHECK_FALSE(config.has("pad"));
    CHECK(config.number("eps", 1) == 1e-6);
    CHECK(config.number("hidden_size", 1) == 12.0);
    CHECK(config.text("torch_dtype|dtype", "float32") == "float16");
    CHECK_FALSE(config.boolean("bias", true));
    CHECK(config.integers("sizes", {}) == std::vector<std::int64_t>{1, 2});
    CHECK(config.numbers("means", {}) == std::vector<double>{0.5, 1.0});
    const ConfigView vision = config.section("vision_config");
    CHECK(vision.modelType() == "clip_vision_model");
    CHECK(vision.integer("hidden_size", 768) == 7);
    CHECK(config.section("text_config").integer("hidden_size", 512) == 512);
    CHECK(messageOf([&] { vision.integer("hidden_size", 1, {8, 9}); }) ==
          "config.json: vision_config: hidden_size: expected an integer from 8 to 9, found 7");
}

TEST_CASE("values of the wrong type or out of range are named with what was expected and found") {
    const char* bad[] = {R"({"n":-1})",
                         R"({"n":1.5})",
                         R"({"n":"12"})",
                         R"({"n":true})",
                         R"({"n":[12]})",
                         R"({"n":{}})",
                         R"({"n":18446744073709551615})",
                         R"({"n":1000001})",
                         R"({"n":1e300})"};
    for (const char* text : bad) {
        CAPTURE(std::string(text));
        const std::string message = messageOf([&] { view(text).integer("n", 1); });
        CHECK(message.find("config.json: n: expected an integer from 0 to 1000000, found ") == 0);
    }
    CHECK(messageOf([] { view(R"({"eps":1e300})").number("eps", 1); }).find("eps: expected a number") !=
          std::string::npos);
    CHECK(messageOf([] { view(R"({"eps":"1"})").number("eps", 1); }).find("found \"1\"") !=
          std::string::npos);
    CHECK(messageOf([] { view(R"({"b":1})").boolean("b", true); }).find("true or false") !=
          std::string::npos);
    CHECK(messageOf([] { view(R"({"t":1})").text("t", ""); }).find("a text") != std::string::npos);
    CHECK(messageOf([] { view(R"({"l":[1,"2"]})").integers("l", {}); }).find("found \"2\"") !=
          std::string::npos);
    CHECK(messageOf([] { view(R"({"s":[]})").section("s"); }).find("an object") != std::string::npos);
}

TEST_CASE("sizes may be square, a pair or height and width") {
    using Pair = std::pair<std::int64_t, std::int64_t>;
    const auto size = [](const char* text) { return view(text).size("image_size", 224, {1, 4096}); };
    CHECK(size("{}") == Pair{224, 224});
    CHECK(size(R"({"image_size":384})") == Pair{384, 384});
    CHECK(size(R"({"image_size":[10,20]})") == Pair{10, 20});
    CHECK(size(R"({"image_size":{"height":5,"width":6}})") == Pair{5, 6});
    for (const char* text : {R"({"image_size":0})", R"({"image_size":[1]})", R"({"image_size":[1,5000]})",
                             R"({"image_size":"224"})"})
        CHECK(messageOf([&] { size(text); }).find("image_size: expected") != std::string::npos);
}

TEST_CASE("labels are in order of their index, however they are listed") {
    const ConfigView config = view(R"({"id2label":{"10":"k","0":"a","2":"c"},"num_labels":7})");
    const auto labels = config.labels();
    REQUIRE(labels.size() == 11);
    CHECK(labels[0] == "a");
    CHECK(labels[1] == "LABEL_1");
    CHECK(labels[10] == "k");
    CHECK(config.labelCount(2) == 3);
    CHECK(view(R"({"num_labels":7})").labelCount(2) == 7);
    CHECK(view("{}").labelCount(2) == 2);
    for (const char* text :
         {R"({"id2label":{"-1":"a"}})", R"({"id2label":{"x":"a"}})", R"({"id2label":{"9999999":"a"}})",
          R"({"id2label":{"0":[]}})", R"({"id2label":[]})", R"({"id2label":{"":"a"}})"})
        CHECK(messageOf([&] { view(text).labels(); }).find("id2label") != std::string::npos);
}

TEST_CASE("what a model is: transformers, timm, diffusers; remote code and quantised weights are refused") {
    CHECK(identifyConfig(view(R"({"model_type":"vit","architectures":["ViTModel"]})"),
                         ModelFormat::Transformers)
              .architecture == "ViTModel");
    CHECK(
        identifyConfig(view(R"({"architecture":"vit_tiny_patch16_224"})"), ModelFormat::Timm).architecture ==
        "vit_tiny_patch16_224");
    CHECK(identifyConfig(view(R"({"_class_name":"UNet2DConditionModel"})"), ModelFormat::DiffusersComponent)
              .architecture == "UNet2DConditionModel");
    CHECK(messageOf([] {
              identifyConfig(view(R"({"auto_map":{}})"), ModelFormat::Transformers);
          }).find("auto_map") != std::string::npos);
    CHECK(messageOf([] {
              identifyConfig(view(R"({"quantization_config":{"quant_method":"awq"}})"),
                             ModelFormat::Transformers);
          }).find("awq") != std::string::npos);
    CHECK_NOTHROW(identifyConfig(view(R"({"quantization_config":null})"), ModelFormat::Transformers));
}

TEST_CASE("lone files: what names and shapes of a vision transformer tell") {
    std::map<std::string, std::vector<std::int64_t>> shapes{
        {"backbone.cls_token", {1, 1, 384}},
        {"backbone.pos_embed", {1, 197, 384}},
        {"backbone.patch_embed.proj.weight", {384, 3, 16, 16}},
        {"backbone.blocks.0.attn.qkv.weight", {1152, 384}},
        {"backbone.blocks.0.attn.qkv.bias", {1152}},
        {"backbone.blocks.0.mlp.fc1.weight", {1536, 384}}};
    ConfigView config = configFromTensors(shapes, "w.pth");
    CHECK(config.modelType() == "vit");
    CHECK(config.integer("num_attention_heads", 0) == 6);
    CHECK(config.integer("image_size", 0) == 224);
    CHECK(config.text("key_prefix", "") == "backbone.");
    CHECK(config.number("mlp_ratio", 0) == 4.0);
    CHECK(config.boolean("qkv_bias", false));

    shapes["backbone.blocks.0.ls1.gamma"] = {384};
    CHECK(configFromTensors(shapes, "w.pth").modelType() == "dinov2");
    shapes["backbone.register_tokens"] = {1, 4, 384};
    config = configFromTensors(shapes, "w.pth");
    CHECK(config.modelType() == "dinov2_with_registers");
    CHECK(config.integer("num_register_tokens", 0) == 4);
    CHECK(config.integer("pos_embed_prefix_tokens", 9) == 1);

    const ConfigView timm = view(
        R"({"architecture":"vit_huge_patch14","num_classes":2,"label_names":["no","yes"],"pretrained_cfg":{"mean":[0,0,0]}})");
    config = configFromTimm(timm, shapes);
    CHECK(config.labels() == std::vector<std::string>{"no", "yes"});

    const auto widened = [](std::int64_t width, std::int64_t inner, std::int64_t back) {
        return std::map<std::string, std::vector<std::int64_t>>{
            {"cls_token", {1, 1, width}},
            {"pos_embed", {1, 257, width}},
            {"patch_embed.proj.weight", {width, 3, 14, 14}},
            {"blocks.0.attn.qkv.weight", {3 * width, width}},
            {"blocks.0.mlp.fc1.weight", {inner, width}},
            {"blocks.0.mlp.fc2.weight", {width, back}}};
    };
    struct Published {
        const char* architecture;
        std::int64_t width, heads;
    };
    for (const Published& model :
         {Published{"vit_huge_patch14_224", 1280, 16}, {"vit_giant_patch14_224", 1408, 16},
          {"vit_gigantic_patch14_224", 1664, 16}, {"vit_so400m_patch14_siglip_224", 1152, 16},
          {"vit_so150m_patch16_reg4_gap_256", 896, 14}, {"vit_giant_patch14_dinov2", 1536, 24},
          {"vit_large_patch14_clip_224", 1024, 16}, {"test_vit", 64, 2}}) {
        const ConfigView named({{"pretrained_cfg", nlohmann::json::object()}, {"architecture", model.architecture}},
                               "config.json");
        config = configFromTimm(named, widened(model.width, 4 * model.width, 4 * model.width));
        CHECK_MESSAGE(config.integer("num_attention_heads", 0) == model.heads, model.architecture);
        CHECK_FALSE(config.boolean("use_swiglu_ffn", false));
    }
    // Both halves of DINOv2 giant's feed-forward part lie in fc1.
    config = configFromTimm(view(R"({"pretrained_cfg":{},"architecture":"vit_giant_patch14_dinov2"})"),
                            widened(1536, 8192, 4096));
    CHECK(config.boolean("use_swiglu_ffn", false));
    CHECK(config.integer("intermediate_size", 0) == 4096);

    shapes["backbone.pos_embed"] = {1, 200, 384};
    CHECK(messageOf([&] { configFromTensors(shapes, "w.pth"); }).find("square grid") != std::string::npos);
    CHECK(messageOf([&] { configFromTensors({{"a", {1}}}, "w.pth"); }).find("recognises") !=
          std::string::npos);
}

}  // namespace fovea::test
