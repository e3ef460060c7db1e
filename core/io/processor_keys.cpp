#include "io/processor_keys.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <fmt/format.h>
#include <iterator>
#include <utility>

#include "fovea/error.h"
#include "io/json_file.h"

namespace fovea {

using Json = nlohmann::json;
using Settings = ImageProcessor::Settings;
using SizeRule = Settings::SizeRule;

void ProcessorKeys::fail(std::string_view key, std::string_view expected, const Json& found) const {
    throw Error(fmt::format("{}: {}: expected {}, found {}", m_file, key, expected, describeJson(found)),
                "compare the file with the one of the published checkpoint");
}

const Json* ProcessorKeys::find(const char* key) const {
    const auto it = m_object.find(key);
    return it == m_object.end() || it->is_null() ? nullptr : &*it;
}

void ProcessorKeys::flag(const char* key, bool& target) const {
    if (const Json* value = find(key)) {
        if (!value->is_boolean()) fail(key, "true or false", *value);
        target = value->get<bool>();
    }
}

double ProcessorKeys::number(std::string_view key, const Json& value) const {
    if (!value.is_number()) fail(key, "a number", value);
    const double x = value.get<double>();
    if (!std::isfinite(x)) fail(key, "a finite number", value);
    return x;
}

int ProcessorKeys::side(std::string_view key, const Json& value, int most) const {
    const std::string expected = fmt::format("a whole number from 1 to {}", most);
    if (!value.is_number_integer()) fail(key, expected, value);
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(most)) {
        fail(key, expected, value);
    }
    const std::int64_t x = value.get<std::int64_t>();
    if (x < 1 || x > most) fail(key, expected, value);
    return static_cast<int>(x);
}

void ProcessorKeys::count(const char* key, int& target, int most) const {
    if (const Json* value = find(key)) target = side(key, *value, most);
}

void ProcessorKeys::channels(const char* key, std::array<double, 3>& target) const {
    const Json* value = find(key);
    if (!value) return;
    if (value->is_number()) {
        target.fill(number(key, *value));
        return;
    }
    if (!value->is_array() || value->size() != 3) fail(key, "a number or a list of 3 numbers", *value);
    for (std::size_t c = 0; c < 3; ++c) target[c] = number(fmt::format("{}[{}]", key, c), (*value)[c]);
}

void ProcessorKeys::deviations(const char* key, std::array<double, 3>& target) const {
    channels(key, target);
    for (double x : target) {
        const float single = static_cast<float>(x);
        if (!(single > 0) || !std::isfinite(single)) fail(key, "numbers above zero", *find(key));
    }
}

std::optional<std::string> ProcessorKeys::text(const char* key) const {
    const Json* value = find(key);
    if (!value) return std::nullopt;
    if (!value->is_string()) fail(key, "a text", *value);
    return value->get<std::string>();
}

Resample resampleNamed(const ProcessorKeys& keys, std::string_view key, std::string name, const Json& value) {
    name.erase(0, name.rfind('.') + 1);  // "PILImageResampling.BICUBIC"; npos + 1 is 0
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    constexpr std::array<std::pair<const char*, Resample>, 6> kNames{{{"nearest", Resample::Nearest},
                                                                      {"lanczos", Resample::Lanczos},
                                                                      {"bilinear", Resample::Bilinear},
                                                                      {"bicubic", Resample::Bicubic},
                                                                      {"box", Resample::Box},
                                                                      {"hamming", Resample::Hamming}}};
    for (const auto& [known, resample] : kNames) {
        if (name == known) return resample;
    }
    keys.fail(key, "nearest, lanczos, bilinear, bicubic, box or hamming", value);
}

void readResample(const ProcessorKeys& keys, const char* key, Resample& target) {
    const Json* value = keys.find(key);
    if (!value) return;
    if (value->is_string()) {
        target = resampleNamed(keys, key, value->get<std::string>(), *value);
        return;
    }
    if (!value->is_number_integer() || *value < 0 || *value > 5) {
        keys.fail(key, "a filter name or code from 0 (nearest) to 5 (hamming)", *value);
    }
    target = static_cast<Resample>(value->get<int>());
}

void readBothSides(const ProcessorKeys& keys, const char* key, int& height, int& width) {
    const Json* value = keys.find(key);
    if (!value) return;
    if (value->is_number()) {
        height = width = keys.side(key, *value);
    } else if (value->is_array() && value->size() == 2) {
        height = keys.side(fmt::format("{}[0]", key), (*value)[0]);
        width = keys.side(fmt::format("{}[1]", key), (*value)[1]);
    } else if (value->is_object() && value->size() == 2 && value->contains("height") &&
               value->contains("width")) {
        height = keys.side(fmt::format("{}.height", key), (*value)["height"]);
        width = keys.side(fmt::format("{}.width", key), (*value)["width"]);
    } else {
        keys.fail(key, "a number, [height, width] or {\"height\", \"width\"}", *value);
    }
}

void readSize(const ProcessorKeys& keys, bool defaultToSquare, Settings& s) {
    const Json* value = keys.find("size");
    if (!value || s.rule == SizeRule::MaxPatches) return;
    if (value->is_number() && !defaultToSquare) {
        s.rule = SizeRule::ShortestEdge;
        s.height = s.width = keys.side("size", *value);
        return;
    }
    if (!value->is_object()) {
        readBothSides(keys, "size", s.height, s.width);
        s.rule = SizeRule::Exact;
        return;
    }
    Json given = *value;  // the reference skips entries that are null
    for (auto it = given.begin(); it != given.end();) it = it->is_null() ? given.erase(it) : std::next(it);
    const auto has = [&given](const char* key) { return given.contains(key); };
    const auto side = [&](const char* key) { return keys.side(std::string("size.") + key, given[key]); };
    if (given.size() == 2 && has("height") && has("width")) {
        s.rule = SizeRule::Exact;
        s.height = side("height");
        s.width = side("width");
    } else if (given.size() == 1 && has("shortest_edge")) {
        s.rule = SizeRule::ShortestEdge;
        s.height = s.width = side("shortest_edge");
    } else if (given.size() == 2 && has("shortest_edge") && has("longest_edge")) {
        s.rule = SizeRule::ShortestWithLongest;
        s.height = side("shortest_edge");
        s.width = side("longest_edge");
    } else if (given.size() == 2 && has("max_height") && has("max_width")) {
        s.rule = SizeRule::FitInside;
        s.height = side("max_height");
        s.width = side("max_width");
    } else {
        keys.fail("size",
                  "{\"height\", \"width\"}, {\"shortest_edge\"}, {\"shortest_edge\", \"longest_edge\"} or "
                  "{\"max_height\", \"max_width\"}",
                  *value);
    }
}

void readPixelSettings(const ProcessorKeys& keys, Settings& s) {
    keys.flag("do_resize", s.doResize);
    readResample(keys, "resample", s.resample);
    keys.flag("do_center_crop", s.doCrop);
    readBothSides(keys, "crop_size", s.cropHeight, s.cropWidth);
    if (s.doCrop && s.cropHeight == 0) keys.fail("crop_size", "a size, since do_center_crop is true", Json());
    keys.flag("do_rescale", s.doRescale);
    if (const Json* factor = keys.find("rescale_factor")) {
        s.rescaleFactor = keys.number("rescale_factor", *factor);
        if (!(s.rescaleFactor > 0)) keys.fail("rescale_factor", "a number above zero", *factor);
    }
    keys.flag("do_normalize", s.doNormalize);
    keys.channels("image_mean", s.mean);
    keys.deviations("image_std", s.deviation);
}

}  // namespace fovea
