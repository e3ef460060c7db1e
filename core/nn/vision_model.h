#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/transformer_model.h"
#include "nn/vision_head.h"
#include "nn/vision_input.h"
#include "nn/vision_transformer.h"

namespace fovea {

/// What a family hands over: the tower and its head as data, and what lies in the files unused.
struct VisionModelParts {
    VisionTransformerSpec tower;
    std::unique_ptr<VisionHead> head;
    std::vector<std::string> ignored;  ///< weight names, '*' matches any run
    std::vector<std::string> notices;
    std::vector<std::string> labels;
};

/// One vision tower with its head.
class VisionModel : public TransformerModel {
public:
    VisionModel(VisionModelParts parts, ImageProcessor processor);

    std::shared_ptr<const ModelInput> encode(const UserInput& input) const override;

protected:
    void describe(ModelSpec& spec) override;
    void visit(WeightVisitor& weights) override;
    void runItem(Forward& forward) const override;
    std::vector<StageCost> costs() const override;
    std::vector<std::string> ignoredWeights() const override { return m_ignored; }

private:
    VisionTransformer m_tower;
    std::unique_ptr<VisionHead> m_head;
    VisionInput m_input;
    std::vector<std::string> m_ignored, m_labels;
};

/// Builds and loads a vision model.
std::shared_ptr<const Model> loadVisionModel(const std::string& family, VisionModelParts parts,
                                             const ModelSource& source, const LoadOptions& options,
                                             const JobContext& job);

/// The preprocessing of a model's folder; for a lone weight file what its family usually takes.
ImageProcessor imageProcessorFor(const ModelSource& source, std::int64_t imageHeight);

/// The memory figures of a tower whose blocks add this many distinct biases.
StageCost costOf(const BlockStackSpec& blocks, std::int64_t biases);

/// Labels of a classifier with `count` outputs: those of the configuration where they are that many, else
/// LABEL_0, ...
std::vector<std::string> classLabels(const ConfigView& config, std::int64_t count);

/// A remark for a checkpoint whose head is not run: its weights are reported as unexpected.
std::string headNotice(const std::string& architecture, const std::string& runAs);

}  // namespace fovea
