#include "nn/input_tensors.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/error.h"
#include "io/weight_store.h"

namespace fovea {
namespace {

const InputTensor& acceptedAs(const std::string& source, const TensorInfo& found,
                              const std::vector<InputTensor>& accepted) {
    std::string names;
    for (const InputTensor& input : accepted) {
        if (input.name == found.name) return input;
        names += (names.empty() ? "" : ", ") + input.name;
    }
    throw Error(source + ": tensor \"" + found.name + "\" is no input of this model",
                "It accepts: " + names + ".");
}

void check(const std::string& source, const TensorInfo& found, const InputTensor& expected) {
    const std::string what = source + ": tensor \"" + found.name + "\": expected ";
    const auto rank = static_cast<int>(found.shape.size());
    if (rank != expected.rank && rank != expected.otherRank)
        throw Error(what + std::to_string(expected.rank) + " axes (the first is the batch), found shape " +
                    shapeText(found.shape),
                    "Save the tensor as the model's processor returns it, with its batch axis.");
    if (std::any_of(found.shape.begin(), found.shape.end(), [](std::int64_t size) { return size < 1; }))
        throw Error(what + "at least one element on every axis, found shape " + shapeText(found.shape),
                    "Save the tensor as the model's processor returns it.");
    const bool floating = isFloating(found.dtype) && found.dtype != Dtype::C64;
    if (floating != (expected.values == InputTensor::Values::Floating))
        throw Error(what + (floating ? "integers" : "floating-point numbers") + ", found " +
                    std::string(displayName(found.dtype)),
                    floating ? "Save the tensor as int64." : "Save the tensor as float32, preprocessed; or give the picture with --image.");
}

}  // namespace

namespace {

std::shared_ptr<const WeightStore> openTensors(const std::filesystem::path& file) {
    ResolvedModel files;
    files.format = ModelFormat::LoneWeights;
    files.weightFormat = WeightFormat::Safetensors;
    files.reference = file.string();
    files.weightFiles = {file};
    auto store = WeightStore::open(files);
    if (store->tensors().empty()) throw Error(file.string() + ": expected at least one tensor, found none",
                                              "Save the inputs of the model in it, such as pixel_values or input_ids.");
    return store;
}

// Inputs outlive the file, and small types would round perturbations away.
at::Tensor valuesOf(const WeightStore& store, const std::string& name) {
    const at::Tensor values = store.get(name);
    const bool narrow = values.scalar_type() == at::kHalf || values.scalar_type() == at::kBFloat16;
    return narrow ? values.to(at::kFloat) : values.clone();
}

}  // namespace

TensorItem readPromptTensors(const std::filesystem::path& file, const std::vector<InputTensor>& accepted) {
    const auto store = openTensors(file);
    TensorItem item;
    for (const TensorInfo& info : store->tensors()) {
        check(file.string(), info, acceptedAs(file.string(), info, accepted));
        if ((info.name == "input_ids" || info.name == "attention_mask") && info.shape.front() != 1)
            throw Error(file.string() + ": tensor \"" + info.name + "\": expected one prompt, found a batch of " +
                            std::to_string(info.shape.front()),
                        "Run the prompts one by one.");
        item[info.name] = valuesOf(*store, info.name);
    }
    return item;
}

std::vector<std::string> doubtfulTensors(const TensorItem& item, const std::vector<std::int64_t>& pictureTokens) {
    std::vector<std::string> notices;
    if (const auto mask = item.find("attention_mask"); mask != item.end() && !mask->second.to(at::kBool).any().item<bool>())
        notices.push_back("attention_mask: all 0: it hides every token, so that what comes out says nothing about the text");
    const bool seen = std::any_of(item.begin(), item.end(), [](const auto& tensor) { return tensor.first.starts_with("pixel_values"); });
    const auto ids = item.find("input_ids");
    if (seen || ids == item.end()) return notices;
    std::int64_t count = 0;
    for (const std::int64_t token : pictureTokens)
        if (token >= 0) count += ids->second.eq(token).sum().item<std::int64_t>();
    if (count > 0)
        notices.push_back(fmt::format("input_ids: {} tokens stand for pictures, but there are no pixel_values: the model reads them as "
                                      "words and sees nothing",
                                      count));
    return notices;
}

void requireRange(const std::string& name, const at::Tensor& values, std::int64_t limit) {
    const auto low = values.min().item<std::int64_t>();
    const auto high = values.max().item<std::int64_t>();
    if (low < 0 || high >= limit)
        throw Error(
            fmt::format("{}: expected values from 0 to {}, found {}", name, limit - 1, low < 0 ? low : high),
            "Use the tokenizer and processor of this model.");
}

std::vector<TensorItem> readInputTensors(const std::filesystem::path& file,
                                         const std::vector<InputTensor>& accepted) {
    const auto store = openTensors(file);
    const std::string source = file.string();
    std::int64_t batch = 1;
    for (const TensorInfo& tensor : store->tensors()) {
        check(source, tensor, acceptedAs(source, tensor, accepted));
        const std::int64_t size = tensor.shape.front();
        if (size != 1 && batch != 1 && size != batch)
            throw Error(source + ": tensor \"" + tensor.name + "\": expected a batch of 1 or " +
                        std::to_string(batch) + " as the other tensors have, found " + std::to_string(size),
                        "Save all tensors with the same batch size.");
        batch = std::max(batch, size);
    }
    std::vector<TensorItem> items(static_cast<std::size_t>(batch));
    for (const TensorInfo& info : store->tensors()) {
        const at::Tensor values = valuesOf(*store, info.name);
        for (std::int64_t i = 0; i < batch; ++i)
            items[static_cast<std::size_t>(i)][info.name] =
                values.size(0) == 1 ? values : values.narrow(0, i, 1);
    }
    return items;
}

}  // namespace fovea
