#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "attention/forward.h"
#include "fovea/chat_template.h"
#include "fovea/model.h"
#include "fovea/tokenizer.h"

namespace fovea {

/// The encoded input of a text or vision-language model: one sequence, to which all pictures belong.
class LanguageInput : public TensorInput {
public:
    std::string text;               ///< what was tokenised, templates and placeholders included
    std::vector<int> ids;           ///< of the sequence
    std::vector<ByteSpan> spans;    ///< bytes of `text` that each token stands for; empty for tokens around it
};

/// What a family says about its prompts.
struct PromptRules {
    std::string placeholder;  ///< of an image in a prompt ("<image>"); empty for a model that sees none
    int images = 0;           ///< pictures that go with the prompt
    std::string videoPlaceholder = {};  ///< likewise of a film
    int videos = 0;
    /// Whether special tokens come around a text that a template made: not where the template writes them itself.
    AddSpecial aroundTemplate = AddSpecial::No;
    /// The placeholders with what belongs around them, for hints; empty where nothing does.
    std::string whole = {}, videoWhole = {};
};

/// A prompt before tokenisation.
struct PromptText {
    std::string text;
    AddSpecial special = AddSpecial::Yes;
    std::vector<std::string> notices;
};

/// Tokenizer and chat template of a model folder, read when they are first needed. Safe from several threads.
class PromptReader {
public:
    explicit PromptReader(std::filesystem::path folder) : m_folder(std::move(folder)) {}

    /// The prompt as the model is to read it: a raw one, or one that already has a placeholder, as it is; else the
    /// folder's chat template around a message of the user, images first; a conversation (UserInput::chat) through
    /// the template alone. Throws Error (Input) for a conversation without a template, and for a number of
    /// placeholders that is not that of the pictures.
    PromptText promptOf(const UserInput& input, const PromptRules& rules) const;

    /// Throws Error (Input) where the folder has no tokenizer that can be read.
    const Tokenizer& tokenizer() const;
    std::shared_ptr<const Tokenizer> sharedTokenizer() const;
    /// Ids of a text; throws Error (Input) for an id that the model has no embedding for.
    Encoding encode(const PromptText& prompt, std::int64_t vocabulary) const;

    /// What a token is shown as; "<id>" where there is no tokenizer.
    std::string shown(int id) const;
    bool isSpecial(int id) const;

private:
    const std::optional<ChatTemplate>& chatTemplate() const;
    const Tokenizer* tokenizerOrNull() const;

    std::filesystem::path m_folder;
    mutable std::mutex m_mutex;
    mutable std::shared_ptr<const Tokenizer> m_tokenizer;
    mutable std::string m_problem;  ///< why there is no tokenizer
    mutable bool m_tried = false;
};

/// The tokens of an encoded prompt for a token map: special ones, and text with the bytes it stands for.
StageTokens promptTokens(const PromptReader& reader, const std::string& stage, const std::string& text,
                         const Encoding& encoding);

}  // namespace fovea
