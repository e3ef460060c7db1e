#include "nn/model_source.h"

#include "io/checkpoint_file.h"

namespace fovea {

ModelSource ModelSource::open(const std::string& reference) {
    return ModelSource(resolveModel(reference));
}

namespace {

/// A trace file has no configuration: it is a model of the family `replay`.
ConfigView configOf(const ResolvedModel& files) {
    if (files.format == ModelFormat::Trace) return {{{"model_type", "replay"}}, files.reference};
    return readModelConfig(files);
}

}  // namespace

ModelSource::ModelSource(ResolvedModel files)
    : m_files(std::move(files)),
      m_config(configOf(m_files)),
      m_identity(identifyModel(m_files, m_config)),
      m_weights(WeightStore::open(m_files)) {
    // Whatever a timm export resembles, it is read and preprocessed as timm does.
    if (m_files.format == ModelFormat::Timm) m_identity.modelType = "timm";
}

bool ModelSource::hasPrefix(const std::string& prefix) const {
    for (const TensorInfo& tensor : m_weights->tensors())
        if (tensor.name.starts_with(prefix)) return true;
    return false;
}

std::string ModelSource::basePrefix(const std::string& prefix, const std::string& probe) const {
    if (hasPrefix(prefix + probe)) return prefix;
    if (hasPrefix(probe)) return "";
    return m_identity.architecture.ends_with("Model") ? "" : prefix;
}

bool ModelSource::classifies(const std::string& className) const {
    if (m_identity.architecture.empty()) return m_weights->contains("classifier.weight");
    return m_identity.architecture == className + "ForImageClassification";
}

std::string ModelSource::name() const {
    return m_files.folder.empty() || m_files.format == ModelFormat::LoneWeights ? m_files.reference
                                                                                : m_files.folder.string();
}

}  // namespace fovea
