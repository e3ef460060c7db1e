#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace fovea {

/// One tensor that `--tensors` may hold.
struct InputTensor {
    enum class Values { Floating, Integer };  // booleans count as integers
    std::string name;
    int rank = 0;  ///< with the batch axis
    Values values = Values::Floating;
    int otherRank = 0;  ///< a second rank that the reference takes, too; 0: none
};

/// The tensors of one item, each with a batch axis of size 1.
using TensorItem = std::map<std::string, at::Tensor>;

/// The name in an item of a tensor as it was given, beside the one that a run perturbs.
inline std::string asGiven(const std::string& name) { return "given " + name; }

/// Reads a safetensors file of input tensors and splits its batch axis into items; a tensor of batch 1 serves
/// every item. Throws Error (Input) for a name the model does not know, a wrong rank, integers where floats
/// belong (and the reverse), an empty tensor, and batch sizes that do not agree.
std::vector<TensorItem> readInputTensors(const std::filesystem::path& file,
                                         const std::vector<InputTensor>& accepted);

/// The tensors of one prompt of a model that packs pictures along the first axis: nothing is split. Beside the
/// checks of readInputTensors, input_ids and attention_mask must have a batch of 1.
TensorItem readPromptTensors(const std::filesystem::path& file, const std::vector<InputTensor>& accepted);

/// What a user should know about tensors that are allowed but rarely meant: an attention_mask that hides every token, and
/// tokens of pictures (`pictureTokens`, ids in input_ids) beside which there are no pixel_values.
std::vector<std::string> doubtfulTensors(const TensorItem& item, const std::vector<std::int64_t>& pictureTokens);

/// Throws Error (Input) naming the tensor unless its whole numbers are from 0 to below `limit`.
void requireRange(const std::string& name, const at::Tensor& values, std::int64_t limit);

}  // namespace fovea
