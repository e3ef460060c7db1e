// DeiT with a distillation token (Touvron et al. 2021): two heads, whose logits are averaged.
#include <ATen/TensorOperators.h>

#include "attention/forward.h"
#include "fovea/catalog.h"
#include "nn/timm_vit.h"
#include "nn/vision_model.h"
#include "nn/vit_config.h"

namespace fovea {
namespace {

/// Classifiers on the class and on the distillation token.
class TeacherHead : public VisionHead {
public:
    TeacherHead(std::string norm, std::int64_t hidden, std::int64_t labels, double eps)
        : m_path(std::move(norm)), m_hidden(hidden), m_labels(labels) {
        m_norm.eps = eps;
    }
    void visit(WeightVisitor& weights) override {
        weights.norm(m_norm, m_path, m_hidden);
        weights.linear(m_class, "cls_classifier", m_labels, m_hidden);
        weights.linear(m_distillation, "distillation_classifier", m_labels, m_hidden);
    }
    void run(const VisionTokens& tokens, Forward& forward) const override {
        const at::Tensor stream = m_norm(tokens.hidden);
        const at::Tensor byClass = forward.linear(m_class, tokens.token(stream, 0));
        const at::Tensor byDistillation = forward.linear(m_distillation, tokens.token(stream, 1));
        forward.output("logits", (byClass + byDistillation) / 2);
        forward.output("cls_logits", byClass);
        forward.output("distillation_logits", byDistillation);
    }

private:
    std::string m_path;
    std::int64_t m_hidden, m_labels;
    LayerNorm m_norm;
    Linear m_class, m_distillation;
};

std::shared_ptr<const Model> loadDeit(const ModelSource& source, const LoadOptions& options,
                                      const JobContext& job) {
    if (hasTimmLayout(source)) return loadVisionModel("deit", timmParts(source), source, options, job);
    const ConfigView& config = source.config();
    const std::string prefix = source.basePrefix("deit.", "embeddings.");
    VisionModelParts parts;
    parts.tower = readVitSizes(config, {});
    addVitEmbeddings(parts.tower, prefix);
    parts.tower.attentionMask = true;
    BlockStackSpec& blocks = parts.tower.blocks;
    parts.tower.prefix.push_back({prefix + "embeddings.distillation_token",
                                  {1, 1, blocks.hidden},
                                  {{"distillation", "[DIST]", TokenKind::Special}}});
    parts.tower.positions.prefix = 2;
    blocks.names = vitBlockNames(prefix);
    blocks.queryBias = blocks.keyBias = blocks.valueBias =
        config.boolean("qkv_bias", true) ? Bias::Required : Bias::None;

    const std::string& architecture = source.identity().architecture;
    const std::int64_t labels = config.labelCount(2);
    const bool teacher = architecture.empty() && source.weights().contains("cls_classifier.weight");
    if (teacher || architecture == "DeiTForImageClassificationWithTeacher") {
        parts.head = std::make_unique<TeacherHead>(prefix + "layernorm", blocks.hidden, labels, blocks.eps);
        parts.labels = classLabels(config, labels);
    } else {
        StandardHeadSpec head;
        head.hidden = blocks.hidden;
        head.eps = blocks.eps;
        head.finalNorm = prefix + "layernorm";
        if (source.classifies("DeiT")) {
            head.labels = labels;
            head.classifier = "classifier";
            parts.labels = classLabels(config, labels);
        } else {
            head.dense = prefix + "pooler.dense";
            head.denseSize = config.integer("pooler_output_size", blocks.hidden, {1, 1 << 16});
            head.denseActivation = readActivation(config, "pooler_act", "tanh");
            if (!architecture.empty() && architecture != "DeiTModel")
                parts.notices.push_back(headNotice(architecture, "DeiTModel"));
        }
        parts.head = std::make_unique<StandardHead>(std::move(head));
    }
    return loadVisionModel("deit", std::move(parts), source, options, job);
}

}  // namespace

void add_deit(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"deit",
                  "DeiT",
                  "Data-efficient image transformer with a distillation token (Touvron et al. 2021).",
                  {}};
    entry.modelTypes = {"deit"};
    entry.architectures = {"DeiTModel", "DeiTForImageClassification", "DeiTForImageClassificationWithTeacher",
                           "DeiTForMaskedImageModeling"};
    entry.load = loadDeit;
    catalog.add(std::move(entry));
}

}  // namespace fovea
