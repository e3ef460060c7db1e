#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fovea/adapter.h"
#include "fovea/job_context.h"
#include "fovea/model.h"

namespace fovea {

struct Catalog;

/// Where and in which precision a model runs.
struct LoadOptions {
    std::string device = "auto";  ///< auto, cpu, cuda, cuda:N
    std::string dtype = "auto";   ///< auto, float32, bfloat16, float16; float64 for verification
    bool strict = true;  ///< a missing tensor that the model needs is an error; false only for `info`
    std::vector<AdapterChoice> adapters;  ///< added in this order; RunSpec::adapterStrengths changes their strengths
};

/// Opens MODEL (PRODUCT.md §4): folder, checkpoint file, org/name in the local cache, trace file, or
/// demo:NAME. Throws Error: Input for files that cannot be read or are not supported, Memory when the device
/// is not there.
std::shared_ptr<const Model> openModel(const Catalog& catalog, const std::string& reference,
                                       const LoadOptions& options = {}, const JobContext& job = {});

}  // namespace fovea
