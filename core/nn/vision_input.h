#pragma once

#include <optional>
#include <vector>

#include "fovea/image_processor.h"
#include "fovea/pixels.h"
#include "fovea/token_map.h"
#include "nn/input_tensors.h"
#include "nn/vision_transformer.h"

namespace fovea {

/// One picture made ready for a vision tower.
struct EncodedImage {
    TensorItem tensors;
    StageTokens tokens;
    ImageGeometry geometry;
    Pixels seen;
    PixelTransform transform;  ///< where the pixels of `seen` come from
};

/// Turns pictures or raw tensors into the inputs of a vision tower, with a token map of exact pixel
/// rectangles.
class VisionInput {
public:
    VisionInput(const VisionTransformerSpec& spec, ImageProcessor processor)
        : m_spec(spec), m_processor(std::move(processor)) {}

    /// The tensors that the tower reads.
    std::vector<InputTensor> accepted() const;
    /// A picture through the model's own preprocessing.
    EncodedImage fromPicture(const Pixels& picture) const;
    /// Raw tensors; `picture` is what they were made from, when it is known. Throws Error (Input) naming the
    /// tensor at fault.
    EncodedImage fromTensors(const TensorItem& tensors, const Pixels* picture,
                             const VisionTransformer& tower) const;

    /// A black pixel in normalised units, per channel.
    std::vector<double> black() const;

    const ImageProcessor& processor() const { return m_processor; }

private:
    EncodedImage describe(const PixelTransform& transform, const TensorItem& tensors) const;
    GridSize gridOf(const TensorItem& tensors) const;
    Pixels toPicture(const TensorItem& tensors) const;
    void requireNaFlex(const TensorItem& tensors) const;
    void requireCounts(const TensorItem& tensors, const GridSize& grid) const;

    VisionTransformerSpec m_spec;
    ImageProcessor m_processor;
};

}  // namespace fovea
