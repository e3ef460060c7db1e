#pragma once

#include "nn/model_source.h"
#include "nn/vision_model.h"

namespace fovea {

/// Whether the files use timm's names ("patch_embed.proj", "blocks.{i}.attn.qkv"), as timm exports and the
/// lone files of DINO, DINOv2, DeiT and timm do.
bool hasTimmLayout(const ModelSource& source);

/// A vision transformer in timm's layout: parts that may be there or not are read off the files.
VisionModelParts timmParts(const ModelSource& source);

}  // namespace fovea
