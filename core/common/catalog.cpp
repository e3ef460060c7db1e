#include "fovea/catalog.h"

namespace fovea {

// Generated from the files of the four catalogue folders (packaging/cmake/FoveaCatalog.cmake).
void addAll_models(ModelCatalog& catalog);
void addAll_operators(OperatorCatalog& catalog);
void addAll_interventions(InterventionCatalog& catalog);
void addAll_analyses(AnalysisCatalog& catalog);

Catalog makeCatalog() {
    Catalog catalog;
    addAll_models(catalog.models);
    addAll_operators(catalog.operators);
    addAll_interventions(catalog.interventions);
    addAll_analyses(catalog.analyses);
    return catalog;
}

}  // namespace fovea
