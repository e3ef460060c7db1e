#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fovea/chat_template.h"
#include "fovea/model.h"
#include "fovea/tokenizer.h"
#include "fovea/visual_processor.h"
#include "nn/input_tensors.h"

namespace fovea {

/// How a family writes a prompt that no chat template writes.
enum class RawPrompt {
    AsGiven,
    Paligemma,  ///< image slots, the beginning-of-text token, the prompt, a line break
};

/// A prompt with its pictures, ready for the model.
struct PromptTensors {
    TensorItem item;                   ///< input_ids, attention_mask and what the processor makes
    std::vector<VisionImage> images;   ///< in order of their slots
    std::vector<LayoutItem> features;  ///< what every image token stands for, in order
    std::string text;                  ///< the whole prompt that was tokenised
    Encoding encoding;
};

/// What a model folder holds beside weights: image processor, chat template and tokenizer. Files that are missing are
/// missed only when a prompt is encoded. Immutable.
class VlmPrompts {
public:
    VlmPrompts(const std::filesystem::path& folder, const std::string& modelType, const nlohmann::json& config,
               RawPrompt raw);

    /// Throws Error (Input): a missing file, slots and pictures that differ in number, a tokenizer of another model.
    PromptTensors encode(const UserInput& input, std::int64_t imageToken) const;
    /// Null where the folder has none that can be read.
    const std::shared_ptr<const Tokenizer>& tokenizer() const { return m_tokenizer; }
    /// A black pixel in normalised units, per channel; empty where unknown.
    std::vector<double> black() const;
    std::vector<std::string> notices() const;

private:
    std::string written(const UserInput& input, const LayoutRules& rules) const;
    void requireFiles() const;

    std::shared_ptr<const VisualProcessor> m_processor;
    std::shared_ptr<const Tokenizer> m_tokenizer;
    std::optional<ChatTemplate> m_template;
    RawPrompt m_raw;
    std::optional<Error> m_problem;
};

}  // namespace fovea
