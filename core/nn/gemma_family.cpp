#include "nn/gemma_family.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include "fovea/error.h"
#include "nn/language_model.h"

namespace fovea {
namespace {

const InputTensor tokenTypes = {"token_type_ids", 2, InputTensor::Values::Integer};

// Undefined where none are given.
at::Tensor typesOf(const TensorItem& item) {
    const auto found = item.find("token_type_ids");
    if (found == item.end()) return {};
    const at::Tensor& ids = item.at("input_ids");
    if (found->second.sizes() != ids.sizes())
        throw Error(fmt::format("token_type_ids: expected {} entries like input_ids, found {}", ids.size(1),
                                found->second.numel()),
                    "Write both tensors with the same processor call.");
    return found->second[0].to(at::kLong);
}

}  // namespace

std::vector<InputTensor> PaligemmaPictures::accepted() const {
    std::vector<InputTensor> inputs = PlainPictures::accepted();
    inputs.push_back(tokenTypes);
    return inputs;
}

at::Tensor PaligemmaPictures::positions(const TensorItem& item, const std::vector<VlmPicture>& pictures) const {
    if (item.count("position_ids")) return VlmFamily::positions(item, pictures);
    const at::Tensor& ids = item.at("input_ids");
    return at::arange(1, ids.size(1) + 1, ids.options().dtype(at::kLong));
}

DecoderMask PaligemmaPictures::mask(const TensorItem& item) const {
    DecoderMask mask = VlmFamily::mask(item);
    const at::Tensor types = typesOf(item);
    if (!types.defined()) return mask;
    const at::Tensor prefix = types.eq(0);
    const auto count = prefix.sum().item<std::int64_t>();
    // A prefix that is nothing but the beginning needs no groups.
    if (count > 0 && prefix.narrow(0, 0, count).all().item<bool>())
        mask.prefix = count;
    else if (count > 0)
        mask.groups = at::where(prefix, 0, -1);
    return mask;
}

void PaligemmaPictures::addPromptTensors(TensorItem& item, const VlmTokenIds&) const {
    item["token_type_ids"] = at::zeros_like(item.at("input_ids"));
}

void Gemma3Pictures::addPromptTensors(TensorItem& item, const VlmTokenIds& tokens) const {
    item["token_type_ids"] = item.at("input_ids").eq(tokens.image).to(at::kLong);
}

std::vector<InputTensor> Gemma3Pictures::accepted() const {
    std::vector<InputTensor> inputs = PlainPictures::accepted();
    inputs.push_back(tokenTypes);
    return inputs;
}

DecoderMask Gemma3Pictures::mask(const TensorItem& item) const {
    DecoderMask mask = VlmFamily::mask(item);
    const at::Tensor types = typesOf(item);
    if (!types.defined()) return mask;
    const at::Tensor image = types.eq(1);
    if (!image.any().item<bool>()) return mask;
    const at::Tensor before = at::cat({at::zeros({1}, image.options()), image.narrow(0, 0, image.size(0) - 1)}, 0);
    const at::Tensor starts = image.logical_and(before.logical_not());
    mask.groups = at::where(image, starts.to(at::kLong).cumsum(0) - 1, -1);
    mask.groupsInWindow = true;
    return mask;
}

}  // namespace fovea
