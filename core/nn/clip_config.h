#pragma once

#include "nn/model_source.h"
#include "nn/text_transformer.h"
#include "nn/vision_transformer.h"
#include "nn/vit_config.h"

namespace fovea {

/// Paths of the blocks in files of CLIP's layout (CLIP, SigLIP, SigLIP 2): "encoder.layers.{i}. ..." after a
/// prefix.
BlockNames clipBlockNames(const std::string& prefix);

/// The configuration of one tower: the section of a model of two towers (older files override it by
/// `NAME_dict`), or the whole configuration of a model that is that tower alone.
ConfigView towerConfig(const ModelSource& source, const std::string& section);

/// A vision tower of that layout; the class token is CLIP's alone.
VisionTransformerSpec clipVisionTower(const ConfigView& config, const std::string& prefix,
                                      const VitDefaults& defaults);

struct TextDefaults {
    std::int64_t hidden = 512, layers = 12, heads = 8, intermediate = 2048, vocabulary = 49408,
                 positions = 77;
    double eps = 1e-5;
    std::string activation = "quick_gelu";
};

/// A text tower of that layout.
TextTransformerSpec clipTextTower(const ConfigView& config, const TextDefaults& defaults);

}  // namespace fovea
