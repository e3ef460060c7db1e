// BLIP (Li et al. 2022): a decoder that describes a picture, or answers a question about it, by attention to it.
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

BlipTextSpec textStack(const ConfigView& config, std::int64_t visionHidden) {
    BlipTextSpec text;
    text.hidden = config.integer("hidden_size", 768, {1, 1 << 16});
    // The reference's model writes the tower's size over what the file says; it must be a size all the same.
    config.integer("encoder_hidden_size", visionHidden, {1, 1 << 16});
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

bool answersQuestions(const ModelSource& source) {
    const std::string& architecture = source.identity().architecture;
    if (architecture.empty()) return source.hasPrefix("text_encoder.");
    return architecture == "BlipForQuestionAnswering";
}

std::shared_ptr<const Model> loadBlip(const ModelSource& source, const LoadOptions& options, const JobContext& job) {
    const ConfigView& config = source.config();
    BlipModel::Parts parts;
    parts.tower = visionTower(config.section("vision_config"), "vision_model.");
    parts.finalNorm = "vision_model.post_layernorm";
    const ConfigView text = config.section("text_config");
    parts.decoder = textStack(text, parts.tower.blocks.hidden);
    if (answersQuestions(source)) {
        parts.question = parts.decoder;
        parts.question->stage = parts.decoder.keyStage = "text_encoder";
        parts.question->causal = false;
        parts.question->prefix = "text_encoder.";
        parts.decoder.encoderHidden = parts.decoder.hidden;
    }
    const auto limit = parts.decoder.vocabulary - 1;
    parts.beginToken = static_cast<int>(text.integer("bos_token_id", 30522, {0, limit}));
    parts.endToken = static_cast<int>(text.integer("sep_token_id", 102, {0, limit}));
    parts.prompts = std::make_shared<const VlmPrompts>(source.files().folder, "blip", config.json(), RawPrompt::AsGiven);
    parts.ignored = {"text_decoder.bert.pooler.*", "text_encoder.pooler.*", "*.position_ids"};
    auto model = std::make_shared<BlipModel>(std::move(parts));
    model->load("blip", source, options, job);
    return model;
}

}  // namespace

void add_blip(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"blip", "BLIP", "Describes a picture or answers a question; its text attends to the picture (Li et al. 2022).", {}};
    entry.modelTypes = {"blip"};
    entry.architectures = {"BlipForConditionalGeneration", "BlipForQuestionAnswering"};
    entry.load = loadBlip;
    catalog.add(std::move(entry));
}

}  // namespace fovea
