#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "fovea/model_reference.h"
#include "fovea/weight_report.h"
#include "io/mapped_file.h"
#include "io/tensor_info.h"

namespace fovea {

/// Another place a weight may come from: a different name, a block of rows of a fused tensor, or another
/// shape with as many elements.
struct WeightSource {
    std::string name;
    std::int64_t part = 0;            ///< which block of rows, 0-based
    std::int64_t parts = 1;           ///< into how many equal blocks of rows the stored tensor is divided
    std::vector<std::int64_t>
        shape;  ///< of the stored tensor (all parts); empty: the spec's, first axis times parts
};

/// One tensor a model needs: its name in the model's own spelling and its shape (-1: any size).
struct WeightSpec {
    std::string name;
    std::vector<std::int64_t> shape;
    bool optional = false;
    std::vector<WeightSource> alternatives = {};  ///< tried in order after name
};

/// A stored name that starts with `from` is read as `to` + the rest.
struct PrefixRule {
    std::string from;
    std::string to;
};

/// One spelling of a family's checkpoints: for each stored name the first rule that matches applies; none
/// leaves it.
using KeyLayout = std::vector<PrefixRule>;

/// The weight-name table of a family for one configuration.
struct WeightPlan {
    std::vector<WeightSpec> specs;
    /// Tried in order, the first that resolves all required names wins; empty: as is.
    std::vector<KeyLayout> layouts;
    /// More names to ignore silently, in the model's spelling; '*' matches any run.
    std::vector<std::string> ignored;
};

class WeightStore;

/// The weights of one model, under the names of its plan.
class BoundWeights {
public:
    const WeightReport& report() const { return m_report; }
    bool has(const std::string& name) const { return m_bound.count(name) != 0; }
    /// The stored element type of a weight of the plan; throws Error (Internal) for a name that is not bound.
    Dtype dtype(const std::string& name) const;
    /// The weight in the plan's shape: an alias of the mapping where stored that way, else a copy. Undefined
    /// tensor for an optional weight that is absent; Error (Input) for a required one. Not thread-safe with
    /// itself.
    at::Tensor get(const std::string& name) const;
    /// As get(), converted; the mapped pages of a converted weight are given back to the system.
    at::Tensor get(const std::string& name, at::ScalarType dtype) const;
    /// The element type most floating weights are stored in; F32 where there are none.
    Dtype storedDtype() const;

private:
    friend class WeightStore;
    struct Bound {
        std::size_t tensor = 0;
        std::int64_t part = 0;
        std::int64_t parts = 1;
        std::vector<std::int64_t> shape;
    };
    std::shared_ptr<const WeightStore> m_store;
    std::unordered_map<std::string, Bound> m_bound;
    std::unordered_map<std::string, bool> m_absent;  // planned but not in the files -> optional?
    WeightReport m_report;
};

/// All tensors of a checkpoint: one file or many, safetensors or pickled, mapped and not read.
class WeightStore : public std::enable_shared_from_this<WeightStore> {
public:
    /// Maps the files and checks their headers; throws Error (Input) for damaged, incomplete or quantised
    /// checkpoints.
    static std::shared_ptr<const WeightStore> open(const ResolvedModel& model);

    const std::vector<TensorInfo>& tensors() const { return m_tensors; }
    /// Index into tensors(), or empty.
    std::optional<std::size_t> find(const std::string& name) const;
    bool contains(const std::string& name) const { return find(name).has_value(); }
    /// Metadata of the safetensors files, merged.
    const std::unordered_map<std::string, std::string>& metadata() const { return m_metadata; }
    const std::vector<std::string>& notices() const { return m_notices; }
    /// The file a tensor lies in.
    const std::filesystem::path& file(std::size_t tensor) const;

    /// A tensor as stored: an alias of the private mapping that keeps it alive, or a copy where it is not
    /// aligned. U16 and U32 are widened, 8-bit floats decoded to float32.
    at::Tensor get(const std::string& name) const;
    at::Tensor get(std::size_t tensor) const;

    /// Matches a family's plan with the files: all missing, unexpected and misshaped tensors in the report,
    /// nothing thrown for them.
    BoundWeights bind(const WeightPlan& plan) const;

private:
    friend class BoundWeights;
    void addFile(const std::filesystem::path& path, WeightFormat format);

    std::vector<TensorInfo> m_tensors;
    std::vector<std::size_t> m_fileOf;
    std::vector<std::shared_ptr<const MappedFile>> m_files;
    std::unordered_map<std::string, std::size_t> m_byName;
    std::unordered_map<std::string, std::string> m_metadata;
    std::vector<std::string> m_notices;
};

/// The torch element type a stored type is delivered in.
at::ScalarType toScalarType(Dtype dtype);

}  // namespace fovea
