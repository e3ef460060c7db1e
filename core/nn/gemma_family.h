#pragma once

#include "nn/llava_family.h"

namespace fovea {

/// PaliGemma: positions from 1, and the prefix that token_type_ids marks by 0 sees itself in both directions.
class PaligemmaPictures : public PlainPictures {
public:
    std::vector<InputTensor> accepted() const override;
    at::Tensor positions(const TensorItem& item, const std::vector<VlmPicture>& pictures) const override;
    DecoderMask mask(const TensorItem& item) const override;
    void addPromptTensors(TensorItem& item, const VlmTokenIds& tokens) const override;
};

/// Gemma 3: the tokens of a picture, marked by 1 in token_type_ids, see each other in both directions.
class Gemma3Pictures : public PlainPictures {
public:
    std::vector<InputTensor> accepted() const override;
    DecoderMask mask(const TensorItem& item) const override;
    void addPromptTensors(TensorItem& item, const VlmTokenIds& tokens) const override;
};

}  // namespace fovea
