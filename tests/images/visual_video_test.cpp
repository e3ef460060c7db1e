// Videos of vision-language families against transformers' video processors, bit for bit.
#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "fovea/error.h"
#include "fovea/visual_processor.h"
#include "images/visual_cases.h"
#include "io/pil_resize.h"

using namespace fovea;
using namespace fovea::test;
using nlohmann::json;

namespace {

const VisualCases& videos() {
    static const VisualCases cases("make_video_fixtures.py");
    return cases;
}

VideoTiming timingOf(const json& metadata) {
    VideoTiming timing;
    if (metadata.empty()) return timing;
    timing.fps = metadata["fps"];
    timing.duration = metadata["duration"];
    timing.totalFrames = metadata["total_num_frames"];
    timing.indices = metadata["frames_indices"].get<std::vector<std::int64_t>>();
    return timing;
}

}  // namespace

TEST_CASE("resizing on bytes equals torch's uint8 interpolation bit for bit") {
    std::size_t compared = 0;
    for (const json& entry : videos().index) {
        if (entry["model_type"] != "resize") continue;
        CAPTURE(entry["name"].dump());
        const HostTensor expected = videos().tensor(entry["tensors"]["result"]);
        const Pixels source = videos().pictures(entry)[0];
        const int height = static_cast<int>(expected.shape[0]);
        const int width = static_cast<int>(expected.shape[1]);
        const ResizeRequest request{width, height, static_cast<Resample>(entry["filter"].get<int>()), {}};
        const Pixels result = resizeTorchvision(source, request);
        std::size_t different = 0;
        for (std::size_t i = 0; i < result.rgb.size(); ++i)
            different += static_cast<float>(result.rgb[i]) != expected.floats[i];
        CHECK(different == 0);
        ++compared;
    }
    CHECK(compared == 450);
}

TEST_CASE("videos and their prompts equal transformers") {
    std::size_t compared = 0;
    for (const json& entry : videos().index) {
        if (entry["model_type"] == "resize" || entry["model_type"] == "sampling") continue;
        CAPTURE(entry["name"].dump());
        CAPTURE(entry["files"].dump());
        const auto processor = visualProcessor(entry["files"], entry["model_type"]);
        const std::vector<Pixels> frames = videos().pictures(entry);
        const VisualInput input = processor->processVideo(frames, timingOf(entry["metadata"]));
        checkTensors(videos(), entry, input);
        REQUIRE(input.videos.size() == 1);
        const VisionImage& video = input.videos[0];
        CHECK(video.frames == static_cast<int>(frames.size()));
        CHECK(video.tiles.size() == frames.size());
        const auto items = videoLayout(processor->layout(), video);
        CHECK(layoutText(items) == entry["texts"][0].get<std::string>());
        for (const LayoutItem& item : items) {
            if (item.kind == LayoutItem::Kind::Patch) CHECK(item.rect.width * item.rect.height > 0);
        }
        ++compared;
    }
    CHECK(compared >= 90);
}

TEST_CASE("videos that cannot be processed are refused") {
    const auto qwen = visualProcessor(json::object(), "qwen3_vl");
    const std::vector<Pixels> one(1, Pixels(40, 30));
    CHECK_THROWS_AS(qwen->processVideo(one), Error);  // fewer than the two frames of a token
    CHECK_THROWS_AS(qwen->processVideo({}), Error);
    const std::vector<Pixels> uneven{Pixels(40, 30), Pixels(40, 31)};
    CHECK_THROWS_AS(qwen->processVideo(uneven), Error);
    const std::vector<Pixels> line(2, Pixels(4000, 1));
    CHECK_THROWS_AS(visualProcessor(json::object(), "qwen2_vl")->processVideo(line), Error);
    for (const char* still : {"llava", "paligemma", "blip", "gemma3", "mllama", "idefics3", "llava_next"}) {
        try {
            visualProcessor(json::object(), still)->processVideo(one);
            FAIL("a video was taken by " << still);
        } catch (const Error& e) {
            CHECK(e.code() == ErrorCode::Usage);
        }
    }
}

TEST_CASE("the frames that are taken of a file are the reference's") {
    std::size_t some = 0;
    std::size_t asked = 0;
    std::size_t refused = 0;
    for (const json& entry : videos().index) {
        if (entry["model_type"] != "sampling") continue;
        CAPTURE(entry["name"].dump());
        CAPTURE(entry["files"].dump());
        CAPTURE(entry["metadata"].dump());
        const auto processor = visualProcessor(entry["files"], entry["family"]);
        const VideoTiming file = timingOf(entry["metadata"]);
        const auto expected = entry["taken"].get<std::vector<std::int64_t>>();
        if (expected.empty()) {
            CHECK_THROWS_AS(processor->sampleFrames(file), Error);
            ++refused;
        } else {
            // torch.arange in single precision rounds by the vector lanes of the CPU: where a step ends on a
            // whole number, its frame may be the one before.
            const std::vector<std::int64_t> taken = processor->sampleFrames(file);
            REQUIRE(taken.size() == expected.size());
            for (std::size_t i = 0; i < taken.size(); ++i) CHECK(std::abs(taken[i] - expected[i]) <= 1);
            some += taken == expected;
            ++asked;
        }
    }
    CHECK(asked > 250);
    CHECK(some >= asked - 5);
    CHECK(refused > 5);
    VideoTiming file;
    file.totalFrames = 5;
    const auto plain = visualProcessor(json::object(), "llava_onevision");
    CHECK(plain->sampleFrames(file) == std::vector<std::int64_t>{0, 1, 2, 3, 4});
    file.totalFrames = 100000;
    CHECK_THROWS_AS(plain->sampleFrames(file), Error);
    file.totalFrames = 0;
    CHECK_THROWS_AS(plain->sampleFrames(file), Error);
}
