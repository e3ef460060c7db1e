#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "io/adapter_config.h"
#include "io/adapter_names.h"
#include "io/weight_store.h"
#include "nn/adapter_set.h"

namespace fovea {

/// Reads one adapter into a set.
class AdapterSet::Loader {
public:
    Loader(AdapterSet& set, const AdapterChoice& choice, const std::vector<StoredMatrix>& matrices);
    void load(const std::vector<std::string>& baseNames);

private:
    /// The tensors of one module, and what messages call it.
    struct Parts {
        const AdapterModule& module;
        std::map<AdapterPart, at::Tensor> tensors;
        at::Tensor get(AdapterPart part) const;
        const std::string& path() const { return module.path; }
    };

    Parts read(const AdapterModule& module) const;
    void addModule(const AdapterModule& module, std::vector<std::string>& unmatched);
    void checkTargeted(const AdapterModule& module);
    /// The matrix that a module of this size changes; null where the model has none of its name.
    const StoredMatrix* find(const Parts& parts, std::int64_t outputs, std::int64_t inputs);
    /// The matrix of an adapted or a saved weight.
    const StoredMatrix* matrixOf(const Parts& parts);
    const StoredMatrix* tableOf(const Parts& parts);

    void checkRank(const Parts& parts, const at::Tensor& down, const char* name);
    void checkParts(const Parts& parts, const StoredMatrix& matrix);
    /// As it is multiplied with: [out, in] of a kernel or of a matrix that is stored in columns.
    at::Tensor weightOf(const Parts& parts, const StoredMatrix& matrix) const;
    void addChange(const Parts& parts, const StoredMatrix& matrix, const StoredMatrix::Use& use);
    void addEmbedding(const Parts& parts, const StoredMatrix& matrix);
    void addTokens(const Parts& parts, const StoredMatrix& matrix);
    void keep(std::unordered_map<std::string, std::vector<Change>>& changes, const std::string& name, Change change);

    [[noreturn]] void refuse(std::vector<std::string> names) const;
    [[noreturn]] void fail(const Parts& parts, const std::string& what, const std::string& hint) const;
    [[noreturn]] void failShape(const Parts& parts, const char* what, const std::string& expected,
                                const at::Tensor& found) const;
    void noticeUnsaved(const std::vector<AdapterModule>& modules);

    AdapterSet& m_set;
    const std::vector<StoredMatrix>& m_matrices;
    AdapterFiles m_files;
    AdapterConfig m_config;
    std::shared_ptr<const WeightStore> m_store;
    std::string m_source;
    std::size_t m_adapter;
    MatrixTable m_table;
    std::set<int> m_taken;
    std::int64_t m_largestRank = 0;
    std::string m_unchecked;  ///< why names could not be compared with target_modules
};

}  // namespace fovea
