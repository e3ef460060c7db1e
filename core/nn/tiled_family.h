#pragma once

#include "nn/vlm_family.h"

namespace fovea {

/// Runs of image tokens in a prompt: where each begins and how long it is.
struct TokenRun {
    std::int64_t begin = 0, length = 0;
    std::int64_t before = -1;  ///< id of the token before it
};
std::vector<TokenRun> tokenRuns(const at::Tensor& ids, std::int64_t token);

/// InternVL: pixel_values holds the views of all pictures; those of one picture share a run of image tokens.
class RunOfTiles : public VlmFamily {
public:
    explicit RunOfTiles(VlmTokenIds tokens) : m_tokens(tokens) {}
    std::vector<InputTensor> accepted() const override;
    std::vector<VlmPicture> pictures(const TensorItem& item, const VisionTower& tower) const override;

private:
    VlmTokenIds m_tokens;
};

/// Idefics3 and SmolVLM: every view has a run of its own, the whole picture comes last; views that are all zero are
/// padding. The mask over pixels says which patches are real.
class IdeficsPictures : public VlmFamily {
public:
    IdeficsPictures(VlmTokenIds tokens, std::int64_t patch) : m_tokens(tokens), m_patch(patch) {}
    std::vector<InputTensor> accepted() const override;
    std::vector<VlmPicture> pictures(const TensorItem& item, const VisionTower& tower) const override;

private:
    VlmTokenIds m_tokens;
    std::int64_t m_patch;
};

}  // namespace fovea
