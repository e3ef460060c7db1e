#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fovea/error.h"
#include "fovea/visual_processor.h"
#include "nn/input_tensors.h"
#include "nn/prompt_reader.h"

namespace fovea {

/// How a family writes a prompt that no chat template writes.
enum class RawPrompt {
    AsGiven,
    Paligemma,  ///< image slots, the beginning-of-text token, the prompt, a line break
    Mllama,     ///< leading image slots, the beginning-of-text token where the prompt has none, the prompt
};

/// A picture as people know it, and the tile that shows it.
struct ShownPicture {
    const Pixels* original = nullptr;  ///< of the UserInput
    std::size_t tile = 0;
    std::string name = {};  ///< of a frame (SeenPictures::frames); empty for a still
};

/// A prompt with its pictures, ready for the model.
struct PromptTensors {
    TensorItem item;                   ///< input_ids, attention_mask and what the processor makes
    /// In order of their slots; of a film the whole, or each frame where the model reads frames as pictures.
    std::vector<VisionImage> images;
    std::vector<std::vector<ShownPicture>> shown;  ///< of each: the picture, or what stands for each step of time
    std::vector<LayoutItem> features;  ///< what every image token stands for, in order
    std::string text;                  ///< the whole prompt that was tokenised
    Encoding encoding;
    std::vector<std::string> notices;  ///< what was done otherwise than one might expect
};

/// What a model's prompts must keep to.
struct PromptLimits {
    std::int64_t vocabulary = 0;  ///< ids that have an embedding
    std::int64_t positions = 0;   ///< longest sequence; 0: none
    std::int64_t imageToken = -1;  ///< id of an image token, which may lie beyond the vocabulary; -1: none
    std::int64_t videoToken = -1;  ///< likewise of a film
};

/// What a model folder holds beside weights: image processor, chat template and tokenizer. Files that are missing are
/// missed only when a prompt is encoded. Safe from several threads.
class VlmPrompts {
public:
    VlmPrompts(const std::filesystem::path& folder, const std::string& modelType, const nlohmann::json& config,
               RawPrompt raw);

    /// Throws Error (Input): a missing file, slots and pictures that differ in number, a tokenizer of another model, a
    /// prompt that is too long.
    PromptTensors encode(const UserInput& input, const PromptLimits& limits) const;
    /// As Model::sampleFrames.
    std::vector<std::int64_t> sampleFrames(const VideoTiming& film) const;
    const PromptReader& reader() const { return m_reader; }
    /// A black pixel in normalised units, per channel; empty where unknown.
    std::vector<double> black() const;
    std::vector<std::string> notices() const;
    /// What `work` gives. An Error (Input) of it gets a hint about the missing processor file where there is none: what is
    /// wrong with a picture's size or number of tokens may follow from the defaults that stand in.
    template <class Work>
    auto explaining(Work&& work) const {
        try {
            return work();
        } catch (const Error& error) {
            throw explained(error);
        }
    }

private:
    Error explained(const Error& error) const;
    PromptText written(const UserInput& input, const LayoutRules& rules) const;

    PromptReader m_reader;
    std::shared_ptr<const VisualProcessor> m_processor;
    std::optional<Error> m_problem;  ///< why there is no processor
    std::string m_tokenizerNotice;
    RawPrompt m_raw;
};

}  // namespace fovea
