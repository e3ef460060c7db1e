#include "fovea/open_model.h"

#include <algorithm>

#include "fovea/catalog.h"
#include "fovea/error.h"
#include "nn/model_source.h"

namespace fovea {
namespace {

bool lists(const std::vector<std::string>& names, const std::string& name) {
    return !name.empty() && std::find(names.begin(), names.end(), name) != names.end();
}

/// The entry whose architectures or model types name the model; architectures are the closer match.
const ModelEntry* entryFor(const ModelCatalog& catalog, const ModelIdentity& identity) {
    for (const ModelEntry& entry : catalog.all())
        if (lists(entry.architectures, identity.architecture)) return &entry;
    for (const ModelEntry& entry : catalog.all())
        if (lists(entry.modelTypes, identity.modelType)) return &entry;
    return nullptr;
}

[[noreturn]] void refuse(const ModelCatalog& catalog, const std::string& source,
                         const ModelIdentity& identity) {
    std::string known;
    for (const ModelEntry& entry : catalog.all())
        for (const std::string& type : entry.modelTypes) known += (known.empty() ? "" : ", ") + type;
    const std::string found = identity.modelType.empty() ? "architecture \"" + identity.architecture + "\""
                                                         : "model_type \"" + identity.modelType + "\"";
    throw Error(source + ": " + found.substr(0, 120) + " is not supported",
                "Supported model types: " + known + ".");
}

}  // namespace

std::shared_ptr<const Model> openModel(const Catalog& catalog, const std::string& reference,
                                       const LoadOptions& options, const JobContext& job) {
    job.progress(0, "finding the files");
    ResolvedModel files = resolveModel(reference);
    if (files.format == ModelFormat::DiffusersPipeline)
        refuse(catalog.models, files.reference, {files.format, "", "diffusers pipeline"});
    const ModelSource source(std::move(files));
    const ModelEntry* entry = entryFor(catalog.models, source.identity());
    if (!entry) refuse(catalog.models, source.name(), source.identity());
    auto model = entry->load(source, options, job);
    if (!options.adapters.empty() && !model->spec().capabilities.forward)
        throw Error(source.name() + ": expected a model that can be run for the adapter " +
                        options.adapters.front().folder + ", found a recorded or an incomplete one",
                    "Open the model that the adapter was trained on.");
    return model;
}

}  // namespace fovea
