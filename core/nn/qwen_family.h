#pragma once

#include "nn/vlm_family.h"

namespace fovea {

/// What distinguishes the Qwen families beside their towers.
struct QwenForm {
    VlmTokenIds tokens;
    std::int64_t merge = 2;
    std::int64_t tokensPerSecond = 0;  ///< distance of a clip's times (Qwen2.5-VL); 0: one a frame
    bool framesApart = false;          ///< frames of a clip stand in runs of their own (Qwen3-VL)
};

/// Pictures of any size as rows of patches; positions of time, row and column (M-RoPE, Wang et al. 2024).
class QwenPictures : public VlmFamily {
public:
    explicit QwenPictures(QwenForm form) : m_form(form) {}
    std::vector<InputTensor> accepted() const override;
    std::vector<VlmPicture> pictures(const TensorItem& item, const VisionTower& tower) const override;
    at::Tensor positions(const TensorItem& item, const std::vector<VlmPicture>& pictures) const override;
    DecoderMask mask(const TensorItem& item) const override;

private:
    QwenForm m_form;
};

}  // namespace fovea
