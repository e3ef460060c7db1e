#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "fovea/catalog.h"
#include "fovea/model.h"

namespace fovea::test {

/// Model folders of a few kilobytes with random weights (standard deviation 1 / sqrt(fan-in)).
enum class TinyModel {
    Classifier,  ///< ViT, 3 x 5 patches of 8 pixels, class token, 5 labels, black per channel
    Bare,        ///< the same without labels and classifier
    Registers,   ///< DINOv2 with 4 register tokens, 3 x 3 patches
    Pooling,     ///< SigLIP: no class token, an attention-pooling head
};
inline constexpr TinyModel tinyModels[] = {TinyModel::Classifier, TinyModel::Bare, TinyModel::Registers,
                                           TinyModel::Pooling};

/// A folder that is removed again.
class TinyFolder {
public:
    explicit TinyFolder(TinyModel kind, unsigned seed = 1);
    ~TinyFolder();
    TinyFolder(const TinyFolder&) = delete;
    TinyFolder& operator=(const TinyFolder&) = delete;
    const std::filesystem::path& path() const { return m_path; }

private:
    std::filesystem::path m_path;
};

/// Loads such a folder; the folder is gone afterwards.
std::shared_ptr<const Model> loadTiny(TinyModel kind, unsigned seed = 1, const std::string& dtype = "auto");

/// A smooth colourful picture.
Pixels tinyPicture(int width, int height, unsigned seed = 1);

}  // namespace fovea::test
