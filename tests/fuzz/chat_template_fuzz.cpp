#include <cstdint>
#include <string_view>

#include "text/chat_template/program.h"

/// Any text as a chat template, parsed and run on one message under limits that keep each run short.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using nlohmann::ordered_json;
    fovea::jinja::Limits limits;
    limits.steps = 20'000;
    limits.memoryBytes = std::uint64_t{1} << 22;
    limits.outputBytes = std::size_t{1} << 16;
    ordered_json parts = ordered_json::array({{{"type", "image"}}, {{"type", "text"}, {"text", "hi"}}});
    ordered_json message = {{"role", "user"}, {"content", std::move(parts)}};
    const ordered_json variables = {{"messages", ordered_json::array({std::move(message)})},
                                    {"tools", nullptr},
                                    {"bos_token", "<s>"},
                                    {"add_generation_prompt", true}};
    try {
        const std::string_view text(reinterpret_cast<const char*>(data), size);
        fovea::jinja::Program(text, limits).run(variables);
    } catch (const fovea::jinja::Fault&) {
    }
    return 0;
}
