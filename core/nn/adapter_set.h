#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "fovea/adapter.h"
#include "nn/linear.h"

namespace fovea {

/// A stored matrix of a network with what it is used as: one Linear, or several that divide its rows.
struct StoredMatrix {
    struct Use {
        Linear linear;
        std::int64_t row = 0;  ///< of the stored matrix, where the Linear begins
    };
    enum class Layout { Rows, Columns };
    std::string path;  ///< in the files, without ".weight"
    std::vector<Use> uses;
    Layout layout = Layout::Rows;           ///< Columns: the files have it as [in, out] (GPT-2)
    std::vector<std::int64_t> kernel = {};  ///< its shape in the files where it is a convolution's; else empty

    std::int64_t outputs() const;
    std::int64_t inputs() const { return uses.front().linear.weight.size(1); }
};

/// The adapters that were loaded with a model. Immutable; base weights are never touched.
class AdapterSet {
public:
    /// Reads the adapters' files and finds the matrix of every tensor; throws Error (Input) listing the
    /// tensors that belong to none, and for files that cannot be read or do not fit. baseNames are the names that the
    /// model goes by; an adapter that was trained on another one is noticed.
    static std::shared_ptr<const AdapterSet> load(const std::vector<AdapterChoice>& choices,
                                                  const std::vector<StoredMatrix>& matrices,
                                                  const std::vector<std::string>& baseNames = {});

    /// x W^T + b with every adapter whose strength is not 0; strengths has one value for each adapter.
    at::Tensor linear(const Linear& weight, const at::Tensor& x, const std::vector<double>& strengths) const;

    /// Rows of a table of embeddings (a Linear without bias), [1, n] -> [1, n, hidden], likewise.
    at::Tensor embedding(const Linear& table, const at::Tensor& ids, const std::vector<double>& strengths) const;

    /// As the choices say.
    const std::vector<double>& strengths() const { return m_strengths; }
    /// One line for each adapter: what it is and what it changes.
    const std::vector<std::string>& notices() const { return m_notices; }
    std::uint64_t bytes() const { return m_bytes; }

private:
    /// What one adapter does to one Linear.
    struct Change {
        std::size_t adapter = 0;
        double scaling = 1;
        at::Tensor down, up;      // [rank, in], [out, rank]
        at::Tensor upBias;        // [out], of up
        at::Tensor gain;          // [out], DoRA: magnitude / norm of the adapted rows, less 1
        at::Tensor weight, bias;  // trained as a whole; undefined where not
        at::Tensor tokens, rows;  // [n] ascending, [n, in]: rows that take the places of the weight's
    };
    class Loader;

    static at::Tensor low(const Change& change, const at::Tensor& inner);
    static at::Tensor trained(const Change& change, const Linear& weight, const at::Tensor& x);
    at::Tensor difference(const Change& change, const Linear& weight, const at::Tensor& x,
                          const at::Tensor& plain) const;

    std::unordered_map<std::string, std::vector<Change>> m_changes;  // by Linear::name
    /// The same of tables of embeddings: down is [vocabulary, rank], up [hidden, rank].
    std::unordered_map<std::string, std::vector<Change>> m_embeddings;
    std::vector<double> m_strengths;
    std::vector<std::string> m_notices;
    std::uint64_t m_bytes = 0;
};

}  // namespace fovea
