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

/// A tensor whose elements are no floating-point numbers, where the model needs such.
struct MistypedWeight {
    std::string name;   ///< as the files spell it
    std::string file;   ///< name of the file it lies in
    std::string found;  ///< its element type, as a safetensors header writes it
};

/// How the tensors of a checkpoint fit a model: everything that is wrong, at once.
struct WeightReport {
    std::int64_t loaded = 0;                 ///< tensors of the files that the model uses
    std::int64_t parameters = 0;             ///< elements in them
    std::vector<std::string> missing;        ///< needed but in no file, in the files' spelling
    std::vector<std::string> unexpected;     ///< in the files but not used
    std::vector<MisshapedWeight> misshaped;  ///< present with a wrong shape
    std::vector<MistypedWeight> mistyped;    ///< present with an element type that no weight has
    std::vector<std::string> notices;  ///< remarks for a person: .bin used, names rewritten, types widened

    /// True when the model can run: nothing missing, nothing of a wrong shape or element type.
    bool complete() const { return missing.empty() && misshaped.empty() && mistyped.empty(); }
    /// One sentence that names up to a few of the missing, misshaped and mistyped tensors with what was
    /// expected and found.
    /// Unexpected tensors beside these are named too.
    std::string problem() const;
    /// One sentence that counts the unexpected tensors and names the first; empty where there is none.
    std::string unexpectedNotice() const;
};

}  // namespace fovea
