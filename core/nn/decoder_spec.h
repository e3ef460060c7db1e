#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nn/activation.h"
#include "nn/mlp.h"
#include "nn/norm.h"
#include "nn/rope.h"
#include "nn/weight_visitor.h"

namespace fovea {

/// Paths of a decoder's weights in the files; "{i}" stands for the block, an empty path for a part that is not there.
struct DecoderNames {
    std::string embedding;          ///< of tokens, without ".weight"
    std::string positionEmbedding;  ///< learned positions
    std::string norm1, query, key, value, queryNorm, keyNorm, output;
    std::string qkv;                ///< one matrix [in, 3 * out] for query, key and value (GPT-2)
    std::string afterAttention;     ///< norm of what the attention adds
    std::string norm2, mlpIn, mlpGate, mlpOut;
    std::string afterMlp;           ///< norm of what the feed-forward part adds
    std::string finalNorm;
    std::string head;               ///< matrix to the vocabulary; empty for a bare model
    std::string module;             ///< the attention, as AttentionSite::module spells it
};

/// What differs between the blocks of a decoder.
struct DecoderLayer {
    std::int64_t window = 0;  ///< keys that a query sees, itself included; 0: all before it
    int rope = 0;             ///< index into DecoderSpec::ropes
};

/// A causal language model (Llama, Qwen, Gemma, GPT-2 and their relatives) as data.
struct DecoderSpec {
    std::string stage = "text";
    int heads = 32, keyValueHeads = 32, headDim = 128;
    std::int64_t hidden = 4096, intermediate = 11008, vocabulary = 32000;
    std::int64_t positions = 2048;  ///< that the configuration names; a limit only with learned positions
    double eps = 1e-6;
    NormKind norm = NormKind::Rms;
    Activation activation = Activation::Silu;
    MlpKind mlp = MlpKind::Gated;
    Bias qkvBias = Bias::None, outputBias = Bias::None, mlpBias = Bias::None;
    bool transposed = false;        ///< matrices of the blocks are stored as [in, out] (GPT-2)
    std::vector<DecoderLayer> layers;
    std::vector<RopeSpec> ropes;
    double scale = 1;               ///< of the logits
    bool scaleByBlock = false;      ///< divided by the block's number, counted from 1 (GPT-2, Mistral's variant)
    double softcap = 0;             ///< of the attention logits; 0 means none
    double finalSoftcap = 0;        ///< of the output logits; 0 means none
    double embeddingScale = 1;
    bool tied = false;              ///< the head is the token embedding
    DecoderNames names;
};

}  // namespace fovea
