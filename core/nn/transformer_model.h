#pragma once

#include <memory>
#include <string>
#include <vector>

#include "attention/forward.h"
#include "fovea/model.h"
#include "fovea/open_model.h"
#include "nn/input_tensors.h"
#include "nn/model_source.h"
#include "nn/placement.h"
#include "nn/weight_visitor.h"

namespace fovea {

/// The sizes that the memory of a stage's blocks follows from.
struct StageCost {
    std::string stage;
    std::int64_t hidden = 0;
    std::int64_t attentionWidth = 0;  ///< heads * head_dim
    std::int64_t heads = 0;
    std::int64_t mlpWidth = 0;  ///< values a token between the matrices of the feed-forward part
    std::int64_t layers = 0;
    std::int64_t biases = 0;  ///< distinct biases [heads, tokens, tokens] added to the logits: 0, 1 or layers
    std::int64_t keyValueWidth = 0;  ///< key-value heads * head_dim; 0: as attentionWidth
    std::int64_t vocabulary = 0;     ///< columns of the head over the vocabulary; 0: none
};

/// What families share: identity, weights, device and memory estimates. A family says which weights it has
/// and how it runs.
class TransformerModel : public Model {
public:
    const ModelSpec& spec() const override { return m_spec; }
    void run(const ModelInput& input, int item, Forward& forward) const override;
    MemoryEstimate estimate(const ModelInput& input, const CaptureRequest& capture,
                            bool gradients) const override;

    /// Describes the model, matches its weight table with the files and fills the weights in. Throws Error
    /// (Input) listing every missing and misshaped tensor, unless the options are not strict: then the model
    /// can be looked at but not run.
    void load(const std::string& family, const ModelSource& source, const LoadOptions& options,
              const JobContext& job);

protected:
    /// Adds stages, sites, labels and inputs.
    virtual void describe(ModelSpec& spec) = 0;
    virtual void visit(WeightVisitor& weights) = 0;
    virtual void runItem(Forward& forward) const = 0;
    virtual std::vector<StageCost> costs() const = 0;
    /// Adds to the weight-name table what a visitor cannot say: other spellings of a name.
    virtual void amend(WeightPlan& plan) const { static_cast<void>(plan); }
    /// Names that may lie in the files without being used.
    virtual std::vector<std::string> ignoredWeights() const { return {}; }

    /// Moves an item's tensors to the device of the run.
    TensorItem placed(TensorItem item) const;
    /// estimate() of an input parts of whose tower's work have token maps of their own.
    MemoryEstimate estimateWithParts(const ModelInput& input, const std::vector<TokenMap>& parts,
                                     const CaptureRequest& capture, bool gradients) const;
    /// Every run begins with this: lets the adapters take part; throws Error (Input) where tensors are missing or
    /// misshaped.
    void begin(Forward& forward) const;
    void notice(const std::string& text) { m_notices.push_back(text); }

private:
    ModelSpec m_spec;
    Placement m_placement;
    std::vector<std::string> m_notices;
    std::shared_ptr<const AdapterSet> m_adapters;
    std::string m_problem;  ///< why the model cannot run; empty when it can
};

}  // namespace fovea
