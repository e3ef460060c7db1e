#pragma once

#include <memory>
#include <string>

#include "nn/vlm_model.h"

namespace fovea {

/// Builds and loads a model of tiles shuffled into few tokens in a Llama: Idefics3 and SmolVLM differ in their names and
/// image processors alone.
std::shared_ptr<const Model> loadIdefics(const std::string& family, const ModelSource& source,
                                         const LoadOptions& options, const JobContext& job);

}  // namespace fovea
