#include "nn/vlm_prompt.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "fovea/error.h"

namespace fovea {
namespace {

at::Tensor toTensor(const HostTensor& host) {
    const bool floats = !host.floats.empty();
    void* data = floats ? static_cast<void*>(const_cast<float*>(host.floats.data()))
                        : static_cast<void*>(const_cast<std::int64_t*>(host.integers.data()));
    return at::from_blob(data, host.shape, at::TensorOptions(floats ? at::kFloat : at::kLong)).clone();
}

// The prompt with every slot written out, and what its image tokens stand for.
struct Expanded {
    std::string text;
    std::vector<LayoutItem> features;

    void add(const std::vector<LayoutItem>& layout) {
        text += layoutText(layout);
        for (const LayoutItem& item : layout)
            if (item.kind != LayoutItem::Kind::Text) features.push_back(item);
    }
};

// What the slots of a prompt are filled with.
struct Fillings {
    std::vector<VisionImage> images, videos;
    std::vector<bool> order = {};  ///< of the slots, true for a film
};

Expanded expanded(const std::string& text, const LayoutRules& rules, Fillings& fill) {
    Expanded out;
    std::size_t from = 0, image = 0, video = 0;
    // Without a scheme the slot, if there is one, is a token of its own.
    while (rules.scheme != LayoutRules::Scheme::None) {
        const std::size_t still = rules.imageSlot.empty() ? std::string::npos : text.find(rules.imageSlot, from);
        const std::size_t film = rules.videoSlot.empty() ? std::string::npos : text.find(rules.videoSlot, from);
        const bool isFilm = film < still;
        if (isFilm ? video >= fill.videos.size() : still == std::string::npos || image >= fill.images.size()) break;
        out.text += text.substr(from, std::min(still, film) - from);
        from = std::min(still, film) + (isFilm ? rules.videoSlot : rules.imageSlot).size();
        out.add(isFilm ? videoLayout(rules, fill.videos[video++]) : imageLayout(rules, fill.images[image++]));
        fill.order.push_back(isFilm);
    }
    out.text += text.substr(from);
    return out;
}

// A film, or its frames where the model reads frames as pictures.
std::vector<VisionImage> unitsOf(const VisionImage& film, const LayoutRules& rules) {
    const bool apart = rules.scheme == LayoutRules::Scheme::Idefics3 || rules.scheme == LayoutRules::Scheme::InternVl;
    if (!apart) return {film};
    std::vector<VisionImage> frames;
    for (const VisionTile& tile : film.tiles) {
        VisionImage frame;
        frame.width = film.width;
        frame.height = film.height;
        frame.tiles = {tile};
        frames.push_back(std::move(frame));
    }
    return frames;
}

// Frames `first` to `last` of those that the film gave.
std::string frameName(const VideoTiming& timing, std::size_t first, std::size_t last) {
    const auto when = [&](std::size_t frame) {
        const std::int64_t index = frame < timing.indices.size() ? timing.indices[frame] : static_cast<std::int64_t>(frame);
        return timing.fps > 0 ? fmt::format("{:.1f}", static_cast<double>(index) / timing.fps) : std::to_string(index);
    };
    const char* unit = timing.fps > 0 ? " s" : "";
    if (last <= first) return "frame " + when(first) + unit;
    return "frames " + when(first) + "\u2013" + when(last) + unit;
}

// Lists what goes in, in order of the slots.
void listPictures(const Fillings& fill, const UserInput& user, const LayoutRules& rules, PromptTensors& out) {
    std::vector<bool> order = fill.order;
    if (rules.scheme == LayoutRules::Scheme::None) order.assign(fill.images.size(), false);
    std::size_t image = 0;
    for (const bool isFilm : order) {
        if (!isFilm) {
            out.images.push_back(fill.images[image]);
            out.shown.push_back({{&user.images[image++], 0}});
            continue;
        }
        std::size_t frame = 0;
        const VisionImage& film = fill.videos.front();
        const std::size_t group = film.gridThw[0] > 0 ? static_cast<std::size_t>(std::max(1, rules.temporalPatch)) : 1;
        for (VisionImage& unit : unitsOf(film, rules)) {
            std::vector<ShownPicture> shown;
            for (std::size_t tile = 0; tile < unit.tiles.size(); tile += group, frame += group)
                shown.push_back({&user.video.frames[frame], tile,
                                 frameName(user.video.timing, frame, std::min(frame + group, user.video.frames.size()) - 1)});
            out.images.push_back(std::move(unit));
            out.shown.push_back(std::move(shown));
        }
    }
}

void addTensors(const VisualInput& seen, TensorItem& item) {
    for (const auto& [name, tensor] : seen.tensors)
        if (!item.emplace(name, toTensor(tensor)).second)
            throw Error("this model takes pictures or a film in one prompt, found both", "Give either of them.",
                        ErrorCode::Usage);
}

// The tokenizer writes an image token as the model expects it, and nothing beyond the vocabulary.
void requireFitting(const PromptTensors& prompt, const PromptReader& reader, const PromptLimits& limits) {
    constexpr const char* hint = "The tokenizer belongs to another model: fetch the folder again.";
    std::set<std::string> spellings;
    for (const LayoutItem& item : prompt.features) spellings.insert(item.text);
    for (const std::string& spelling : spellings) {
        const auto found = reader.tokenizer().idOf(spelling);
        if (!found || (*found != limits.imageToken && *found != limits.videoToken))
            throw Error(fmt::format("the tokenizer writes an image token as \"{}\", id {}; the model expects id {}",
                                    spelling, found ? *found : -1, limits.imageToken),
                        hint);
    }
    for (const int id : prompt.encoding.ids)
        if (id >= limits.vocabulary && id != limits.imageToken && id != limits.videoToken)
            throw Error(fmt::format("the tokenizer gives id {} (\"{}\"), the model's vocabulary ends at {}", id,
                                    reader.shown(id), limits.vocabulary - 1),
                        hint);
}

void requireLength(const PromptTensors& prompt, const PromptLimits& limits) {
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
    const auto holds = [&](const char* name) {
        std::error_code code;
        return std::filesystem::exists(folder / name, code);
    };
    const bool tokenizes = holds("tokenizer.json") || holds("tokenizer.model") || holds("vocab.json") || holds("vocab.txt");
    if (tokenizes && !holds("tokenizer_config.json"))
        m_tokenizerNotice = "no tokenizer_config.json: which tokens begin and end a text and stand for pictures is taken from the "
                            "tokenizer and the family's defaults";
}

std::vector<double> VlmPrompts::black() const {
    if (!m_processor) return {};
    const auto values = m_processor->black();
    return {values.begin(), values.end()};
}

std::vector<std::string> VlmPrompts::notices() const {
    std::vector<std::string> all = m_processor ? m_processor->notices() : std::vector<std::string>{};
    if (!m_tokenizerNotice.empty()) all.push_back(m_tokenizerNotice);
    return all;
}

Error VlmPrompts::explained(const Error& error) const {
    if (!m_processor || !m_processor->guessed() || error.code() != ErrorCode::Input) return error;
    return Error(error.what(),
                 "The folder has no preprocessor_config.json, so that its family's defaults decide how pictures are cut and "
                 "sized: add the model's own file. " +
                     error.hint());
}

PromptText VlmPrompts::written(const UserInput& input, const LayoutRules& rules) const {
    PromptRules places;
    places.placeholder = rules.imageSlot;
    places.images = static_cast<int>(input.images.size());
    places.videoPlaceholder = rules.videoSlot;
    places.videos = input.video.frames.empty() ? 0 : 1;
    places.aroundTemplate = AddSpecial::Yes;
    if (rules.scheme == LayoutRules::Scheme::Qwen) {
        places.whole = "<|vision_start|>" + rules.imageSlot + "<|vision_end|>";
        places.videoWhole = "<|vision_start|>" + rules.videoSlot + "<|vision_end|>";
    }
    const std::string& bos = m_reader.tokenizer().bosToken();
    PromptText prompt = m_reader.promptOf(input, places);
    if (m_raw == RawPrompt::Paligemma) {
        // Pictures, the beginning, the prompt, a line break; none of it comes from a template.
        const std::size_t last = prompt.text.rfind(rules.imageSlot);
        const std::size_t after = last == std::string::npos ? 0 : last + rules.imageSlot.size();
        prompt.text = prompt.text.substr(0, after) + bos + prompt.text.substr(after) + "\n";
        prompt.special = AddSpecial::No;
        prompt.notices.clear();
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

std::vector<std::int64_t> VlmPrompts::sampleFrames(const VideoTiming& film) const {
    if (m_problem) throw *m_problem;
    if (m_processor->layout().videoSlot.empty())
        throw Error("--video: this model reads pictures, no films", "Give single frames with --image.");
    return m_processor->sampleFrames(film);
}

PromptTensors VlmPrompts::encode(const UserInput& input, const PromptLimits& limits) const {
    if (m_problem) throw *m_problem;
    const LayoutRules& rules = m_processor->layout();
    PromptTensors out;
    PromptText prompt = written(input, rules);
    out.notices = std::move(prompt.notices);
    Fillings fill;
    Expanded whole = explaining([&] {
        if (!input.images.empty()) {
            VisualInput seen = m_processor->process(input.images);
            addTensors(seen, out.item);
            fill.images = std::move(seen.images);
        }
        if (!input.video.frames.empty()) {
            VisualInput seen = m_processor->processVideo(input.video.frames, input.video.timing);
            addTensors(seen, out.item);
            fill.videos = std::move(seen.videos);
        }
        return expanded(prompt.text, rules, fill);
    });
    listPictures(fill, input, rules, out);
    out.text = prompt.text = std::move(whole.text);
    out.features = std::move(whole.features);
    // Only the image token may lie beyond the embedding; requireFitting says so of the others.
    out.encoding = m_reader.encode(prompt, std::int64_t{1} << 40);
    requireFitting(out, m_reader, limits);
    if (out.images.empty())
        requireLength(out, limits);
    else
        explaining([&] { requireLength(out, limits); });
    const std::vector<std::int64_t> ids(out.encoding.ids.begin(), out.encoding.ids.end());
    out.item["input_ids"] = at::tensor(ids, at::kLong).unsqueeze(0);
    out.item["attention_mask"] = at::ones({1, static_cast<std::int64_t>(ids.size())}, at::kLong);
    return out;
}

}  // namespace fovea
