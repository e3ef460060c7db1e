#include "nn/vlm_prompt.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>

#include "fovea/error.h"

namespace fovea {
namespace {

at::Tensor toTensor(const HostTensor& host) {
    const bool floats = !host.floats.empty();
    void* data = floats ? static_cast<void*>(const_cast<float*>(host.floats.data()))
                        : static_cast<void*>(const_cast<std::int64_t*>(host.integers.data()));
    return at::from_blob(data, host.shape, at::TensorOptions(floats ? at::kFloat : at::kLong)).clone();
}

std::vector<std::size_t> findAll(const std::string& text, const std::string& slot) {
    std::vector<std::size_t> found;
    if (slot.empty()) return found;
    for (std::size_t at = text.find(slot); at != std::string::npos; at = text.find(slot, at + slot.size()))
        found.push_back(at);
    return found;
}

// The prompt with every slot written out, and what its image tokens stand for.
struct Expanded {
    std::string text;
    std::vector<LayoutItem> features;
};

Expanded expanded(const std::string& text, const LayoutRules& rules, const std::vector<VisionImage>& images) {
    const std::vector<std::size_t> slots = findAll(text, rules.imageSlot);
    Expanded out;
    std::size_t from = 0;
    for (std::size_t i = 0; i < slots.size(); ++i) {
        out.text += text.substr(from, slots[i] - from);
        from = slots[i] + rules.imageSlot.size();
        const std::vector<LayoutItem> layout = imageLayout(rules, images[i]);
        out.text += layoutText(layout);
        for (const LayoutItem& item : layout)
            if (item.kind != LayoutItem::Kind::Text) out.features.push_back(item);
    }
    out.text += text.substr(from);
    return out;
}

void requireSlots(const std::string& text, const LayoutRules& rules, std::size_t images) {
    if (rules.scheme == LayoutRules::Scheme::None) return;  // pictures stand beside the text
    const std::size_t slots = findAll(text, rules.imageSlot).size();
    if (slots == images) return;
    const std::string slot = rules.imageSlot;
    if (slots == 0)
        throw Error(fmt::format("the prompt has no place for its {} picture{}", images, images == 1 ? "" : "s"),
                    fmt::format("Write {} where a picture belongs.", slot));
    throw Error(fmt::format("the prompt has {} place{} for pictures ({}), but {} picture{} given", slots,
                            slots == 1 ? "" : "s", slot, images, images == 1 ? " was" : "s were"),
                slots > images ? "Give one --image for each place." : fmt::format("Write {} once for each picture.", slot));
}

}  // namespace

VlmPrompts::VlmPrompts(const std::filesystem::path& folder, const std::string& modelType,
                       const nlohmann::json& config, RawPrompt raw)
    : m_raw(raw) {
    try {
        m_processor = VisualProcessor::fromFolder(folder, modelType, config);
    } catch (const Error& error) {
        m_problem = error;
    }
    try {
        m_tokenizer = Tokenizer::fromFolder(folder);
        m_template = ChatTemplate::fromFolder(folder);
    } catch (const Error& error) {
        if (!m_problem) m_problem = error;
    }
}

void VlmPrompts::requireFiles() const {
    if (m_problem) throw *m_problem;
}

std::vector<double> VlmPrompts::black() const {
    if (!m_processor) return {};
    const auto values = m_processor->black();
    return {values.begin(), values.end()};
}

std::vector<std::string> VlmPrompts::notices() const {
    std::vector<std::string> all;
    if (m_processor) all = m_processor->notices();
    if (m_tokenizer) all.insert(all.end(), m_tokenizer->notices().begin(), m_tokenizer->notices().end());
    return all;
}

std::string VlmPrompts::written(const UserInput& input, const LayoutRules& rules) const {
    const bool hasSlots = input.prompt.find(rules.imageSlot) != std::string::npos && !rules.imageSlot.empty();
    ChatOptions options;
    options.bosToken = m_tokenizer->bosToken();
    options.eosToken = m_tokenizer->eosToken();
    if (!input.chat.empty()) {
        const ChatFile chat = readChatFile(input.chat);
        if (!m_template)
            throw Error(input.chat.string() + ": the model has no chat template to write a conversation with",
                        "Give the prompt itself with --prompt.");
        return m_template->render(m_template->fitted(chat.messages), options);
    }
    if (m_template && !hasSlots && input.promptForm == PromptForm::Template) {
        nlohmann::ordered_json messages = nlohmann::ordered_json::array();
        messages.push_back(nlohmann::ordered_json(userMessage(static_cast<int>(input.images.size()), input.prompt)));
        return m_template->render(m_template->fitted(messages), options);
    }
    if (m_raw != RawPrompt::Paligemma) return input.prompt;
    if (!hasSlots) {
        std::string slots;
        for (std::size_t i = 0; i < input.images.size(); ++i) slots += rules.imageSlot;
        return slots + m_tokenizer->bosToken() + input.prompt + "\n";
    }
    const std::size_t after = input.prompt.rfind(rules.imageSlot) + rules.imageSlot.size();
    return input.prompt.substr(0, after) + m_tokenizer->bosToken() + input.prompt.substr(after) + "\n";
}

PromptTensors VlmPrompts::encode(const UserInput& input, std::int64_t imageToken) const {
    requireFiles();
    const LayoutRules& rules = m_processor->layout();
    PromptTensors out;
    const std::string text = written(input, rules);
    requireSlots(text, rules, input.images.size());
    if (!input.images.empty()) {
        VisualInput seen = m_processor->process(input.images);
        for (const auto& [name, tensor] : seen.tensors) out.item[name] = toTensor(tensor);
        out.images = std::move(seen.images);
    }
    Expanded whole = expanded(text, rules, out.images);
    out.text = std::move(whole.text);
    out.features = std::move(whole.features);
    // A template writes the beginning itself; a tokenizer that adds it, too, would double it.
    const bool begun = !m_tokenizer->bosToken().empty() && out.text.starts_with(m_tokenizer->bosToken());
    const bool plain = m_raw == RawPrompt::Paligemma || begun;
    out.encoding = m_tokenizer->encode(out.text, plain ? AddSpecial::No : AddSpecial::Yes);
    const std::vector<std::int64_t> ids(out.encoding.ids.begin(), out.encoding.ids.end());
    if (ids.empty()) throw Error("the prompt is empty", "Say what the model is to answer.");
    if (!out.features.empty()) {
        const auto found = m_tokenizer->idOf(out.features.front().text);
        if (!found || *found != imageToken)
            throw Error(fmt::format("the tokenizer writes an image token as \"{}\", id {}; the model expects id {}",
                                    out.features.front().text, found ? *found : -1, imageToken),
                        "The tokenizer belongs to another model: fetch the folder again.");
    }
    out.item["input_ids"] = at::tensor(ids, at::kLong).unsqueeze(0);
    out.item["attention_mask"] = at::ones({1, static_cast<std::int64_t>(ids.size())}, at::kLong);
    return out;
}

}  // namespace fovea
