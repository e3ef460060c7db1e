// The fuzz targets on a few thousand deterministic mutations of valid inputs, so that every build exercises
// them.
#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "fovea/chat_template.h"
#include "fovea/image_processor.h"
#include "fovea/tokenizer.h"
#include "io/json_file.h"
#include "io/pickle.h"
#include "io/safetensors.h"
#include "seeds.h"
#include "text/sentencepiece_file.h"

extern "C" int fuzzSafetensors(const std::uint8_t* data, std::size_t size);
extern "C" int fuzzUnpickler(const std::uint8_t* data, std::size_t size);
extern "C" int fuzzConfig(const std::uint8_t* data, std::size_t size);
extern "C" int fuzzImageProcessor(const std::uint8_t* data, std::size_t size);
extern "C" int fuzzChatTemplate(const std::uint8_t* data, std::size_t size);
extern "C" int fuzzVisual(const std::uint8_t* data, std::size_t size);
extern "C" int fuzzTokenizer(const std::uint8_t* data, std::size_t size);

namespace fovea::test {
namespace {

using Target = int (*)(const std::uint8_t*, std::size_t);

std::string mutated(std::string input, std::mt19937& random) {
    const auto below = [&](std::size_t n) { return n == 0 ? 0 : static_cast<std::size_t>(random()) % n; };
    const std::size_t changes = 1 + below(4);
    for (std::size_t i = 0; i < changes && !input.empty(); ++i) {
        const std::size_t at = below(input.size());
        switch (below(8)) {
            case 0:
                input[at] = static_cast<char>(input[at] ^ (1 << below(8)));
                break;
            case 1:
                input[at] = static_cast<char>(below(256));
                break;
            case 2:
                input.erase(at, 1 + below(8));
                break;
            case 3:
                input.insert(at, 1 + below(4), static_cast<char>(below(256)));
                break;
            case 4:
                input.insert(at, input.substr(below(input.size()), 1 + below(40)));
                break;
            case 5:
                input.resize(at);
                break;
            case 6: {
                const std::string number = little(std::uint64_t{1} << below(64), 8).substr(0, 1 + below(8));
                input.replace(at, number.size(), number);
                break;
            }
            default: {
                const char* texts[] = {"-1",
                                       "9223372036854775807",
                                       "18446744073709551616",
                                       "1e308",
                                       "null",
                                       "[]",
                                       "{}",
                                       "\"\"",
                                       "0",
                                       "NaN"};
                const auto digit = input.find_first_of("0123456789", at);
                if (digit != std::string::npos) input.replace(digit, 1, texts[below(10)]);
            }
        }
    }
    return input;
}

void run(const char* name, Target target, const std::vector<std::string>& seeds) {
    // For libFuzzer: FOVEA_FUZZ_SEEDS=DIR writes the valid inputs to DIR/NAME/.
    if (const char* folder = std::getenv("FOVEA_FUZZ_SEEDS")) {
        std::filesystem::create_directories(std::filesystem::path(folder) / name);
        for (std::size_t i = 0; i < seeds.size(); ++i)
            std::ofstream(std::filesystem::path(folder) / name / std::to_string(i), std::ios::binary)
                << seeds[i];
    }
    std::mt19937 random(1);
    int runs = 0;
    const auto feed = [&](const std::string& input) {
        // A copy of its own on the heap, so that reading past the end is seen by the address sanitizer.
        const std::vector<std::uint8_t> bytes(input.begin(), input.end());
        CHECK(target(bytes.data(), bytes.size()) == 0);
        ++runs;
    };
    for (const std::string& seed : seeds) {
        feed(seed);
        for (std::size_t length = 0; length < std::min<std::size_t>(seed.size(), 200); ++length)
            feed(seed.substr(0, length));
    }
    while (runs < 6000) feed(mutated(seeds[random() % seeds.size()], random));
}

}  // namespace

TEST_CASE("the seeds are valid, so that mutations reach beyond the first check") {
    const auto bytes = [](const std::string& seed) {
        return std::as_bytes(std::span(seed.data(), seed.size()));
    };
    for (const std::string& seed : safetensorsSeeds()) CHECK_NOTHROW(parseSafetensors(bytes(seed), "seed"));
    for (std::string seed : picklerSeeds()) {
        if (seed.starts_with("\x80\x02}")) seed = torchZip(seed, {{"0", std::string(24, '\3')}});
        if (!seed.starts_with("\x80\x04")) CHECK(readPickledTensors(bytes(seed), "seed").size() >= 1);
    }
    for (const std::string& seed : configSeeds()) CHECK(parseJson(seed, "seed").is_object());
    for (const std::string& seed : imageProcessorSeeds())
        CHECK_NOTHROW(ImageProcessor::fromText(std::string_view(seed).substr(1), "vit"));
    for (const std::string& seed : chatTemplateSeeds()) {
        const std::string text = ChatTemplate(seed, "seed").render(nlohmann::json::array({userMessage(1, "hi")}));
        CHECK_MESSAGE(text.find("hi") != std::string::npos, seed);
    }
    for (const std::string& seed : visualSeeds()) CHECK(parseJson(seed.substr(1), "seed").contains("image"));
    for (const std::string& seed : tokenizerSeeds()) {
        const std::string file = seed.substr(seed.find('\n') + 1);
        if (file.starts_with('{'))
            CHECK_NOTHROW(Tokenizer::fromJson(parseJson(file, "seed"), "seed"));
        else
            CHECK(text::parseSentencePiece(file, "seed").pieces.size() == 4);
    }
}

TEST_CASE("safetensors files under mutation") {
    run("safetensors", fuzzSafetensors, safetensorsSeeds());
}
TEST_CASE("pickled files under mutation") {
    run("unpickler", fuzzUnpickler, picklerSeeds());
}
TEST_CASE("configurations under mutation") {
    run("config", fuzzConfig, configSeeds());
}
TEST_CASE("preprocessor configurations under mutation") {
    run("image_processor", fuzzImageProcessor, imageProcessorSeeds());
}
TEST_CASE("chat templates under mutation") {
    run("chat_template", fuzzChatTemplate, chatTemplateSeeds());
}

TEST_CASE("configurations of vision-language processors under mutation") {
    run("visual", fuzzVisual, visualSeeds());
}

TEST_CASE("tokenizers under mutation") {
    run("tokenizer", fuzzTokenizer, tokenizerSeeds());
}

}  // namespace fovea::test
