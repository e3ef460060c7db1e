#include "nn/generation_config.h"

#include <filesystem>

namespace fovea {
namespace {

constexpr std::size_t kMostEnds = 64;

std::vector<int> endTokens(const ConfigView& config) {
    const auto found = config.json().find("eos_token_id");
    if (found == config.json().end() || found->is_null()) return {};
    const nlohmann::json list = found->is_array() ? *found : nlohmann::json::array({*found});
    if (list.size() > kMostEnds)
        config.fail("eos_token_id", "at most " + std::to_string(kMostEnds) + " ids", std::to_string(list.size()));
    std::vector<int> ids;
    for (const nlohmann::json& id : list) {
        if (!id.is_number_integer() || id.get<std::int64_t>() < -1 || id.get<std::int64_t>() > 1 << 26)
            config.fail("eos_token_id", "token ids", id.dump().substr(0, 60));
        // Some configurations say -1 for none.
        if (id.get<int>() >= 0) ids.push_back(id.get<int>());
    }
    return ids;
}

}  // namespace

std::vector<int> endTokensOf(const ModelSource& source) {
    const std::filesystem::path file = source.files().folder / "generation_config.json";
    std::error_code error;
    if (!source.files().folder.empty() && std::filesystem::is_regular_file(file, error)) {
        const std::vector<int> ids = endTokens(ConfigView::read(file));
        if (!ids.empty()) return ids;
    }
    const std::vector<int> ids = endTokens(source.config());
    return ids.empty() && source.config().has("text_config") ? endTokens(source.config().section("text_config")) : ids;
}

}  // namespace fovea
