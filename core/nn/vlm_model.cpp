#include "nn/vlm_model.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/add.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/index_copy.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>

#include "fovea/error.h"
#include "nn/language_model.h"
#include "nn/towers/windowed_tower.h"
#include "nn/vlm_tokens.h"

namespace fovea {
namespace {

constexpr const char* kTower = "vision";

// Values [image tokens, hidden] at their places in a stream [1, n, hidden] of which `kept` (or all) are left.
at::Tensor addedAt(const at::Tensor& x, const at::Tensor& places, const at::Tensor& values, const at::Tensor& kept,
                   std::int64_t length) {
    at::Tensor all = at::zeros({length, x.size(2)}, x.options());
    all = at::index_copy(all, 0, places, values.to(x.scalar_type()));
    if (kept.defined()) all = all.index_select(0, kept);
    return at::add(x, all.unsqueeze(0));
}

const VlmInput& vlmInput(const ModelInput& input) {
    const auto* found = dynamic_cast<const VlmInput*>(&input);
    if (!found) throw Error("the input was not encoded by this model", {}, ErrorCode::Internal);
    return *found;
}

// The squares of a picture's view, smaller at its right and lower edge, as parts of the original.
std::vector<Rect> windowsOf(const VisionImage& picture, std::int64_t side) {
    std::vector<Rect> windows;
    if (side <= 0 || picture.tiles.empty()) return windows;
    const VisionTile& view = picture.tiles.front();
    for (std::int64_t top = 0; top < view.seen.height; top += side)
        for (std::int64_t left = 0; left < view.seen.width; left += side)
            windows.push_back(originalRect(view, {static_cast<double>(left), static_cast<double>(top),
                                                  static_cast<double>(std::min<std::int64_t>(side, view.seen.width - left)),
                                                  static_cast<double>(std::min<std::int64_t>(side, view.seen.height - top))}));
    return windows;
}

}  // namespace

VlmModel::VlmModel(VlmParts parts)
    : m_tower(std::move(parts.tower)),
      m_decoder(std::move(parts.decoder)),
      m_family(std::move(parts.family)),
      m_tokens(parts.tokens),
      m_endTokens(std::move(parts.endTokens)),
      m_rules(std::move(parts.rules)),
      m_ignored(std::move(parts.ignored)),
      m_prompts(std::move(parts.prompts)) {
    for (const std::string& text : m_prompts->notices()) notice(text);
    for (const std::string& text : parts.notices) notice(text);
}

std::vector<InputTensor> VlmModel::accepted() const {
    using Values = InputTensor::Values;
    std::vector<InputTensor> inputs{{"input_ids", 2, Values::Integer}, {"attention_mask", 2, Values::Integer}};
    for (InputTensor& input : m_family->accepted()) inputs.push_back(std::move(input));
    return inputs;
}

void VlmModel::describe(ModelSpec& spec) {
    m_tower->describe(spec);
    m_decoder.describe(spec);
    for (const InputTensor& input : accepted()) spec.inputs.push_back(input.name);
    spec.capabilities.generate = m_decoder.hasHead();
    spec.generation = m_rules;
}

void VlmModel::visit(WeightVisitor& weights) {
    m_tower->visit(weights);
    m_family->visit(weights);
    m_decoder.visit(weights);
}

std::vector<StageCost> VlmModel::costs() const {
    std::vector<StageCost> costs = m_tower->costs();
    costs.push_back(m_decoder.cost());
    return costs;
}

MemoryEstimate VlmModel::estimate(const ModelInput& given, const CaptureRequest& capture, bool gradients) const {
    const auto* input = dynamic_cast<const VlmInput*>(&given);
    // The tokens of a lone pass are in the map of the whole.
    const bool several = input && input->partTokens.size() > 1;
    return estimateWithParts(given, several ? input->partTokens : std::vector<TokenMap>(), capture, gradients);
}

VlmModel::Vision VlmModel::see(const VlmInput& input, Forward& forward) const {
    TensorItem item;
    for (const InputTensor& name : accepted())
        if (const at::Tensor tensor = forward.input(name.name); tensor.defined()) {
            item[name.name] = tensor;
            item[asGiven(name.name)] = forward.given(name.name);
        }
    Vision vision;
    std::vector<at::Tensor> tokens;
    std::vector<std::vector<at::Tensor>> deep;
    std::size_t part = 0;
    // As the map has them: the tensors alone do not say which views make up a picture.
    std::vector<std::size_t> counts;
    for (const PictureViews& views : input.views) counts.push_back(views.size());
    const std::vector<VlmPicture> pictures = grouped(m_family->pictures(item, *m_tower), counts);
    for (std::size_t i = 0; i < pictures.size(); ++i) {
        std::vector<VisionFeatures> features;
        for (TowerInput pass : pictures[i].passes) {
            const bool alone = input.partPrefixes.size() == 1;
            pass.resumable = alone;
            if (!alone) forward.beginPart(input.partPrefixes[part], input.partTokens[part]);
            features.push_back(m_tower->run(pass, forward));
            if (!alone) forward.endPart();
            ++part;
        }
        const auto collect = [&](auto&& of) {
            std::vector<at::Tensor> parts;
            for (const VisionFeatures& f : features) parts.push_back(of(f));
            return m_family->packed(pictures[i], input.cells[i], parts);
        };
        tokens.push_back(collect([](const VisionFeatures& f) { return f.tokens; }));
        deep.resize(features.front().deep.size());
        for (std::size_t level = 0; level < deep.size(); ++level)
            deep[level].push_back(collect([&](const VisionFeatures& f) { return f.deep[level]; }));
    }
    if (tokens.empty()) return vision;
    vision.tokens = at::cat(tokens, 0);
    for (const auto& level : deep) vision.deep.push_back(at::cat(level, 0));
    return vision;
}

VlmModel::Vision VlmModel::seen(const VlmInput& input, Forward& forward) const {
    if (input.cells.empty()) return {};
    std::vector<at::Tensor> kept = forward.kept(kTower, {}, [&] {
        const bool processed = !input.pictures.empty();  // by the folder's own processor, or by its defaults
        Vision vision = processed ? m_prompts->explaining([&] { return see(input, forward); }) : see(input, forward);
        vision.deep.insert(vision.deep.begin(), vision.tokens);
        return vision.deep;
    });
    Vision vision;
    vision.tokens = kept.front();
    vision.deep.assign(kept.begin() + 1, kept.end());
    return vision;
}

void VlmModel::run(const ModelInput& given, int, Forward& forward) const {
    begin(forward);
    const VlmInput& input = vlmInput(given);
    const Vision vision = seen(input, forward);
    const std::int64_t length = input.tokens.size(1);
    DecoderPass pass;
    pass.embed = [&] {
        const at::Tensor x = m_decoder.embedTokens(input.tokens, forward);
        if (!vision.tokens.defined()) return x;
        return at::index_copy(x, 1, input.places, vision.tokens.to(x.scalar_type()).unsqueeze(0));
    };
    pass.positions = input.positions;
    pass.mask = input.mask;
    if (vision.tokens.defined()) pass.reads = {kTower};
    if (!vision.deep.empty())
        pass.beforeBlock = [&](int block, const at::Tensor& x) {
            const auto level = static_cast<std::size_t>(block) - 1;
            if (block < 1 || level >= vision.deep.size()) return x;
            return addedAt(x, input.places, vision.deep[level], forward.keptTokens(m_decoder.spec().stage), length);
        };
    const at::Tensor hidden = m_decoder.run(pass, forward);
    if (m_decoder.hasHead())
        outputLogits(m_decoder, hidden, forward);
    else
        forward.output("last_hidden_state", hidden);
}

void VlmModel::runNext(const ModelInput& given, int, const std::vector<int>& ids, Forward& forward) const {
    begin(forward);
    const VlmInput& input = vlmInput(given);
    const at::Tensor next = nextTokens(ids, input.tokens.device());
    DecoderPass pass;
    pass.embed = [&] { return m_decoder.embedTokens(next, forward); };
    pass.positions = at::arange(next.size(1), next.options()) + (forward.past() + input.ahead);
    if (input.positions.dim() == 2)
        pass.positions = pass.positions.unsqueeze(0).expand({input.positions.size(0), next.size(1)});
    pass.mask = continued(input.mask, forward.past() + next.size(1));
    outputLogits(m_decoder, m_decoder.run(pass, forward), forward);
}

// The item's own input_ids stay those of the prompt: an answer shows no picture, whatever its ids.
std::shared_ptr<ModelInput> VlmModel::withAnswer(const ModelInput& given, int, const std::vector<int>& ids) const {
    auto longer = std::make_shared<VlmInput>(vlmInput(given));
    const std::int64_t prompt = longer->tokens.size(1), length = prompt + static_cast<std::int64_t>(ids.size());
    longer->tokens = followedBy(longer->tokens, ids);
    at::Tensor next = at::arange(prompt, length, longer->positions.options()) + longer->ahead;
    if (longer->positions.dim() == 2) next = next.unsqueeze(0).expand({longer->positions.size(0), -1});
    longer->positions = at::cat({longer->positions, next}, -1);
    longer->mask = continued(longer->mask, length);
    return longer;
}

std::string VlmModel::tokenText(int id) const { return m_prompts->reader().shown(id); }

std::shared_ptr<const ModelInput> VlmModel::encode(const UserInput& input) const {
    if (!input.tensors.empty() && (!input.prompt.empty() || !input.chat.empty()))
        throw Error("expected a prompt or --tensors, found both", "Leave one of them out.", ErrorCode::Usage);
    return input.tensors.empty() ? fromPrompt(input) : fromTensors(input);
}

void VlmModel::complete(VlmInput& input, const TensorItem& item, const std::vector<VlmPicture>& pictures) const {
    for (const VlmPicture& picture : pictures) input.cells.push_back(m_family->cells(picture, *m_tower));
    describePictures(input, pictures);
    describeText(input, item, pictures);
    input.positions = m_family->positions(item, pictures);
    input.ahead = input.positions.max().item<std::int64_t>() + 1 - input.tokens.size(1);
    input.mask = m_family->mask(item);
    input.mainTensor = "input_ids";
    for (const char* name : {"pixel_values_videos", "pixel_values"})
        if (item.count(name)) input.mainTensor = name;
    if (input.originals.empty()) input.originals.emplace_back();
    input.seen.resize(input.originals.size());
    input.transforms.resize(input.originals.size());
    input.items.push_back(item);
}

std::shared_ptr<const ModelInput> VlmModel::fromTensors(const UserInput& user) const {
    const TensorItem item = placed(readPromptTensors(user.tensors, accepted()));
    if (!item.count("input_ids")) throw Error("--tensors: expected input_ids, found none",
                                              "Add input_ids to the file, or give --image and --prompt.");
    auto input = std::make_shared<VlmInput>();
    input->allLogits = true;
    input->maps.emplace_back();
    input->originals = user.images;
    input->notices = doubtfulTensors(item, {m_tokens.image, m_tokens.video});
    complete(*input, item, m_family->pictures(item, *m_tower));
    return input;
}

std::shared_ptr<const ModelInput> VlmModel::fromPrompt(const UserInput& user) const {
    if (user.prompt.empty() && user.chat.empty() && user.images.empty() && user.video.frames.empty())
        throw Error("the model needs a prompt, found none", "Give one with --prompt, and pictures with --image.",
                    ErrorCode::Usage);
    PromptTensors prompt =
        m_prompts->encode(user, {m_decoder.spec().vocabulary, m_decoder.spec().positions, m_tokens.image, m_tokens.video});
    if (prompt.images.empty()) return fromEncoded(std::move(prompt));
    return m_prompts->explaining([&] { return fromEncoded(std::move(prompt)); });
}

std::shared_ptr<const ModelInput> VlmModel::fromEncoded(PromptTensors prompt) const {
    m_family->addPromptTensors(prompt.item, m_tokens);
    const TensorItem item = placed(prompt.item);
    auto input = std::make_shared<VlmInput>();
    input->maps.emplace_back();
    input->black = m_prompts->black();
    input->notices = prompt.notices;
    const std::vector<VlmPicture> pictures = regrouped(m_family->pictures(item, *m_tower), prompt.images);
    std::vector<ImageGeometry>& known = input->maps.front().images;
    for (std::size_t i = 0; i < prompt.images.size(); ++i) {
        const VisionImage& image = prompt.images[i];
        input->views.push_back(viewsOfImage(image, pictures[i], static_cast<int>(known.size())));
        const ImageGeometry geometry = geometryOf(image, m_family->cells(pictures[i], *m_tower), pictures[i], *m_tower);
        for (const ShownPicture& shown : prompt.shown[i]) {
            const VisionTile& tile = image.tiles[shown.tile];
            input->originals.push_back(*shown.original);
            input->seen.push_back(tile.seen);
            input->transforms.push_back(tile.transform);
            input->frames.push_back(shown.name);
            known.push_back(geometry);
        }
    }
    complete(*input, item, pictures);
    describePrompt(*input, prompt);
    input->pictures = std::move(prompt.images);
    const auto* windowed = dynamic_cast<const WindowedTower*>(m_tower.get());
    for (const VisionImage& picture : input->pictures)
        input->windows.push_back(windowsOf(picture, windowed ? windowed->windowPixels() : 0));
    return input;
}

// Texts of tokens from the prompt's own bytes; rectangles of image tokens from the processor's layout.
void VlmModel::describePrompt(VlmInput& input, const PromptTensors& prompt) const {
    StageTokens& stage = input.maps.front().stages.back();
    const StageTokens written = promptTokens(m_prompts->reader(), stage.stage, prompt.text, prompt.encoding);
    std::size_t feature = 0;
    for (std::size_t i = 0; i < stage.tokens.size(); ++i) {
        Token& token = stage.tokens[i];
        const bool isPicture = prompt.encoding.ids[i] == m_tokens.image || prompt.encoding.ids[i] == m_tokens.video;
        if (!isPicture || feature >= prompt.features.size())
            token = written.tokens[i];
        else if (const LayoutItem& item = prompt.features[feature++]; token.kind == TokenKind::Image)
            token.rect = item.rect;
    }
    input.text = prompt.text;
    input.ids = prompt.encoding.ids;
    input.spans = prompt.encoding.spans;
}

void VlmModel::describeText(VlmInput& input, const TensorItem& item,
                            const std::vector<VlmPicture>& pictures) const {
    const at::Tensor ids = item.at("input_ids").to(at::kLong);
    const at::Tensor isPicture = ids.eq(m_tokens.image).logical_or(ids.eq(m_tokens.video));
    const bool seen = !input.cells.empty();
    input.places = isPicture[0].nonzero().squeeze(1);
    std::int64_t features = 0;
    for (const auto& cells : input.cells) features += static_cast<std::int64_t>(cells.size());
    if (seen && input.places.size(0) != features)
        throw Error(fmt::format("input_ids: expected {} image tokens (id {}), as many as the pictures have "
                                "features, found {}",
                                features, m_tokens.image, input.places.size(0)),
                    "Prompt and pictures do not belong together, or the prompt was not expanded by the processor.");
    // Image tokens are overwritten: their ids may lie beyond the vocabulary.
    TensorItem plain = item;
    const bool beyond = std::max(m_tokens.image, m_tokens.video) >= m_decoder.spec().vocabulary;
    input.tokens = seen || beyond ? at::where(isPicture, 0, ids) : ids;
    plain["input_ids"] = input.tokens;
    plain.erase("position_ids");
    StageTokens tokens = textTokens(plain, m_decoder.spec(), &m_prompts->reader());
    const at::Tensor places = input.places.to(at::kCPU).contiguous();
    const std::int64_t* place = places.const_data_ptr<std::int64_t>();
    for (std::size_t i = 0; i < input.cells.size(); ++i)
        for (const FeatureCell& cell : input.cells[i])
            describeCell(tokens.tokens[static_cast<std::size_t>(*place++)], cell, pictures[i], input.views[i], *m_tower);
    input.maps.front().stages.push_back(std::move(tokens));
}

void VlmModel::describePictures(VlmInput& input, const std::vector<VlmPicture>& pictures) const {
    TokenMap& map = input.maps.front();
    const bool bare = input.views.empty();  // of tensors, which do not say which views make up a picture
    if (bare)
        for (const VlmPicture& picture : pictures) input.views.push_back(viewsOfTensors(picture, *m_tower, map.images));
    const bool alone = pictures.size() == 1 && pictures.front().passes.size() == 1;
    for (std::size_t i = 0; i < pictures.size(); ++i) {
        const std::vector<TowerInput>& passes = pictures[i].passes;
        const bool frames = pictures[i].kind == VlmPicture::Kind::Video && passes.size() > 1;
        for (std::size_t j = 0; j < passes.size(); ++j) {
            std::string prefix;
            // Frames count as pictures.
            if (pictures.size() > 1 || frames)
                prefix = fmt::format("image{}/", bare && !frames ? static_cast<int>(i) : input.views[i][j].images.front());
            if (passes.size() > 1 && !frames) prefix += fmt::format("tile{}/", j);
            input.partPrefixes.push_back(std::move(prefix));
            input.partTokens.push_back(passMap(passes[j], *m_tower, input.views[i][j], map.images));
            if (alone) map.stages.push_back(passTokens(passes[j], *m_tower, input.views[i][j]));
        }
    }
}

}  // namespace fovea
