// DINOv2 with register tokens (Darcet et al. 2024): inserted after the class token once positions are added.
#include "fovea/catalog.h"
#include "nn/dinov2_parts.h"

namespace fovea {

void add_dinov2_with_registers(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"dinov2_with_registers",
                  "DINOv2 with registers",
                  "DINOv2 with tokens that take over the role of high-norm patches (Darcet et al. 2024).",
                  {}};
    entry.modelTypes = {"dinov2_with_registers"};
    entry.architectures = {"Dinov2WithRegistersModel", "Dinov2WithRegistersForImageClassification",
                           "Dinov2WithRegistersBackbone"};
    entry.load = [](const ModelSource& source, const LoadOptions& options, const JobContext& job) {
        const std::int64_t registers = source.config().integer("num_register_tokens", 4, {0, 4096});
        const Dinov2Form form{"dinov2_with_registers.", "Dinov2WithRegisters", 16, registers,
                              PositionResize::BicubicAntialias};
        return loadVisionModel("dinov2_with_registers", dinov2Parts(source, form), source, options, job);
    };
    catalog.add(std::move(entry));
}

}  // namespace fovea
