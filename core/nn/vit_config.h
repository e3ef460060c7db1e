#pragma once

#include "io/hf_config.h"
#include "nn/vision_transformer.h"

namespace fovea {

/// Keys by which a family's configuration spells the sizes of its tower, with the reference class's defaults.
struct VitDefaults {
    std::int64_t hidden = 768, layers = 12, heads = 12, intermediate = 3072, image = 224, patch = 16;
    double eps = 1e-12;
    std::string activation = "gelu";
};

/// Reads sizes, norms and activation that all vision configurations share; throws Error (Input) for what
/// cannot be built (hidden size that is no multiple of the heads, a patch larger than the picture).
VisionTransformerSpec readVitSizes(const ConfigView& config, const VitDefaults& defaults);

/// Paths of the blocks in files of ViT's layout (ViT, DeiT, MAE, BEiT): "encoder.layer.{i}. ..." after a
/// prefix.
BlockNames vitBlockNames(const std::string& prefix);

/// Paths in files of timm's and the DINO repositories' layout: "blocks.{i}. ...".
BlockNames timmBlockNames(const std::string& prefix);

/// Embeddings of ViT's layout: class token, learned positions, patches with bias, optional mask token.
void addVitEmbeddings(VisionTransformerSpec& spec, const std::string& prefix);

}  // namespace fovea
