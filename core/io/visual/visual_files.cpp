#include "io/visual/visual_files.h"

#include <fmt/format.h>

#include "fovea/error.h"
#include "io/json_file.h"
#include "io/visual/visual_settings.h"

namespace fovea {
namespace {

using Json = nlohmann::json;

int wholeNumber(const Json& object, const std::string& file, const char* key, int fallback, int most,
                int least = 1) {
    const ProcessorKeys keys(object, file);
    const Json* value = keys.find(key);
    if (!value) return fallback;
    if (least == 0 && value->is_number_integer() && *value == 0) return 0;
    return keys.side(key, *value, most);
}

}  // namespace

int processorNumber(const VisualFiles& files, const char* key, int fallback, int most, int least) {
    return wholeNumber(objectOf(files.processor, files.processorFile), files.processorFile, key, fallback,
                       most, least);
}

int configNumber(const VisualFiles& files, const char* section, const char* key, int fallback, int most) {
    const Json& root = objectOf(files.config, files.configFile);
    if (*section == '\0') return wholeNumber(root, files.configFile, key, fallback, most);
    const auto it = root.find(section);
    if (it == root.end() || !it->is_object()) return fallback;
    return wholeNumber(*it, files.configFile, key, fallback, most);
}

int towerPatchSize(const VisualFiles& files, int fallback) {
    // InternVL's configurations give height and width.
    const Json& root = objectOf(files.config, files.configFile);
    const auto vision = root.find("vision_config");
    const bool has = vision != root.end() && vision->is_object() && vision->contains("patch_size");
    if (has && vision->at("patch_size").is_array() && !vision->at("patch_size").empty())
        return ProcessorKeys(*vision, files.configFile).side("patch_size", vision->at("patch_size").front(), 1024);
    return configNumber(files, "vision_config", "patch_size", fallback, 1024);
}

std::string settingText(const VisualFiles& files, const char* key, std::string fallback) {
    const Json& config = objectOf(files.config, files.configFile);
    std::string text = ProcessorKeys(config, files.configFile).text(key).value_or(std::move(fallback));
    const Json& processor = objectOf(files.processor, files.processorFile);
    return ProcessorKeys(processor, files.processorFile).text(key).value_or(std::move(text));
}

std::string tokenNamed(const VisualFiles& files, const char* key, std::string fallback) {
    const Json* object = files.tokenizer.is_object() ? &files.tokenizer : nullptr;
    const auto named = [key](const Json& where) -> const Json* {
        const auto it = where.find(key);
        if (it == where.end()) return nullptr;
        if (it->is_string()) return &*it;
        const auto content = it->is_object() ? it->find("content") : it->end();
        return it->is_object() && content != it->end() && content->is_string() ? &*content : nullptr;
    };
    if (object) {
        const Json* found = named(*object);
        for (const char* list : {"extra_special_tokens", "model_specific_special_tokens"}) {
            const auto extra = object->find(list);
            if (!found && extra != object->end() && extra->is_object()) found = named(*extra);
        }
        if (found) return found->get<std::string>();
    }
    return fallback;
}

}  // namespace fovea
