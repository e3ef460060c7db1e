#pragma once

#include <memory>
#include <string>

#include "fovea/model_reference.h"
#include "io/hf_config.h"
#include "io/weight_store.h"

namespace fovea {

/// What a family loads a model from: the files, their configuration, and the mapped weights.
class ModelSource {
public:
    /// Finds the files, reads the configuration and maps the weights; throws Error (Input) for what cannot be
    /// read.
    static ModelSource open(const std::string& reference);
    /// The same for files that are already found.
    explicit ModelSource(ResolvedModel files);

    const ResolvedModel& files() const { return m_files; }
    const ConfigView& config() const { return m_config; }
    const ModelIdentity& identity() const { return m_identity; }
    const WeightStore& weights() const { return *m_weights; }

    /// Whether any tensor's name begins with `prefix`.
    bool hasPrefix(const std::string& prefix) const;
    /// The prefix of a base model ("vit.") where the files have it, else nothing. Where they have neither
    /// form, what the architecture says: bare models ("ViTModel") save without it.
    std::string basePrefix(const std::string& prefix, const std::string& probe) const;
    /// Whether the model is CLASSForImageClassification: as the configuration says, or, where it does not
    /// name a class, because the files hold a classifier.
    bool classifies(const std::string& className) const;
    /// The file or folder, for messages.
    std::string name() const;

private:
    ResolvedModel m_files;
    ConfigView m_config;
    ModelIdentity m_identity;
    std::shared_ptr<const WeightStore> m_weights;
};

}  // namespace fovea
