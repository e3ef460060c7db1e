// BEiT (Bao et al. 2022): relative position bias of its own in every block or shared by all, layer scale,
// mean pooling.
#include <ATen/TensorOperators.h>

#include "attention/forward.h"
#include "fovea/catalog.h"
#include "nn/vision_model.h"
#include "nn/vit_config.h"

namespace fovea {
namespace {

/// Scores over the visual vocabulary for every patch (masked image modelling).
class VisualTokenHead : public VisionHead {
public:
    VisualTokenHead(std::int64_t hidden, std::int64_t vocabulary, double eps, std::string towerNorm)
        : m_hidden(hidden), m_vocabulary(vocabulary), m_towerPath(std::move(towerNorm)) {
        m_norm.eps = m_towerNorm.eps = eps;
    }
    void visit(WeightVisitor& weights) override {
        if (!m_towerPath.empty()) weights.norm(m_towerNorm, m_towerPath, m_hidden);
        weights.norm(m_norm, "layernorm", m_hidden);
        weights.linear(m_scores, "lm_head", m_vocabulary, m_hidden);
    }
    void run(const VisionTokens& tokens, Forward& forward) const override {
        const at::Tensor stream = m_norm(m_towerNorm.defined() ? m_towerNorm(tokens.hidden) : tokens.hidden);
        const std::int64_t first =
            tokens.kept.defined() ? (tokens.kept < tokens.prefix).sum().item<std::int64_t>() : tokens.prefix;
        forward.output("logits", forward.linear(m_scores, stream.narrow(1, first, stream.size(1) - first)));
    }

private:
    std::int64_t m_hidden, m_vocabulary;
    std::string m_towerPath;
    LayerNorm m_towerNorm, m_norm;
    Linear m_scores;
};

void addBlocks(VisionTransformerSpec& tower, const ConfigView& config, const std::string& prefix) {
    BlockStackSpec& blocks = tower.blocks;
    const std::string layer = prefix + "encoder.layer.{i}.";
    blocks.names = vitBlockNames(prefix);
    blocks.keyBias = Bias::None;
    if (config.number("layer_scale_init_value", 0.1) > 0) {
        blocks.names.scale1 = layer + "lambda_1";
        blocks.names.scale2 = layer + "lambda_2";
    }
    const std::string table = "relative_position_bias.relative_position_bias_table";
    if (config.boolean("use_relative_position_bias", false))
        blocks.names.relativeBias = layer + "attention.attention." + table;
    if (config.boolean("use_shared_relative_position_bias", false))
        tower.sharedRelativeBias = prefix + "encoder." + table;
    if (!config.boolean("use_absolute_position_embeddings", false)) tower.positions.name.clear();
    tower.positions.squareTable = true;
}

std::shared_ptr<const Model> loadBeit(const ModelSource& source, const LoadOptions& options,
                                      const JobContext& job) {
    const ConfigView& config = source.config();
    const std::string prefix = source.basePrefix("beit.", "embeddings.");
    VisionModelParts parts;
    VisionTransformerSpec& tower = parts.tower;
    tower = readVitSizes(config, {});
    addVitEmbeddings(tower, prefix);
    addBlocks(tower, config, prefix);
    const std::string& architecture = source.identity().architecture;
    tower.attentionMask = !source.classifies("Beit");
    parts.ignored = {"*relative_position_index"};

    const bool mean = config.boolean("use_mean_pooling", true);
    const std::int64_t hidden = tower.blocks.hidden;
    const double eps = tower.blocks.eps;
    if (architecture == "BeitForMaskedImageModeling") {
        const std::int64_t vocabulary = config.integer("vocab_size", 8192, {1, 1 << 24});
        parts.head =
            std::make_unique<VisualTokenHead>(hidden, vocabulary, eps, mean ? "" : prefix + "layernorm");
        return loadVisionModel("beit", std::move(parts), source, options, job);
    }
    StandardHeadSpec head;
    head.hidden = hidden;
    head.eps = eps;
    if (mean) {
        head.pooling = Pooling::PatchMean;
        head.pooledNorm = prefix + "pooler.layernorm";
    } else {
        head.finalNorm = prefix + "layernorm";
    }
    if (source.classifies("Beit")) {
        head.labels = config.labelCount(2);
        head.classifier = "classifier";
        parts.labels = classLabels(config, head.labels);
    } else if (mean && !source.weights().contains(prefix + "pooler.layernorm.weight")) {
        head.pooling = Pooling::None;
        head.pooledNorm.clear();
    }
    if (!architecture.empty() && architecture != "BeitModel" && head.classifier.empty())
        parts.notices.push_back(headNotice(architecture, "BeitModel"));
    parts.head = std::make_unique<StandardHead>(std::move(head));
    return loadVisionModel("beit", std::move(parts), source, options, job);
}

}  // namespace

void add_beit(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"beit", "BEiT", "Vision transformer with relative position bias (Bao et al. 2022).", {}};
    entry.modelTypes = {"beit"};
    entry.architectures = {"BeitModel", "BeitForImageClassification", "BeitForMaskedImageModeling",
                           "BeitBackbone", "BeitForSemanticSegmentation"};
    entry.load = loadBeit;
    catalog.add(std::move(entry));
}

}  // namespace fovea
