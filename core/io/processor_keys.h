#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "fovea/image_processor.h"

namespace fovea {

constexpr int kMaxProcessorSide = 16384;

constexpr std::array<double, 3> kHalf{0.5, 0.5, 0.5};
constexpr std::array<double, 3> kClipMean{0.48145466, 0.4578275, 0.40821073};
constexpr std::array<double, 3> kClipDeviation{0.26862954, 0.26130258, 0.27577711};

/// The keys of one JSON object that describes an image processor, with errors that name file and key.
class ProcessorKeys {
public:
    /// `object` must outlive the keys.
    ProcessorKeys(const nlohmann::json& object, std::string_view file) : m_object(object), m_file(file) {}

    [[noreturn]] void fail(std::string_view key, std::string_view expected,
                           const nlohmann::json& found) const;
    /// Null counts as missing, as in the reference.
    const nlohmann::json* find(const char* key) const;
    void flag(const char* key, bool& target) const;
    double number(std::string_view key, const nlohmann::json& value) const;
    int side(std::string_view key, const nlohmann::json& value, int most = kMaxProcessorSide) const;
    /// The same for a key that may be missing, which leaves `target` as it is.
    void count(const char* key, int& target, int most) const;
    void channels(const char* key, std::array<double, 3>& target) const;
    void deviations(const char* key, std::array<double, 3>& target) const;
    std::optional<std::string> text(const char* key) const;
    const std::string& file() const { return m_file; }

private:
    const nlohmann::json& m_object;
    std::string m_file;
};

/// A filter by name ("bicubic", "PILImageResampling.BICUBIC"); `value` is for the message.
Resample resampleNamed(const ProcessorKeys& keys, std::string_view key, std::string name,
                       const nlohmann::json& value);
void readResample(const ProcessorKeys& keys, const char* key, Resample& target);
/// A size with both sides: one number, two numbers [height, width], or {"height", "width"}.
void readBothSides(const ProcessorKeys& keys, const char* key, int& height, int& width);
/// `size` in the forms that most classes know; one number is the shorter side unless `defaultToSquare`.
void readSize(const ProcessorKeys& keys, bool defaultToSquare, ImageProcessor::Settings& settings);
/// Everything but `size`: do_resize, resample, the centre crop, the rescale, mean and deviation.
void readPixelSettings(const ProcessorKeys& keys, ImageProcessor::Settings& settings);

}  // namespace fovea
