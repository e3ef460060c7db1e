#include "io/adapter_targets.h"

#include <fmt/format.h>
#include <oniguruma.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <string_view>

#include "fovea/error.h"
#include "io/json_file.h"

namespace fovea {
namespace {

constexpr std::size_t kMostTargets = 100'000, kLongestTarget = 65'536;
constexpr const char* kAllLinear = "all-linear";

struct FreedRegex {
    void operator()(regex_t* regex) const { onig_free(regex); }
};

bool matchesRegex(std::string pattern, const std::string& shown, const std::string& module, const std::string& source) {
    // Python's spelling of a named group.
    for (std::size_t at = 0; (at = pattern.find("(?P<", at)) != std::string::npos;) pattern.erase(at + 2, 1);
    const auto* begin = reinterpret_cast<const OnigUChar*>(pattern.data());
    regex_t* made = nullptr;
    OnigErrorInfo info{};
    const int failed = onig_new(&made, begin, begin + pattern.size(), ONIG_OPTION_NONE, ONIG_ENCODING_UTF8,
                                ONIG_SYNTAX_PERL_NG, &info);
    if (failed != ONIG_NORMAL)
        throw Error(fmt::format("{}: expected a regular expression, found \"{:.80}\"", source, shown),
                    "Correct the pattern in the adapter's configuration.");
    const std::unique_ptr<regex_t, FreedRegex> regex(made);
    const std::unique_ptr<OnigMatchParam, void (*)(OnigMatchParam*)> bounds(onig_new_match_param(),
                                                                            onig_free_match_param);
    onig_initialize_match_param(bounds.get());
    onig_set_retry_limit_in_match_of_match_param(bounds.get(), 100'000);
    onig_set_match_stack_limit_size_of_match_param(bounds.get(), 100'000);
    const auto* text = reinterpret_cast<const OnigUChar*>(module.data());
    const auto* end = text + module.size();
    const auto result =
        onig_match_with_param(regex.get(), text, end, text, nullptr, ONIG_OPTION_NONE, bounds.get());
    if (result < ONIG_MISMATCH)
        throw Error(fmt::format("{}: the pattern \"{:.80}\" takes too long to match", source, shown),
                    "Write the pattern without nested repetition.");
    return result >= 0;
}

bool endsWithPart(const std::string& module, const std::string& end) {
    if (!module.ends_with(end)) return false;
    return module.size() == end.size() || module[module.size() - end.size() - 1] == '.';
}

std::vector<std::string_view> pathParts(std::string_view path) {
    std::vector<std::string_view> parts;
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t dot = std::min(path.find('.', begin), path.size());
        parts.push_back(path.substr(begin, dot - begin));
        begin = dot + 1;
    }
    return parts;
}

bool isLayerNumber(std::string_view text) {
    return !text.empty() && text.size() < 10 &&
           std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); });
}

}  // namespace

bool matchesModule(const std::string& pattern, const std::string& module, const std::string& source) {
    return matchesRegex("(?:.*\\.)?(?:" + pattern + ")$", pattern, module, source);
}

bool matchesWhole(const std::string& pattern, const std::string& module, const std::string& source) {
    return matchesRegex("(?:" + pattern + ")\\z", pattern, module, source);
}

bool AdapterTargets::Names::match(const std::string& module, const std::string& source) const {
    if (!pattern.empty()) return pattern == kAllLinear || matchesWhole(pattern, module, source);
    return std::any_of(ends.begin(), ends.end(), [&](const auto& end) { return endsWithPart(module, end); });
}

AdapterTargets::Names AdapterTargets::read(const ConfigView& config, const char* key) {
    Names names;
    if (!config.has(key)) return names;
    const auto& value = config.json().at(key);
    if (value.is_string()) {
        names.pattern = value.get<std::string>();
        if (names.pattern.size() > kLongestTarget)
            config.fail(key, fmt::format("at most {} bytes", kLongestTarget),
                        fmt::format("{}", names.pattern.size()));
        return names;
    }
    if (!value.is_array() || value.size() > kMostTargets)
        config.fail(key, "names of modules or a regular expression", describeJson(value));
    for (const auto& one : value) {
        if (!one.is_string()) config.fail(key, "names of modules", describeJson(one));
        names.ends.push_back(one.get<std::string>());
    }
    return names;
}

AdapterTargets::AdapterTargets(const ConfigView& config)
    : m_source(config.source()),
      m_targets(read(config, "target_modules")),
      m_parameters(read(config, "target_parameters")),
      m_excluded(read(config, "exclude_modules")) {
    if (!config.has("layers_to_transform")) return;
    constexpr IntegerRange range{0, 1'000'000};
    if (config.json().at("layers_to_transform").is_array())
        m_layers = config.integers("layers_to_transform", {}, range);
    else
        m_layers = {config.integer("layers_to_transform", 0, range)};
    m_layerNames = read(config, "layers_pattern").ends;
    if (const std::string one = read(config, "layers_pattern").pattern; !one.empty()) m_layerNames = {one};
}

bool AdapterTargets::hasLayer(const std::string& module) const {
    const auto parts = pathParts(module);
    const auto follows = [&](std::size_t number) {
        if (m_layerNames.empty()) return number >= 2;
        return std::any_of(m_layerNames.begin(), m_layerNames.end(), [&](const std::string& name) {
            const auto wanted = pathParts(name);
            return number >= wanted.size() &&
                   std::equal(wanted.begin(), wanted.end(),
                              parts.begin() + static_cast<std::ptrdiff_t>(number - wanted.size()));
        });
    };
    // The first number counts: experts of a layer have numbers as well.
    for (std::size_t i = 1; i + 1 < parts.size(); ++i)
        if (isLayerNumber(parts[i]) && follows(i))
            return std::find(m_layers.begin(), m_layers.end(), std::stoll(std::string(parts[i]))) != m_layers.end();
    return false;
}

std::string AdapterTargets::leftOutBy(const std::string& module) const {
    if (!m_excluded.empty() && m_excluded.match(module, m_source)) return "exclude_modules";
    for (const std::string& parameter : m_parameters.ends)
        if (endsWithPart(module + ".weight", parameter)) return {};
    // Without a list PEFT has one of its own for each type of model.
    if (m_targets.empty()) return {};
    if (!m_targets.match(module, m_source)) return "target_modules";
    const auto& ends = m_targets.ends;
    const bool byLayer = !m_layers.empty() && std::find(ends.begin(), ends.end(), module) == ends.end();
    return byLayer && m_targets.pattern.empty() && !hasLayer(module) ? "layers_to_transform" : "";
}

}  // namespace fovea
