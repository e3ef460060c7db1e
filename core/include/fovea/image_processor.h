#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/pixels.h"
#include "fovea/rect.h"

namespace fovea {

/// Where each pixel of a model's input comes from in the original upright picture: resize of all of it or of a
/// part, then crop or padding.
struct PixelTransform {
    int originalWidth = 0;   ///< the picture, in pixels
    int originalHeight = 0;
    int resizedWidth = 0;    ///< the picture after the resize and before the crop
    int resizedHeight = 0;
    /// Column of the resized picture at column 0 of the input; negative where padding lies there.
    int left = 0;
    int top = 0;
    int shownWidth = 0;      ///< columns of the input that the crop fills; padding to a fixed size follows
    int shownHeight = 0;
    int inputWidth = 0;      ///< the model's input, in pixels
    int inputHeight = 0;
    /// The part of the picture that was resized, which may reach beyond it into padding; empty: all of it.
    Rect source{};

    /// The part of the original picture that a rectangle of the input shows, clipped to the picture: zero
    /// width or height, at the nearest edge, for padding.
    Rect toOriginal(const Rect& inInput) const;
    /// The part of the input that shows a rectangle of the original picture, clipped to the input.
    Rect toInput(const Rect& inOriginal) const;
    /// The part of the original picture that the input shows at all.
    Rect read() const;
    /// What the input does not show (centre crop): up to four rectangles of the original that do not overlap.
    std::vector<Rect> unread() const;
    /// This step and then `next`, whose original is this one's input.
    PixelTransform then(const PixelTransform& next) const;
    bool operator==(const PixelTransform&) const = default;
};

/// One picture made ready for a model, with what it took to get there.
struct ProcessedImage {
    int width = 0;                   ///< size of the model's input in pixels
    int height = 0;
    /// `pixel_values`: [3, height, width], or [maxPatches, patch*patch*3] for NaFlex.
    std::vector<float> values;
    int patchSize = 0;               ///< NaFlex (SigLIP 2) only, else 0
    int maxPatches = 0;              ///< NaFlex: rows of `values`; rows past gridHeight*gridWidth are zero
    std::array<int, 2> spatialShape{};   ///< NaFlex: rows and columns of patches, `spatial_shapes`
    std::vector<std::uint8_t> patchMask;  ///< NaFlex: `pixel_attention_mask`, [maxPatches], 1 if real
    Pixels seen;                     ///< the same input as an 8-bit picture: what the model saw
    PixelTransform transform;

    bool isPatches() const { return patchSize > 0; }
};

/// PIL's resampling filters, with the codes that `resample` uses.
enum class Resample { Nearest = 0, Lanczos = 1, Bilinear = 2, Bicubic = 3, Box = 4, Hamming = 5 };

/// Applies a Hugging Face `preprocessor_config.json` to a picture, as transformers' Pillow back end does, bit
/// for bit: resize on 8 bits, centre crop, rescale, normalise. (DINOv3: rescale, float resize with
/// antialiasing, crop, normalise. timm: its evaluation transform. SigLIP 2: NaFlex patches.) Immutable;
/// process() may run on several threads at once.
///
/// Limits: sizes and crops 1..16384, at most 2^25 pixels in the model's input, configuration texts at most 16
/// MiB; numbers must be finite (a JSON text with NaN is refused), rescale factors and deviations above zero.
class ImageProcessor {
public:
    /// Reads the configuration in `config`: the contents of preprocessor_config.json, of a
    /// processor_config.json that nests it under `image_processor`, or of a timm config.json with
    /// `pretrained_cfg`. `modelType` (as in config.json) chooses the class when the file does not name one;
    /// keys that are missing or null have that class's defaults. `fileName` is for messages. Throws Error on
    /// a class that is not supported and on values that make no sense.
    static ImageProcessor fromJson(const nlohmann::json& config, std::string_view modelType,
                                   std::string_view fileName = "preprocessor_config.json");
    /// The same from text; strict JSON.
    static ImageProcessor fromText(std::string_view text, std::string_view modelType,
                                   std::string_view fileName = "preprocessor_config.json");
    /// Reads what the folder holds: `image_processor` in processor_config.json, else
    /// preprocessor_config.json, else `pretrained_cfg` in config.json, else forFamily() with the `image_size`
    /// of config.json. Files of these names elsewhere are not looked at.
    static ImageProcessor fromFolder(const std::filesystem::path& folder, std::string_view modelType);
    /// What published checkpoints of a family use; `imageSize` (0: the family's own) is the side of the
    /// input.
    static ImageProcessor forFamily(std::string_view modelType, int imageSize = 0);
    /// Model types that fromJson and forFamily know.
    static std::vector<std::string> supportedModelTypes();

    /// Makes `picture` ready; throws Error for a picture without pixels or one that the settings make too
    /// large.
    ProcessedImage process(const Pixels& picture) const;

    /// One line a person can read: class, resize, crop, scale.
    std::string describe() const;
    /// What a user should know about how the settings were found (defaults used because a file was missing,
    /// ...).
    const std::vector<std::string>& notices() const { return m_notices; }

    /// The settings, resolved; a plain value.
    struct Settings {
        /// How `size` is read: both sides given; shorter side, optionally with a limit on the longer one;
        /// both sides at most; timm's rounded forms of covering and of fitting into a size; NaFlex by number
        /// of patches.
        enum class SizeRule {
            Exact,
            ShortestEdge,
            ShortestWithLongest,
            FitInside,
            CoverRounded,
            FitRounded,
            MaxPatches
        };
        /// Whose rules for rounding and order apply.
        enum class Backend { Pillow, DinoV3, Timm, Torchvision };
        std::string className;
        Backend backend = Backend::Pillow;
        bool doResize = true;
        SizeRule rule = SizeRule::Exact;
        int height = 224;  ///< or the shortest edge, or the largest height
        int width = 224;   ///< or the longest edge, or the largest width
        Resample resample = Resample::Bilinear;
        bool doCrop = false;
        int cropHeight = 224;
        int cropWidth = 224;
        std::array<std::uint8_t, 3> cropFill{};  ///< colour around a picture that is smaller than the crop
        bool doRescale = true;
        double rescaleFactor = 1.0 / 255.0;
        bool doNormalize = true;
        std::array<double, 3> mean{0.5, 0.5, 0.5};
        std::array<double, 3> deviation{0.5, 0.5, 0.5};
        bool doPad = false;
        int padHeight = 0;  ///< 0: no fixed size, so that one picture is not padded
        int padWidth = 0;
        int patchSize = 16;     ///< NaFlex
        int maxPatches = 256;   ///< NaFlex
    };
    const Settings& settings() const { return m_settings; }
    explicit ImageProcessor(Settings settings, std::vector<std::string> notices = {});

private:
    void toPatches(ProcessedImage& image) const;

    Settings m_settings;
    std::vector<std::string> m_notices;
    std::array<float, 256> m_rescaled{};              // value of each byte after the rescale
    std::array<std::array<float, 256>, 3> m_table{};  // and after normalising, per channel
};

}  // namespace fovea
