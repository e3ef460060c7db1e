#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fovea/model_reference.h"
#include "io/hf_config.h"
#include "io/mapped_file.h"
#include "io/tensor_info.h"

namespace fovea {

/// One weight file, mapped, with its checked table of tensors; torch-free.
struct CheckpointFile {
    std::shared_ptr<const MappedFile> file;
    WeightFormat format = WeightFormat::Safetensors;
    std::vector<TensorInfo> tensors;
    std::map<std::string, std::string> metadata;  ///< of a safetensors file
};

/// Maps a safetensors or pickled (.bin, .pt, .pth) file; WeightFormat::None decides by content.
CheckpointFile openCheckpointFile(const std::filesystem::path& path,
                                  WeightFormat format = WeightFormat::None);

/// The configuration of a model: its config.json, or for a lone weight file what its tensors imply.
ConfigView readModelConfig(const ResolvedModel& model);
/// Its identity, with remote code and quantised checkpoints refused.
ModelIdentity identifyModel(const ResolvedModel& model, const ConfigView& config);

}  // namespace fovea
