#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "fovea/job_context.h"
#include "io/weight_store.h"
#include "nn/adapter_set.h"
#include "nn/layer_norm.h"
#include "nn/linear.h"

namespace fovea {

enum class Need { Required, Optional };
enum class Bias { None, Required };

/// Where a fused projection is stored, and the names its parts go by.
struct FusedNames {
    std::string weight;
    std::string bias;
    std::string path;  ///< for messages and adapters; the parts are called path.q, path.k, path.v
};

/// Walks over the weights of a network. Every layer names its tensors and shapes once, in a function that
/// takes a visitor: one visitor collects the weight-name table, another fills the tensors in.
class WeightVisitor {
public:
    virtual ~WeightVisitor() = default;

    /// One tensor under its name in the files (-1 in shape: any size).
    virtual void tensor(at::Tensor& slot, const std::string& name, std::vector<std::int64_t> shape,
                        Need need = Need::Required) = 0;
    /// Told of every matrix that Forward::linear() is given parts of, once its tensors are visited. linear(),
    /// kernel() and fusedQkv() tell; a layer that fills a Linear by tensor() does so itself.
    virtual void matrix(const StoredMatrix& stored);

    /// `path`.weight [out, in] and `path`.bias [out].
    void linear(Linear& slot, const std::string& path, std::int64_t out, std::int64_t in,
                Bias bias = Bias::Required);
    /// The same stored as [in, out] (GPT-2).
    void transposedLinear(Linear& slot, const std::string& path, std::int64_t out, std::int64_t in,
                          Bias bias = Bias::Required);
    /// A convolution whose kernels do not overlap, of this shape [out, channels, ...]: as a matrix of patches.
    void kernel(Linear& slot, const std::string& path, const std::vector<std::int64_t>& shape, Bias bias);
    void norm(LayerNorm& slot, const std::string& path, std::int64_t size);
    /// Query, key and value stored as one matrix of 3 * out rows; the parts are views of it.
    void fusedQkv(Linear& query, Linear& key, Linear& value, const FusedNames& names, std::int64_t out,
                  std::int64_t in, Bias bias);
    /// The same stored as [in, 3 * out] (GPT-2).
    void transposedQkv(Linear& query, Linear& key, Linear& value, const FusedNames& names, std::int64_t out,
                       std::int64_t in);
};

/// Collects the weight-name table.
class WeightCollector : public WeightVisitor {
public:
    void tensor(at::Tensor& slot, const std::string& name, std::vector<std::int64_t> shape,
                Need need) override;
    WeightPlan plan;
};

/// Fills the tensors in, converted to the type and moved to the device of the run.
class WeightFiller : public WeightVisitor {
public:
    WeightFiller(const BoundWeights& weights, at::ScalarType dtype, at::Device device, std::size_t tensors,
                 JobContext job)
        : m_weights(weights), m_dtype(dtype), m_device(device), m_tensors(tensors), m_job(std::move(job)) {}

    void tensor(at::Tensor& slot, const std::string& name, std::vector<std::int64_t> shape,
                Need need) override;
    void matrix(const StoredMatrix& stored) override;
    /// Bytes that the filled tensors take in memory.
    std::uint64_t bytes() const { return m_bytes; }
    /// What adapters may change.
    const std::vector<StoredMatrix>& matrices() const { return m_matrices; }

private:
    const BoundWeights& m_weights;
    at::ScalarType m_dtype;
    at::Device m_device;
    std::size_t m_tensors = 0;
    std::size_t m_done = 0;
    std::uint64_t m_bytes = 0;
    JobContext m_job;
    std::vector<StoredMatrix> m_matrices;
};

}  // namespace fovea
