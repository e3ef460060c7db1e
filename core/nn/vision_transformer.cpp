#include "nn/vision_transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/add.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/argsort.h>
#include <ATen/ops/bucketize.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/reciprocal.h>
#include <ATen/ops/where.h>

#include "attention/forward.h"
#include "fovea/error.h"

namespace fovea {

PrefixWeight registerTokens(const std::string& name, std::int64_t count, std::int64_t hidden) {
    PrefixWeight weight{name, {1, count, hidden}, {}};
    for (std::int64_t i = 0; i < count; ++i) {
        const std::string number = std::to_string(i);
        weight.tokens.push_back({"register" + number, "[REG" + number + "]", TokenKind::Register});
    }
    return weight;
}

PrefixWeight classToken(const std::string& name, std::int64_t hidden) {
    return {name, {1, 1, hidden}, {{"cls", "[CLS]", TokenKind::Special}}};
}

std::int64_t VisionTransformerSpec::prefixCount() const {
    std::int64_t count = 0;
    for (const PrefixWeight& weight : prefix) count += static_cast<std::int64_t>(weight.tokens.size());
    return count;
}

std::vector<PrefixToken> VisionTransformerSpec::prefixTokens() const {
    std::vector<PrefixToken> tokens;
    for (const PrefixWeight& weight : prefix)
        tokens.insert(tokens.end(), weight.tokens.begin(), weight.tokens.end());
    return tokens;
}

at::Tensor tokenOf(const at::Tensor& stream, const at::Tensor& kept, std::int64_t index) {
    if (!kept.defined()) return stream.select(1, index);
    const at::Tensor at = (kept == index).nonzero();
    if (at.size(0) == 0)
        throw Error("token " + std::to_string(index) + " was pruned, but the model's output is read from it",
                    "Leave the token out of what is pruned.", ErrorCode::Usage);
    return stream.select(1, at.item<std::int64_t>());
}

at::Tensor VisionTokens::token(const at::Tensor& stream, std::int64_t index) const {
    return tokenOf(stream, kept, index);
}

at::Tensor VisionTokens::patchMean(const at::Tensor& stream) const {
    if (!kept.defined()) return stream.narrow(1, prefix, stream.size(1) - prefix).mean(1);
    const at::Tensor patches = (kept >= prefix).nonzero().squeeze(1);
    if (patches.size(0) == 0)
        throw Error("every patch token was pruned, but the model's output is their mean",
                    "Keep at least one patch token.", ErrorCode::Usage);
    return stream.index_select(1, patches).mean(1);
}

at::Tensor VisionTokens::mean(const at::Tensor& stream) const {
    if (!padding.defined()) return stream.mean(1);
    at::Tensor weight = padding.to(stream.scalar_type());
    if (kept.defined()) weight = weight.index_select(1, kept);
    return (stream * weight.unsqueeze(-1)).sum(1) / weight.sum(1, true);
}

at::Tensor keptPatches(const at::Tensor& noise, double maskRatio) {
    const auto count = static_cast<std::int64_t>(static_cast<double>(noise.size(-1)) * (1 - maskRatio));
    return at::argsort(noise.reshape({-1}), 0, false).narrow(0, 0, count);
}

VisionTransformer::VisionTransformer(VisionTransformerSpec spec)
    : m_spec(std::move(spec)),
      m_patches(m_spec.patches),
      m_positions(m_spec.positions),
      m_blocks(m_spec.blocks) {}

void VisionTransformer::describe(ModelSpec& model) {
    StageSpec stage;
    stage.id = m_spec.blocks.stage;
    stage.layers = m_spec.blocks.layers;
    stage.hidden = static_cast<int>(m_spec.blocks.hidden);
    stage.gridRows = static_cast<int>(m_spec.grid().rows);
    stage.gridColumns = static_cast<int>(m_spec.grid().columns);
    for (const PrefixToken& token : m_spec.prefixTokens()) stage.prefixTokens.push_back(token.id);
    model.stages.push_back(std::move(stage));
    m_blocks.addSites(model.sites);
    m_blocks.addTaps(model.taps);
}

void VisionTransformer::visit(WeightVisitor& weights) {
    m_prefix.resize(m_spec.prefix.size());
    for (std::size_t i = 0; i < m_prefix.size(); ++i) {
        weights.tensor(m_prefix[i], m_spec.prefix[i].name, m_spec.prefix[i].shape);
        if (m_prefix[i].defined()) m_prefix[i] = m_prefix[i].reshape({1, -1, m_spec.blocks.hidden});
    }
    if (!m_spec.maskToken.empty())
        weights.tensor(m_maskToken, m_spec.maskToken, m_spec.maskShape, Need::Optional);
    m_positions.visit(weights);
    m_patches.visit(weights);
    if (!m_spec.preNorm.empty()) weights.norm(m_preNorm, m_spec.preNorm, m_spec.blocks.hidden);
    m_preNorm.eps = m_spec.preNormEps;
    if (!m_spec.sharedRelativeBias.empty()) {
        m_relative = RelativeBias(m_spec.blocks.relativeGrid, m_spec.blocks.heads);
        m_relative.visit(weights, m_spec.sharedRelativeBias);
    }
    m_blocks.visit(weights);
}

void VisionTransformer::requireSize(std::int64_t height, std::int64_t width) const {
    const GridSize grid{height / m_spec.patches.height, width / m_spec.patches.width};
    if (grid.rows < 1 || grid.columns < 1)
        throw Error("pixel_values: expected at least one patch of " + std::to_string(m_spec.patches.height) +
                    " x " + std::to_string(m_spec.patches.width) + " pixels, found a picture of " +
                    std::to_string(height) + " x " + std::to_string(width),
                    "Give a larger picture, or give it with --image: it is scaled then.");
    m_positions.requireGrid(grid);
}

// The place of every row and column of patches within the real part of the picture, as a row or column of the
// table. In the type of the run, as the reference does.
at::Tensor VisionTransformer::bucketPositions(const VisionPass& pass) const {
    const std::int64_t side = m_spec.positions.grid.rows;
    const at::Tensor mask = pass.patchMask.to(at::kBool);
    const auto options = pass.pixels.options().dtype(at::kFloat);
    const at::Tensor edges = at::arange(1.0 / static_cast<double>(side), 1.0, 1.0 / static_cast<double>(side), options);
    const auto buckets = [&](std::int64_t count, const at::Tensor& real) {
        const at::Tensor step = at::reciprocal(real.sum().to(at::kFloat));
        const at::Tensor at = (at::arange(count, options) * step).clamp_max(1.0 - 1e-6);
        return at::bucketize(at.to(m_blocks.dtype()), edges, false, true);
    };
    const at::Tensor rows = buckets(mask.size(0), mask.select(1, 0));
    const at::Tensor columns = buckets(mask.size(1), mask.select(0, 0));
    const at::Tensor index = rows.unsqueeze(1) * side + columns.unsqueeze(0);
    return at::where(mask, index, 0).reshape({-1});
}

at::Tensor VisionTransformer::embedPatches(const VisionPass& pass, Forward& forward) const {
    at::Tensor patches = m_patches(pass.pixels, forward);
    if (pass.masked.defined()) {
        if (!m_maskToken.defined())
            throw Error("bool_masked_pos: the checkpoint has no mask token", "Leave the tensor out.");
        const at::Tensor token = m_maskToken.reshape({1, 1, -1});
        patches = at::where(pass.masked.to(at::kBool).unsqueeze(-1), token, patches);
    }
    if (m_spec.lookup == PositionLookup::Buckets && m_positions.defined())
        return at::add(patches, m_positions.table().index_select(1, bucketPositions(pass)));
    if (!m_spec.patches.patchesGiven || !m_positions.defined()) return patches;
    // NaFlex: rows past the grid are padding and take the position of the first patch, as the reference does.
    at::Tensor positions = m_positions.forGrid(pass.grid);
    if (const std::int64_t missing = patches.size(1) - pass.grid.cells(); missing > 0)
        positions =
            at::cat({positions, positions.narrow(1, 0, 1).expand({1, missing, positions.size(2)})}, 1);
    return at::add(patches, positions);
}

at::Tensor VisionTransformer::embed(const VisionPass& pass, Forward& forward) const {
    at::Tensor patches = embedPatches(pass, forward);
    at::Tensor prefix = m_prefix.empty()       ? at::Tensor()
                        : m_prefix.size() == 1 ? m_prefix[0]
                                               : at::cat(m_prefix, 1);
    if (m_positions.defined() && !m_spec.patches.patchesGiven && m_spec.lookup == PositionLookup::Grid) {
        const at::Tensor positions = m_positions.forGrid(pass.grid);
        const std::int64_t placed = m_spec.positions.prefix;
        patches = at::add(patches, positions.narrow(1, placed, pass.grid.cells()));
        if (placed > 0 && placed == prefix.size(1)) {
            prefix = at::add(prefix, positions.narrow(1, 0, placed));
        } else if (placed > 0) {
            prefix = at::cat({at::add(prefix.narrow(1, 0, placed), positions.narrow(1, 0, placed)),
                              prefix.narrow(1, placed, prefix.size(1) - placed)},
                             1);
        }
    }
    if (pass.noise.defined())
        patches = patches.index_select(1, keptPatches(pass.noise, m_spec.maskRatio));
    at::Tensor x = prefix.defined() ? at::cat({prefix, patches}, 1) : patches;
    return m_preNorm.defined() ? m_preNorm(x) : x;
}

BlockContext VisionTransformer::context(const VisionPass& pass) const {
    BlockContext context;
    context.grid = pass.grid;
    context.observe = pass.observe;
    context.resumable = pass.resumable;
    const at::ScalarType dtype = m_blocks.dtype();
    if (pass.padding.defined() && !pass.padding.to(at::kBool).all().item<bool>())
        context.bias = paddingBias(pass.padding, dtype);
    if (m_relative.defined()) {
        const at::Tensor relative = m_relative.forGrid(pass.grid);
        context.bias = context.bias.defined() ? at::add(relative, context.bias) : relative;
    }
    if (m_spec.rotary == RotaryKind::AxialPatches)
        context.rotary = axialRotary({pass.grid.rows, pass.grid.columns, m_spec.blocks.headDim,
                                      m_spec.prefixCount(), m_spec.rotaryTheta},
                                     at::TensorOptions(dtype).device(pass.pixels.device()));
    return context;
}

VisionTokens VisionTransformer::run(Forward& forward) const {
    VisionPass pass;
    pass.pixels = forward.input("pixel_values");
    pass.masked = forward.input("bool_masked_pos");
    pass.noise = forward.input("noise");
    if (m_spec.attentionMask) pass.padding = forward.input("attention_mask");
    if (m_spec.patches.patchesGiven) {
        const at::Tensor shape = forward.input("spatial_shapes").to(at::kCPU, at::kLong);
        pass.grid = {shape[0][0].item<std::int64_t>(), shape[0][1].item<std::int64_t>()};
        pass.padding = forward.input("pixel_attention_mask");
    }
    return run(std::move(pass), forward);
}

VisionTokens VisionTransformer::run(VisionPass pass, Forward& forward) const {
    if (!m_spec.patches.patchesGiven) pass.grid = m_patches.grid(pass.pixels);
    if (pass.patchMask.defined()) pass.padding = pass.patchMask.reshape({1, -1});
    VisionTokens tokens;
    if (m_spec.patches.patchesGiven) tokens.padding = pass.padding;
    tokens.prefix = m_spec.prefixCount();
    tokens.hidden = m_blocks.run([&] { return embed(pass, forward); }, context(pass), forward);
    tokens.kept = forward.keptTokens(m_spec.blocks.stage);
    return tokens;
}

}  // namespace fovea
