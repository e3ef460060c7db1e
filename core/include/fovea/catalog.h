#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fovea/analysis.h"
#include "fovea/catalog_table.h"
#include "fovea/intervention.h"
#include "fovea/model.h"
#include "fovea/open_model.h"

namespace fovea {

class ModelSource;        // resolved files and parsed configuration; core/nn/model_source.h
class AttentionOperator;  // core/attention/attention_operator.h

/// One file of core/models: a family of networks.
struct ModelEntry {
    EntryInfo info;
    std::vector<std::string> modelTypes;     ///< `model_type` values of config.json that it accepts
    std::vector<std::string> architectures;  ///< class names that it accepts
    std::function<std::shared_ptr<const Model>(const ModelSource&, const LoadOptions&, const JobContext&)>
        load;
};

/// One file of core/operators: how probabilities come from Q and K at a site.
struct OperatorEntry {
    EntryInfo info;
    std::shared_ptr<const AttentionOperator> implementation;
};

using ModelCatalog = EntryTable<ModelEntry>;
using OperatorCatalog = EntryTable<OperatorEntry>;
using InterventionCatalog = EntryTable<InterventionEntry>;
using AnalysisCatalog = EntryTable<AnalysisEntry>;

/// Everything that can be opened, computed, edited and analysed.
struct Catalog {
    ModelCatalog models{"family"};
    OperatorCatalog operators{"operator"};
    InterventionCatalog interventions{"intervention"};
    AnalysisCatalog analyses{"analysis"};
};

/// Builds the catalogue from the files of the four folders; throws Error (Internal) on a duplicate id.
Catalog makeCatalog();

}  // namespace fovea
