#include "nn/vision_input.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/error.h"
#include "io/tensor_info.h"

namespace fovea {
namespace {

/// Longest sequence of patches: a picture of 4096 x 4096 pixels in patches of 8.
constexpr std::int64_t kMaxTokens = 1 << 18;

at::Tensor copyOf(const std::vector<float>& values, at::IntArrayRef shape) {
    return at::from_blob(const_cast<float*>(values.data()), shape, at::TensorOptions(at::kFloat)).clone();
}

/// A tensor given without its picture: the picture is taken to have the tensor's own size.
PixelTransform identityTransform(int width, int height) {
    PixelTransform transform;
    transform.originalWidth = transform.resizedWidth = transform.inputWidth = transform.shownWidth = width;
    transform.originalHeight = transform.resizedHeight = transform.inputHeight = transform.shownHeight =
        height;
    return transform;
}

void requireShape(const std::string& name, const at::Tensor& tensor, std::vector<std::int64_t> expected,
                  const std::string& why) {
    const std::vector<std::int64_t> found = tensor.sizes().vec();
    bool same = found.size() == expected.size();
    for (std::size_t i = 0; same && i < found.size(); ++i)
        same = expected[i] == -1 || expected[i] == found[i];
    if (!same)
        throw Error(fmt::format("{}: expected shape {} ({}), found {}", name, shapeText(expected), why,
                                shapeText(found)),
                    "Save the tensor as the model's processor returns it, or give the picture with --image.");
}

}  // namespace

std::vector<InputTensor> VisionInput::accepted() const {
    using Values = InputTensor::Values;
    if (m_spec.patches.patchesGiven)
        return {{"pixel_values", 3, Values::Floating},
                {"pixel_attention_mask", 2, Values::Integer},
                {"spatial_shapes", 2, Values::Integer}};
    std::vector<InputTensor> inputs{{"pixel_values", 4, Values::Floating}};
    if (!m_spec.maskToken.empty()) inputs.push_back({"bool_masked_pos", 2, Values::Integer});
    if (m_spec.attentionMask) inputs.push_back({"attention_mask", 2, Values::Integer});
    if (m_spec.maskRatio >= 0) inputs.push_back({"noise", 2, Values::Floating});
    return inputs;
}

GridSize VisionInput::gridOf(const TensorItem& tensors) const {
    if (m_spec.patches.patchesGiven) {
        const at::Tensor shape = tensors.at("spatial_shapes").to(at::kLong);
        return {shape[0][0].item<std::int64_t>(), shape[0][1].item<std::int64_t>()};
    }
    const at::Tensor& pixels = tensors.at("pixel_values");
    return {pixels.size(2) / m_spec.patches.height, pixels.size(3) / m_spec.patches.width};
}

EncodedImage VisionInput::describe(const PixelTransform& transform, const TensorItem& tensors) const {
    const GridSize grid = gridOf(tensors);
    const std::int64_t padded = m_spec.patches.patchesGiven ? tensors.at("pixel_values").size(1) : 0;
    if (const std::int64_t count = m_spec.prefixCount() + std::max(grid.cells(), padded); count > kMaxTokens)
        throw Error(
            fmt::format("pixel_values: expected at most {} tokens, found {} (patches of {} x {} pixels)",
                        kMaxTokens, count, m_spec.patches.height, m_spec.patches.width),
            "Use a smaller picture.");
    EncodedImage image;
    image.transform = transform;
    image.tensors = tensors;
    const double patchHeight = static_cast<double>(m_spec.patches.height);
    const double patchWidth = static_cast<double>(m_spec.patches.width);
    image.geometry = {transform.originalWidth, transform.originalHeight, static_cast<int>(grid.rows),
                      static_cast<int>(grid.columns), transform.unread()};
    // Pixels past the last whole patch are in the model's input, but no token reads them.
    const double right = patchWidth * static_cast<double>(grid.columns);
    const double bottom = patchHeight * static_cast<double>(grid.rows);
    for (const Rect& rest :
         {Rect{right, 0, transform.inputWidth - right, static_cast<double>(transform.inputHeight)},
          Rect{0, bottom, right, transform.inputHeight - bottom}}) {
        const Rect unread = transform.toOriginal(rest);
        if (rest.width > 0 && rest.height > 0 && unread.width > 0 && unread.height > 0)
            image.geometry.unread.push_back(unread);
    }

    image.tokens.stage = m_spec.blocks.stage;
    image.tokens.gridRows = static_cast<int>(grid.rows);
    image.tokens.gridColumns = static_cast<int>(grid.columns);
    for (const PrefixToken& prefix : m_spec.prefixTokens()) {
        Token token;
        token.index = image.tokens.size();
        token.kind = prefix.kind;
        token.text = prefix.text;
        image.tokens.tokens.push_back(std::move(token));
    }
    const auto addPatch = [&](std::int64_t cell, bool read) {
        Token token;
        token.index = image.tokens.size();
        token.image = 0;
        token.row = static_cast<int>(cell / grid.columns);
        token.column = static_cast<int>(cell % grid.columns);
        token.rect = transform.toOriginal(
            {token.column * patchWidth, token.row * patchHeight, patchWidth, patchHeight});
        if (read)
            image.tokens.tokens.push_back(std::move(token));
        else
            image.geometry.unread.push_back(token.rect);
    };
    if (const auto noise = tensors.find("noise"); noise != tensors.end()) {
        const at::Tensor kept = keptPatches(noise->second, m_spec.maskRatio).to(at::kCPU);
        std::vector<bool> read(static_cast<std::size_t>(grid.cells()), false);
        for (std::int64_t i = 0; i < kept.size(0); ++i) {
            const auto cell = kept[i].item<std::int64_t>();
            read[static_cast<std::size_t>(cell)] = true;
            addPatch(cell, true);
        }
        for (std::int64_t cell = 0; cell < grid.cells(); ++cell)
            if (!read[static_cast<std::size_t>(cell)]) addPatch(cell, false);
    } else {
        for (std::int64_t cell = 0; cell < grid.cells(); ++cell) addPatch(cell, true);
    }
    for (std::int64_t row = grid.cells(); row < padded; ++row) {
        Token token;
        token.index = image.tokens.size();
        token.kind = TokenKind::Padding;
        image.tokens.tokens.push_back(std::move(token));
    }
    return image;
}

std::vector<double> VisionInput::black() const {
    const auto& settings = m_processor.settings();
    std::vector<double> values;
    for (std::size_t c = 0; c < settings.mean.size(); ++c)
        values.push_back(settings.doNormalize ? -settings.mean[c] / settings.deviation[c] : 0.0);
    return values;
}

EncodedImage VisionInput::fromPicture(const Pixels& picture) const {
    if (m_spec.patches.channels != 3)
        throw Error(fmt::format("the model reads pictures of {} channels; colour pictures have 3",
                                m_spec.patches.channels),
                    "Feed it raw tensors with --tensors.");
    ProcessedImage processed = m_processor.process(picture);
    TensorItem tensors;
    if (m_spec.patches.patchesGiven) {
        const std::int64_t values = 3 * m_spec.patches.height * m_spec.patches.width;
        if (!processed.isPatches() || processed.patchSize != m_spec.patches.height)
            throw Error(fmt::format(
                "preprocessor_config.json: expected patches of {} pixels, as config.json says, found {}",
                m_spec.patches.height, m_processor.describe()),
                        "The files are of two models; fetch them again.");
        tensors["pixel_values"] = copyOf(processed.values, {1, processed.maxPatches, values});
        std::vector<std::int64_t> mask(processed.patchMask.begin(), processed.patchMask.end());
        tensors["pixel_attention_mask"] = at::tensor(mask, at::kLong).unsqueeze(0);
        tensors["spatial_shapes"] =
            at::tensor({std::int64_t{processed.spatialShape[0]}, std::int64_t{processed.spatialShape[1]}},
                       at::kLong)
                .unsqueeze(0);
    } else {
        if (processed.isPatches())
            throw Error("preprocessor_config.json: the model reads whole pictures, not patches: " +
                        m_processor.describe(),
                        "The files are of two models; fetch them again.");
        tensors["pixel_values"] = copyOf(processed.values, {1, 3, processed.height, processed.width});
    }
    EncodedImage image = describe(processed.transform, tensors);
    image.seen = std::move(processed.seen);
    return image;
}

void VisionInput::requireNaFlex(const TensorItem& tensors) const {
    const at::Tensor& pixels = tensors.at("pixel_values");
    const std::int64_t values = m_spec.patches.channels * m_spec.patches.height * m_spec.patches.width;
    requireShape("pixel_values", pixels, {1, -1, values}, "one row a patch");
    for (const char* name : {"pixel_attention_mask", "spatial_shapes"})
        if (tensors.count(name) == 0)
            throw Error(fmt::format("{}: the model needs this tensor beside pixel_values, found none", name),
                        "Add the tensor to the file, or give the picture with --image.");
    requireShape("pixel_attention_mask", tensors.at("pixel_attention_mask"), {1, pixels.size(1)},
                 "one entry a patch");
    requireShape("spatial_shapes", tensors.at("spatial_shapes"), {1, 2}, "rows and columns of patches");
    const GridSize grid = gridOf(tensors);
    const std::int64_t limit = pixels.size(1);
    if (grid.rows < 1 || grid.columns < 1 || grid.rows > limit || grid.columns > limit ||
        grid.cells() > limit)
        throw Error(fmt::format("spatial_shapes: expected a grid of at most {} patches, found {} x {}", limit,
                                grid.rows, grid.columns),
                    "Save spatial_shapes as the model's processor returns it.");
    if (!tensors.at("pixel_attention_mask").to(at::kBool).any().item<bool>())
        throw Error("pixel_attention_mask: expected at least one patch that is not padding, found none",
                    "Save pixel_attention_mask as the model's processor returns it.");
}

void VisionInput::requireCounts(const TensorItem& tensors, const GridSize& grid) const {
    const std::int64_t patches = grid.cells();
    std::int64_t tokens = patches + m_spec.prefixCount();
    if (const auto noise = tensors.find("noise"); noise != tensors.end()) {
        requireShape("noise", noise->second, {1, patches}, "one value a patch");
        tokens = m_spec.prefixCount() + keptPatches(noise->second, m_spec.maskRatio).size(0);
    }
    if (const auto masked = tensors.find("bool_masked_pos"); masked != tensors.end())
        requireShape("bool_masked_pos", masked->second, {1, patches}, "one entry a patch");
    if (const auto mask = tensors.find("attention_mask"); m_spec.attentionMask && mask != tensors.end())
        requireShape("attention_mask", mask->second, {1, tokens}, "one entry a token");
}

Pixels VisionInput::toPicture(const TensorItem& tensors) const {
    const auto& settings = m_processor.settings();
    const at::Tensor& pixels = tensors.at("pixel_values");
    if (m_spec.patches.patchesGiven || pixels.size(1) != 3) return {};
    const auto height = static_cast<int>(pixels.size(2));
    const auto width = static_cast<int>(pixels.size(3));
    const at::Tensor plain = pixels.to(at::kFloat).contiguous();
    const float* values = plain.const_data_ptr<float>();
    Pixels picture(width, height);
    const double unit = settings.doRescale ? 1.0 / settings.rescaleFactor : 1.0;
    for (std::size_t c = 0; c < 3; ++c) {
        const double deviation = settings.doNormalize ? settings.deviation[c] : 1.0;
        const double mean = settings.doNormalize ? settings.mean[c] : 0.0;
        for (int y = 0; y < height; ++y)
            for (int x = 0; x < width; ++x) {
                const double value = (static_cast<double>(*values++) * deviation + mean) * unit;
                // NaN compares false and becomes 0.
                picture.at(x, y)[c] =
                    value > 0 ? static_cast<std::uint8_t>(std::lround(std::min(value, 255.0))) : 0;
            }
    }
    return picture;
}

EncodedImage VisionInput::fromTensors(const TensorItem& tensors, const Pixels* picture,
                                      const VisionTransformer& tower) const {
    const auto pixels = tensors.find("pixel_values");
    if (pixels == tensors.end()) throw Error("pixel_values: the model needs this tensor, found none",
                                             "Add pixel_values to the file, or give the picture with --image.");
    int height = 0;
    int width = 0;
    if (m_spec.patches.patchesGiven) {
        requireNaFlex(tensors);
        const GridSize grid = gridOf(tensors);
        height = static_cast<int>(grid.rows * m_spec.patches.height);
        width = static_cast<int>(grid.columns * m_spec.patches.width);
    } else {
        requireShape("pixel_values", pixels->second, {1, m_spec.patches.channels, -1, -1},
                     "batch, channels, height, width");
        constexpr std::int64_t kLimit = 1 << 15;
        if (pixels->second.size(2) > kLimit || pixels->second.size(3) > kLimit)
            throw Error(fmt::format("pixel_values: expected at most {} pixels a side, found shape {}", kLimit,
                                    shapeText(pixels->second.sizes().vec())),
                        "Scale the picture down first.");
        height = static_cast<int>(pixels->second.size(2));
        width = static_cast<int>(pixels->second.size(3));
        tower.requireSize(height, width);
        requireCounts(tensors, gridOf(tensors));
    }
    PixelTransform transform = identityTransform(width, height);
    if (picture && !picture->empty()) {
        transform.originalWidth = picture->width;
        transform.originalHeight = picture->height;
    }
    EncodedImage image = describe(transform, tensors);
    image.seen = toPicture(tensors);
    return image;
}

}  // namespace fovea
