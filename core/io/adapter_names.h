#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace fovea {

/// What a tensor of an adapter file is to its module.
enum class AdapterPart { Down, Up, UpBias, Magnitude, Weight, Bias, EmbeddingDown, EmbeddingUp, TokenRows };

/// The tensors of one adapted module: indices into the list of names.
struct AdapterModule {
    std::string path;  ///< of the module, in the spelling of the adapter
    std::map<AdapterPart, std::size_t> parts;
};

/// Sorts the tensor names of an adapter file by module. Names that mean nothing go to `unknown`.
std::vector<AdapterModule> adapterModules(const std::vector<std::string>& names,
                                          std::vector<std::string>& unknown);

/// A matrix of a network that an adapter may change.
struct MatrixName {
    std::string path;
    std::int64_t outputs = 0, inputs = 0;
};

/// The matrices of a network by name.
class MatrixTable {
public:
    explicit MatrixTable(std::vector<MatrixName> matrices);

    /// Which matrix a module of the given size (-1: any) means. Spellings of blocks and projections that
    /// files and versions of the reference use are the same; of the matrices with the same layer numbers the
    /// one that shares the longest end of the path counts, and of those the one that shares most of the rest.
    /// -1 when none fits; throws Error (Input) naming the choices when several do.
    int find(const std::string& module, std::int64_t outputs, std::int64_t inputs,
             const std::string& source) const;
    const std::vector<MatrixName>& names() const { return m_matrices; }

private:
    std::vector<MatrixName> m_matrices;
    std::vector<std::vector<std::string>> m_spellings;
};

}  // namespace fovea
