#pragma once

#include <string>
#include <vector>

#include "fovea/model.h"
#include "fovea/token_map.h"
#include "nn/block_stack.h"
#include "nn/input_tensors.h"

namespace fovea {

/// Which position of a text stands for all of it.
enum class TextPooling {
    FirstEnd,   ///< the first end-of-text token (CLIP)
    LargestId,  ///< the largest token id (CLIP configurations with eos_token_id 2)
    Last,       ///< the last position (SigLIP)
};

/// A text tower: token and position embeddings into a stack of blocks.
struct TextTransformerSpec {
    BlockStackSpec blocks;
    std::int64_t vocabulary = 49408;
    std::int64_t positions = 77;  ///< longest text
    std::string prefix;           ///< "text_model."
    TextPooling pooling = TextPooling::FirstEnd;
    std::int64_t endToken = 49407;
    std::string projection;  ///< matrix on the pooled vector
    std::int64_t projectionSize = 512;
    Bias projectionBias = Bias::None;
};

class TextTransformer {
public:
    explicit TextTransformer(TextTransformerSpec spec) : m_spec(std::move(spec)), m_blocks(m_spec.blocks) {}

    const TextTransformerSpec& spec() const { return m_spec; }
    void describe(ModelSpec& model);
    void visit(WeightVisitor& weights);
    /// input_ids, attention_mask, position_ids.
    std::vector<InputTensor> accepted() const;
    /// Checks the tensors of an item and says what its tokens are; throws Error (Input).
    StageTokens tokensOf(const TensorItem& item) const;

    struct Result {
        at::Tensor hidden;  // [1, tokens, hidden], after the final norm
        at::Tensor embed;   // [1, size], not normalised
    };
    Result run(Forward& forward) const;

private:
    std::int64_t pooledPosition(const at::Tensor& ids) const;
    /// Causal and padding mask in one, as the reference adds it; undefined where there is no padding.
    at::Tensor maskBias(const at::Tensor& mask) const;

    TextTransformerSpec m_spec;
    BlockStack m_blocks;
    at::Tensor m_tokens, m_positions;
    LayerNorm m_norm;
    Linear m_projection;
};

}  // namespace fovea
