#include "io/checkpoint_file.h"

#include <string_view>

#include "fovea/error.h"
#include "io/pickle.h"
#include "io/safetensors.h"

namespace fovea {
namespace {

WeightFormat formatOf(std::span<const std::byte> bytes, const std::string& source) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (text.starts_with("version https://git-lfs"))
        throw Error(source + ": expected weights, found a Git LFS pointer",
                    "The repository was cloned without its large files: run `git lfs pull` in it.");
    if (text.starts_with("<"))
        throw Error(source + ": expected weights, found a web page or XML text",
                    "The download failed; fetch the file again.");
    // Byte 8 of a safetensors file opens its header; that of a pickle or a zip archive is something else.
    const bool header = text.size() > 8 && text[8] == '{';
    if (!header && (text.starts_with("PK") || text.starts_with("\x80"))) return WeightFormat::Pickle;
    return WeightFormat::Safetensors;
}

}  // namespace

CheckpointFile openCheckpointFile(const std::filesystem::path& path, WeightFormat format) {
    CheckpointFile checkpoint;
    checkpoint.file = MappedFile::open(path);
    const std::string source = path.string();
    const auto bytes = checkpoint.file->bytes();
    const WeightFormat found = formatOf(bytes, source);
    checkpoint.format = format == WeightFormat::None ? found : format;
    if (checkpoint.format == WeightFormat::Pickle) {
        checkpoint.tensors = readPickledTensors(bytes, source);
    } else {
        SafetensorsHeader header = parseSafetensors(bytes, source);
        checkpoint.tensors = std::move(header.tensors);
        checkpoint.metadata = std::move(header.metadata);
    }
    return checkpoint;
}

ConfigView readModelConfig(const ResolvedModel& model) {
    if (model.format == ModelFormat::Transformers || model.format == ModelFormat::DiffusersComponent)
        return ConfigView::read(model.configFile);
    if (model.format == ModelFormat::Trace)
        return ConfigView({{"model_type", "replay"}}, model.weightFiles.front().string());
    if (model.format == ModelFormat::DiffusersPipeline)
        throw Error(model.reference + ": has no single configuration", {}, ErrorCode::Internal);

    std::map<std::string, std::vector<std::int64_t>> shapes;
    for (const auto& path : model.weightFiles)
        for (TensorInfo& tensor : openCheckpointFile(path).tensors)
            shapes[tensor.name] = std::move(tensor.shape);
    const std::string source =
        model.format == ModelFormat::Timm ? model.configFile.string() : model.weightFiles.front().string();
    if (model.format == ModelFormat::LoneWeights) return configFromTensors(shapes, source);
    return configFromTimm(ConfigView::read(model.configFile), shapes);
}

ModelIdentity identifyModel(const ResolvedModel& model, const ConfigView& config) {
    return identifyConfig(config, model.format);
}

}  // namespace fovea
