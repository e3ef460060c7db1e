#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fovea {

/// A tensor that is in the files with another shape than the model needs (-1 in expected: any size).
struct MisshapedWeight {
    std::string name;  ///< as the files spell it
    std::vector<std::int64_t> expected;
    std::vector<std::int64_t> found;
};

/// How the tensors of a checkpoint fit a model: everything that is wrong, at once.
struct WeightReport {
    std::int64_t loaded = 0;                 ///< tensors of the files that the model uses
    std::int64_t parameters = 0;             ///< elements in them
    std::vector<std::string> missing;        ///< needed but in no file, in the files' spelling
    std::vector<std::string> unexpected;     ///< in the files but not used
    std::vector<MisshapedWeight> misshaped;  ///< present with a wrong shape
    std::vector<std::string> notices;  ///< remarks for a person: .bin used, names rewritten, types widened

    /// True when the model can run: nothing missing, nothing misshaped.
    bool complete() const { return missing.empty() && misshaped.empty(); }
    /// One sentence that names up to a few of the missing and misshaped tensors with expected and found
    /// shapes.
    std::string problem() const;
};

}  // namespace fovea
