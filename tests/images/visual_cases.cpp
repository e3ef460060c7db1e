#include "images/visual_cases.h"

#include <cstring>

#include "io/visual/visual_files.h"

namespace fovea::test {

using nlohmann::json;

VisualCases::VisualCases(const std::string& script)
    : folder(fixtureFolder(script)),
      index(readJson(folder / "index.json")),
      data(readBytes(folder / "data.bin")) {}

const std::uint8_t* VisualCases::at(const json& range) const {
    return data.data() + range[0].get<std::size_t>();
}

std::vector<Pixels> VisualCases::pictures(const json& entry) const {
    std::vector<Pixels> result;
    for (const json& image : entry["images"]) {
        Pixels p(image["size"][0], image["size"][1]);
        REQUIRE(p.rgb.size() == image["data"][1].get<std::size_t>());
        std::memcpy(p.rgb.data(), at(image["data"]), p.rgb.size());
        if (image.contains("alpha")) p.alpha.assign(at(image["alpha"]), at(image["alpha"]) + p.rgb.size() / 3);
        result.push_back(std::move(p));
    }
    return result;
}

HostTensor VisualCases::tensor(const json& stored) const {
    HostTensor t;
    t.shape = stored["shape"].get<std::vector<std::int64_t>>();
    const std::size_t bytes = stored["data"][1];
    if (stored["integers"].get<bool>()) {
        t.integers.resize(bytes / sizeof(std::int64_t));
        std::memcpy(t.integers.data(), at(stored["data"]), bytes);
    } else {
        t.floats.resize(bytes / sizeof(float));
        std::memcpy(t.floats.data(), at(stored["data"]), bytes);
    }
    return t;
}

std::unique_ptr<VisualProcessor> visualProcessor(const json& files, const std::string& modelType) {
    VisualFiles parsed;
    const auto take = [&files](const char* key, json& target) {
        if (files.contains(key)) target = files[key];
    };
    take("image", parsed.image);
    take("video", parsed.video);
    take("processor", parsed.processor);
    take("tokenizer", parsed.tokenizer);
    take("config", parsed.config);
    return VisualProcessor::fromFiles(parsed, modelType);
}

void checkTensors(const VisualCases& cases, const json& entry, const VisualInput& input) {
    for (const auto& [name, stored] : entry["tensors"].items()) {
        CAPTURE(name);
        const auto found = input.tensors.find(name);
        REQUIRE(found != input.tensors.end());
        const HostTensor expected = cases.tensor(stored);
        CHECK(json(found->second.shape) == json(expected.shape));
        CHECK(found->second.integers == expected.integers);
        REQUIRE(found->second.floats.size() == expected.floats.size());
        CHECK(std::memcmp(found->second.floats.data(), expected.floats.data(),
                          expected.floats.size() * sizeof(float)) == 0);
    }
    CHECK(input.tensors.size() == entry["tensors"].size());
}

void checkGeometry(const VisualProcessor& processor, const std::vector<VisionImage>& images,
                   const std::vector<Pixels>& pictures) {
    REQUIRE(images.size() == pictures.size());
    for (std::size_t i = 0; i < images.size(); ++i) {
        CHECK(images[i].width == pictures[i].width);
        CHECK(images[i].height == pictures[i].height);
        for (const VisionTile& tile : images[i].tiles) {
            CHECK(tile.seen.width == tile.transform.inputWidth);
            CHECK(tile.seen.height == tile.transform.inputHeight);
            CHECK(tile.transform.originalWidth == images[i].width);
            CHECK(tile.transform.originalHeight == images[i].height);
        }
        for (const LayoutItem& item : imageLayout(processor.layout(), images[i])) {
            const Rect& r = item.rect;
            CHECK(r.x >= 0);
            CHECK(r.y >= 0);
            CHECK(r.x + r.width <= images[i].width + 1e-9);
            CHECK(r.y + r.height <= images[i].height + 1e-9);
        }
    }
}

}  // namespace fovea::test
