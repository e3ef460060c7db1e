// BLIP (Li et al. 2022) as a captioner: a decoder whose blocks attend to the picture.
#include "fovea/catalog.h"
#include "nn/blip_model.h"
#include "nn/clip_config.h"

namespace fovea {
namespace {

VisionTransformerSpec visionTower(const ConfigView& config, const std::string& prefix) {
    VisionTransformerSpec tower = clipVisionTower(config, prefix, {768, 12, 12, 3072, 384, 16, 1e-5, "gelu"});
    BlockNames& names = tower.blocks.names;
    names.qkv = prefix + "encoder.layers.{i}.self_attn.qkv";
    names.output = prefix + "encoder.layers.{i}.self_attn.projection";
    tower.prefix = {classToken(prefix + "embeddings.class_embedding", tower.blocks.hidden)};
    tower.positions.name = prefix + "embeddings.position_embedding";
    tower.positions.leading = {1};
    tower.positions.prefix = 1;
    return tower;
}

BlipTextSpec textDecoder(const ConfigView& config, std::int64_t visionHidden) {
    BlipTextSpec text;
    text.hidden = config.integer("hidden_size", 768, {1, 1 << 16});
    // The reference's model writes the tower's size over what the file says.
    text.encoderHidden = visionHidden;
    text.intermediate = config.integer("intermediate_size", 3072, {1, 1 << 20});
    text.vocabulary = config.integer("vocab_size", 30524, {1, 1 << 26});
    text.positions = config.integer("max_position_embeddings", 512, {1, 1 << 20});
    text.layers = static_cast<int>(config.integer("num_hidden_layers", 12, {1, 1024}));
    text.heads = static_cast<int>(config.integer("num_attention_heads", 8, {1, 1024}));
    if (text.hidden % text.heads != 0)
        config.fail("num_attention_heads", "a divisor of hidden_size " + std::to_string(text.hidden),
                    std::to_string(text.heads));
    text.headDim = static_cast<int>(text.hidden / text.heads);
    text.eps = config.number("layer_norm_eps", 1e-12, {0, 1});
    text.activation = readActivation(config, "hidden_act", "gelu");
    return text;
}

std::shared_ptr<const Model> loadBlip(const ModelSource& source, const LoadOptions& options, const JobContext& job) {
    const ConfigView& config = source.config();
    BlipModel::Parts parts;
    parts.tower = visionTower(config.section("vision_config"), "vision_model.");
    parts.finalNorm = "vision_model.post_layernorm";
    parts.text = textDecoder(config.section("text_config"), parts.tower.blocks.hidden);
    parts.prompts = std::make_shared<const VlmPrompts>(source.files().folder, "blip", config.json(), RawPrompt::AsGiven);
    parts.ignored = {"text_decoder.bert.pooler.*", "*.position_ids"};
    auto model = std::make_shared<BlipModel>(std::move(parts));
    model->load("blip", source, options, job);
    return model;
}

}  // namespace

void add_blip(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"blip", "BLIP", "Describes a picture; every block of its decoder attends to it (Li et al. 2022).", {}};
    entry.modelTypes = {"blip"};
    entry.architectures = {"BlipForConditionalGeneration"};
    entry.load = loadBlip;
    catalog.add(std::move(entry));
}

}  // namespace fovea
