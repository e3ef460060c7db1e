#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/image_layout.h"
#include "fovea/pixels.h"
#include "fovea/vision_image.h"

namespace fovea {

/// Numbers in host memory, row-major: one of the two lists is filled, with as many entries as the shape says.
struct HostTensor {
    std::vector<std::int64_t> shape;
    std::vector<float> floats;
    std::vector<std::int64_t> integers;
};

/// What a model's image processor hands to the model for one prompt, and where each view lies in its picture.
struct VisualInput {
    /// By the names of the reference (pixel_values, image_sizes, image_grid_thw, ...), with its shapes.
    std::map<std::string, HostTensor> tensors;
    std::vector<VisionImage> images;
    std::vector<VisionImage> videos;
};

struct VisualFiles;

/// Which frames of a video file a family's processor takes; a plain value.
struct FrameSampling {
    /// Even steps from the first; from half a step on (InternVL); Qwen2's in whole groups; Qwen3's and
    /// SmolVLM's from the first to the last.
    enum class Rule { Even, Middle, Qwen2, Qwen3, SmolVlm };
    Rule rule = Rule::Even;
    bool on = false;  ///< do_sample_frames; off: every frame
    int frames = 0;   ///< num_frames; 0: by fps
    double fps = 0;   ///< to take, of the video's own; 0: not given
    int least = 4;
    int most = 768;
    int temporalPatch = 2;  ///< Qwen2: frames in a group
};

/// Pictures to tensors as the image processor of a vision-language family makes them, bit for bit: tiles,
/// any-resolution grids, smart resize. Reference: the Pillow classes of transformers 5.17 for images; for
/// videos torchvision's 8-bit resize, the only one there is. Immutable; process() may run on several threads.
///
/// Families: llava, vipllava, llava_next, llava_onevision, idefics3, smolvlm, qwen2_vl, qwen2_5_vl, qwen3_vl,
/// internvl, paligemma, gemma3, mllama, blip. Limits: sides 1..16384, at most 2^29 values in all tensors of a
/// call (Error with ErrorCode::Memory), 2^26 pixels in a resized picture, 4096 tiles a picture.
class VisualProcessor {
public:
    virtual ~VisualProcessor() = default;
    /// Reads processor_config.json (nested or not), preprocessor_config.json, video_preprocessor_config.json
    /// and the token names of tokenizer_config.json. `config` is the model's config.json. Throws Error for a
    /// family or class that is not known and for values that make no sense.
    static std::unique_ptr<VisualProcessor> fromFolder(const std::filesystem::path& folder,
                                                       std::string_view modelType,
                                                       const nlohmann::json& config);
    /// The same from parsed files (io/visual/visual_files.h); here Gemma 3 pans and scans where they say so, as the
    /// reference's image processor does alone. In a folder do_pan_and_scan has no effect, as in its processor.
    static std::unique_ptr<VisualProcessor> fromFiles(const VisualFiles& files, std::string_view modelType);
    /// Model types that the two know.
    static std::vector<std::string> supportedModelTypes();

    /// The tensors for all images of one prompt, in order; throws Error for a picture that is empty or that
    /// the family refuses. As within the reference's processors, InternVL always cuts crops and several
    /// images of LLaVA-OneVision have one view each. Transparency is left out, as the reference leaves it out, but for Mllama, which lays pictures on white.
    virtual VisualInput process(std::span<const Pixels> images) const = 0;
    /// The tensors for one video; frames of one size. Throws Error (Usage) where the family takes no video.
    VisualInput processVideo(std::span<const Pixels> frames) const { return processVideo(frames, {}); }
    virtual VisualInput processVideo(std::span<const Pixels> frames, const VideoTiming& timing) const;
    /// The frames to take of a file of `file.totalFrames` frames (its fps and duration where the rule needs
    /// them), as the reference samples it; throws Error for more than 4096 and for what the file leaves open.
    std::vector<std::int64_t> sampleFrames(const VideoTiming& file) const;
    /// One line a person can read.
    virtual std::string describe() const = 0;
    /// What a user should know about how the settings were found.
    const std::vector<std::string>& notices() const { return m_notices; }
    /// Whether the folder has no file that describes it: the family's defaults stand in.
    bool guessed() const { return m_guessed; }
    /// What pixel_values holds where the picture is black, per channel.
    std::array<float, 3> black() const { return m_black; }
    /// How the prompt's image slots are written out (image_layout.h).
    const LayoutRules& layout() const { return m_layout; }

protected:
    std::vector<std::string> m_notices;
    std::array<float, 3> m_black{};
    LayoutRules m_layout;
    FrameSampling m_sampling;
    bool m_guessed = false;
};

}  // namespace fovea
