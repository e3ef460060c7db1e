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
    Expanded out;
    if (rules.scheme == LayoutRules::Scheme::None) {  // the slot, if there is one, is a token of its own
        out.text = text;
        return out;
    }
    const std::vector<std::size_t> slots = findAll(text, rules.imageSlot);
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

// The tokenizer writes an image token as the model expects it, and nothing beyond the vocabulary.
void requireFitting(const PromptTensors& prompt, const PromptReader& reader, const PromptLimits& limits) {
    constexpr const char* hint = "The tokenizer belongs to another model: fetch the folder again.";
    if (!prompt.features.empty()) {
        const std::string& spelling = prompt.features.front().text;
        const auto found = reader.tokenizer().idOf(spelling);
        if (!found || *found != limits.imageToken)
            throw Error(fmt::format("the tokenizer writes an image token as \"{}\", id {}; the model expects id {}",
                                    spelling, found ? *found : -1, limits.imageToken),
                        hint);
    }
    for (const int id : prompt.encoding.ids)
        if (id >= limits.vocabulary && id != limits.imageToken)
            throw Error(fmt::format("the tokenizer gives id {} (\"{}\"), the model's vocabulary ends at {}", id,
                                    reader.shown(id), limits.vocabulary - 1),
                        hint);
    const auto length = static_cast<std::int64_t>(prompt.encoding.ids.size());
    if (limits.positions > 0 && length > limits.positions)
        throw Error(fmt::format("the prompt: expected at most {} tokens, found {}", limits.positions, length),
                    prompt.images.empty() ? "Shorten the text." : "Shorten the text, or use smaller or fewer pictures.");
}

}  // namespace

VlmPrompts::VlmPrompts(const std::filesystem::path& folder, const std::string& modelType,
                       const nlohmann::json& config, RawPrompt raw)
    : m_reader(folder), m_raw(raw) {
    try {
        m_processor = VisualProcessor::fromFolder(folder, modelType, config);
    } catch (const Error& error) {
        m_problem = error;
    }
}

std::vector<double> VlmPrompts::black() const {
    if (!m_processor) return {};
    const auto values = m_processor->black();
    return {values.begin(), values.end()};
}

std::vector<std::string> VlmPrompts::notices() const {
    return m_processor ? m_processor->notices() : std::vector<std::string>{};
}

PromptText VlmPrompts::written(const UserInput& input, const LayoutRules& rules) const {
    PromptRules places;
    places.placeholder = rules.imageSlot;
    places.images = static_cast<int>(input.images.size());
    places.aroundTemplate = AddSpecial::Yes;
    const std::string& bos = m_reader.tokenizer().bosToken();
    PromptText prompt = m_reader.promptOf(input, places);
    if (m_raw == RawPrompt::Paligemma) {
        // Pictures, the beginning, the prompt, a line break; none of it comes from a template.
        const std::size_t last = prompt.text.rfind(rules.imageSlot);
        const std::size_t after = last == std::string::npos ? 0 : last + rules.imageSlot.size();
        prompt.text = prompt.text.substr(0, after) + bos + prompt.text.substr(after) + "\n";
        prompt.special = AddSpecial::No;
    }
    if (m_raw == RawPrompt::Mllama && !bos.empty() && prompt.text.find(bos) == std::string::npos) {
        std::size_t after = 0;
        while (!rules.imageSlot.empty() &&
               prompt.text.compare(after, rules.imageSlot.size(), rules.imageSlot) == 0)
            after += rules.imageSlot.size();
        prompt.text.insert(after, bos);
    }
    return prompt;
}

PromptTensors VlmPrompts::encode(const UserInput& input, const PromptLimits& limits) const {
    if (m_problem) throw *m_problem;
    const LayoutRules& rules = m_processor->layout();
    PromptTensors out;
    PromptText prompt = written(input, rules);
    if (!input.images.empty()) {
        VisualInput seen = m_processor->process(input.images);
        for (const auto& [name, tensor] : seen.tensors) out.item[name] = toTensor(tensor);
        out.images = std::move(seen.images);
    }
    Expanded whole = expanded(prompt.text, rules, out.images);
    out.text = prompt.text = std::move(whole.text);
    out.features = std::move(whole.features);
    // Only the image token may lie beyond the embedding; requireFitting says so of the others.
    out.encoding = m_reader.encode(prompt, std::int64_t{1} << 40);
    requireFitting(out, m_reader, limits);
    const std::vector<std::int64_t> ids(out.encoding.ids.begin(), out.encoding.ids.end());
    out.item["input_ids"] = at::tensor(ids, at::kLong).unsqueeze(0);
    out.item["attention_mask"] = at::ones({1, static_cast<std::int64_t>(ids.size())}, at::kLong);
    return out;
}

}  // namespace fovea
