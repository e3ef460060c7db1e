#include "nn/towers/qwen_tower.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/add.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/reciprocal.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>

#include "attention/forward.h"
#include "fovea/error.h"
#include "nn/vision_model.h"

namespace fovea {
namespace {

std::vector<SiteLayout> layoutsOf(const QwenTowerSpec& spec) {
    std::vector<SiteLayout> layouts;
    if (spec.window == 0) return layouts;
    for (std::int64_t i = 0; i < spec.blocks.layers; ++i) {
        const bool full = std::find(spec.fullBlocks.begin(), spec.fullBlocks.end(), i) != spec.fullBlocks.end();
        layouts.push_back(full ? SiteLayout::Dense : SiteLayout::Windows);
    }
    return layouts;
}

QwenTowerSpec withLayouts(QwenTowerSpec spec) {
    spec.blocks.layouts = layoutsOf(spec);
    return spec;
}

// Positions of `count` cells on an axis of `side` table entries whose ends meet, in fp32 as the reference forms
// them: the two entries and their weights, [cells, 2] each.
struct Taps {
    at::Tensor index, weight;
};

Taps tapsOf(const at::Tensor& cells, std::int64_t count, std::int64_t side) {
    const auto last = static_cast<double>(side - 1);
    const at::Tensor at = cells.to(at::kFloat) * last / static_cast<double>(std::max<std::int64_t>(count - 1, 1));
    const at::Tensor low = at.floor();
    const at::Tensor offsets = at::arange(2, at.options());
    const at::Tensor apart = (at.unsqueeze(1) - low.unsqueeze(1) - offsets).abs();
    return {(low.unsqueeze(1) + offsets).to(at::kLong).clamp(0, side - 1), (1 - apart).clamp_min(0)};
}

}  // namespace

PatchOrder patchOrder(const GridSize& grid, std::int64_t merge) {
    PatchOrder order;
    for (std::int64_t row = 0; row < grid.rows; row += merge)
        for (std::int64_t column = 0; column < grid.columns; column += merge)
            for (std::int64_t inRow = 0; inRow < merge; ++inRow)
                for (std::int64_t inColumn = 0; inColumn < merge; ++inColumn) {
                    order.rows.push_back(row + inRow);
                    order.columns.push_back(column + inColumn);
                }
    return order;
}

std::shared_ptr<const AttentionSegments> windowSegments(const std::array<std::int64_t, 3>& thw,
                                                        std::int64_t merge, std::int64_t side,
                                                        const at::Device& device) {
    const std::int64_t rows = thw[1] / merge, columns = thw[2] / merge, unit = merge * merge;
    std::vector<std::int64_t> order, bounds = {0};
    for (std::int64_t frame = 0; frame < thw[0]; ++frame)
        for (std::int64_t top = 0; top < rows; top += side)
            for (std::int64_t left = 0; left < columns; left += side) {
                for (std::int64_t row = top; row < std::min(top + side, rows); ++row)
                    for (std::int64_t column = left; column < std::min(left + side, columns); ++column) {
                        const std::int64_t block = (frame * rows + row) * columns + column;
                        for (std::int64_t i = 0; i < unit; ++i) order.push_back(block * unit + i);
                    }
                bounds.push_back(static_cast<std::int64_t>(order.size()));
            }
    return std::make_shared<const AttentionSegments>(order, bounds, device);
}

QwenTower::QwenTower(QwenTowerSpec spec) : m_spec(withLayouts(std::move(spec))), m_blocks(m_spec.blocks) {}

void QwenTower::describe(ModelSpec& model) {
    StageSpec stage;
    stage.id = m_spec.blocks.stage;
    stage.layers = m_spec.blocks.layers;
    stage.hidden = static_cast<int>(m_spec.blocks.hidden);
    model.stages.push_back(std::move(stage));
    m_blocks.addSites(model.sites);
    m_blocks.addTaps(model.taps);
}

void QwenTower::visitMerger(WeightVisitor& weights, Merger& merger, const MergerNames& names,
                            MergerForm form) const {
    const std::int64_t hidden = m_spec.blocks.hidden, joined = hidden * m_spec.merge * m_spec.merge;
    merger.norm.visit(weights, names.norm, form == MergerForm::NormFirst ? hidden : joined, m_spec.blocks.norm,
                      m_spec.blocks.eps);
    weights.linear(merger.first, names.first, joined, joined);
    weights.linear(merger.second, names.second, m_spec.output, joined);
}

void QwenTower::visit(WeightVisitor& weights) {
    const std::int64_t hidden = m_spec.blocks.hidden;
    weights.kernel(m_patches, m_spec.patchPath,
                   {hidden, m_spec.channels, m_spec.temporalPatch, m_spec.patch, m_spec.patch}, m_spec.patchBias);
    if (!m_spec.positions.empty())
        weights.tensor(m_positions, m_spec.positions, {m_spec.positionSide * m_spec.positionSide, hidden});
    m_blocks.visit(weights);
    visitMerger(weights, m_merger, m_spec.merger, MergerForm::NormFirst);
    m_deep.resize(m_spec.deepMergers.size());
    for (std::size_t i = 0; i < m_deep.size(); ++i)
        visitMerger(weights, m_deep[i], m_spec.deepMergers[i], MergerForm::NormAfterJoining);
}

void QwenTower::requireInput(const TowerInput& input) const {
    const std::int64_t values = m_spec.channels * m_spec.temporalPatch * m_spec.patch * m_spec.patch;
    const auto [frames, rows, columns] = input.gridThw;
    if (rows % m_spec.merge != 0 || columns % m_spec.merge != 0)
        throw Error(fmt::format("image_grid_thw: expected rows and columns that {} divides, found {} x {}",
                                m_spec.merge, rows, columns),
                    "Save image_grid_thw as the model's processor returns it.");
    if (input.pixels.size(0) != frames * rows * columns || input.pixels.size(1) != values)
        throw Error(fmt::format("pixel_values: expected {} patches of {} values, found {} of {}",
                                frames * rows * columns, values, input.pixels.size(0), input.pixels.size(1)),
                    "Save pixel_values as the model's processor returns it.");
}

at::Tensor QwenTower::positionsOf(const TowerInput& input) const {
    const PatchOrder order = patchOrder(patchGrid(input), m_spec.merge);
    const auto device = m_positions.device();
    const auto axis = [&](const std::vector<std::int64_t>& cells, std::int64_t count) {
        return tapsOf(at::tensor(cells, at::kLong).to(device), count, m_spec.positionSide);
    };
    const Taps rows = axis(order.rows, input.gridThw[1]), columns = axis(order.columns, input.gridThw[2]);
    const at::Tensor index =
        (rows.index.unsqueeze(2) * m_spec.positionSide + columns.index.unsqueeze(1)).reshape({-1, 4});
    const at::Tensor weight = (rows.weight.unsqueeze(2) * columns.weight.unsqueeze(1)).reshape({-1, 4, 1});
    const at::Tensor frame = (at::embedding(m_positions, index) * weight).sum(1);
    return frame.repeat({input.gridThw[0], 1}).unsqueeze(0);
}

at::Tensor QwenTower::embed(const TowerInput& input, Forward& forward) const {
    const at::Tensor x =
        forward.linear(m_patches, input.pixels.to(m_patches.weight.scalar_type()).unsqueeze(0));
    return m_positions.defined() ? at::add(x, positionsOf(input).to(x.scalar_type())) : x;
}

BlockContext QwenTower::context(const TowerInput& input) const {
    const GridSize grid = patchGrid(input);
    const std::int64_t frames = input.gridThw[0];
    const at::Device device = m_patches.weight.device();
    BlockContext context;
    context.grid = grid;
    // The reference rotates in fp32 whatever the type of the run.
    const at::ScalarType type = m_patches.weight.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const auto options = at::TensorOptions(type).device(device);
    const double half = m_spec.blocks.headDim / 2;
    const at::Tensor inverse = at::reciprocal(at::pow(m_spec.theta, at::arange(0.0, half, 2.0, options) / half));
    const PatchOrder order = patchOrder(grid, m_spec.merge);
    const auto angles = [&](const std::vector<std::int64_t>& cells) {
        return at::tensor(cells, at::kLong).to(device).to(type).unsqueeze(1) * inverse;
    };
    at::Tensor angle = at::cat({angles(order.rows), angles(order.columns)}, 1);
    angle = at::cat({angle, angle}, 1).repeat({frames, 1});
    context.rotary = {at::cos(angle), at::sin(angle)};

    std::shared_ptr<const AttentionSegments> whole, windows;
    if (frames > 1) whole = AttentionSegments::equal(frames, grid.cells(), device);
    if (m_spec.window > 0) windows = windowSegments(input.gridThw, m_spec.merge, m_spec.window, device);
    for (int i = 0; i < m_spec.blocks.layers; ++i) {
        const bool inWindows =
            windows && m_spec.blocks.layouts[static_cast<std::size_t>(i)] == SiteLayout::Windows;
        context.segments.push_back(inWindows ? windows : whole);
    }
    return context;
}

at::Tensor QwenTower::merged(const Merger& merger, const at::Tensor& x, MergerForm form,
                             Forward& forward) const {
    const std::int64_t joined = merger.first.weight.size(1);
    const at::Tensor joinedX =
        form == MergerForm::NormFirst ? merger.norm(x).reshape({-1, joined}) : merger.norm(x.reshape({-1, joined}));
    return forward.linear(merger.second, at::gelu(forward.linear(merger.first, joinedX), "none"));
}

VisionFeatures QwenTower::run(const TowerInput& input, Forward& forward) const {
    requireInput(input);
    BlockContext shared = context(input);
    VisionFeatures features;
    features.deep.resize(m_deep.size());
    shared.resumable = input.resumable && m_deep.empty();
    if (!m_deep.empty())
        shared.observe = [&](int block, const at::Tensor& x) {
            for (std::size_t i = 0; i < m_deep.size(); ++i)
                if (m_spec.deepBlocks[i] == block)
                    features.deep[i] = merged(m_deep[i], x, MergerForm::NormAfterJoining, forward);
        };
    const at::Tensor x = m_blocks.run([&] { return embed(input, forward); }, shared, forward);
    if (forward.keptTokens(m_spec.blocks.stage).defined())
        throw Error("tokens of the vision tower cannot be pruned: the decoder expects a feature for each",
                    "prune the image tokens of the decoder", ErrorCode::Usage);
    features.tokens = merged(m_merger, x, MergerForm::NormFirst, forward);
    return features;
}

std::vector<StageCost> QwenTower::costs() const { return {costOf(m_spec.blocks, 0)}; }

GridSize QwenTower::patchGrid(const TowerInput& input) const { return {input.gridThw[1], input.gridThw[2]}; }

StageTokens QwenTower::stageTokens(const TowerInput& input) const {
    const GridSize grid = patchGrid(input);
    StageTokens stage;
    stage.stage = m_spec.blocks.stage;
    stage.gridRows = static_cast<int>(grid.rows);
    stage.gridColumns = static_cast<int>(grid.columns);
    const PatchOrder order = patchOrder(grid, m_spec.merge);
    for (std::int64_t frame = 0; frame < input.gridThw[0]; ++frame)
        for (std::size_t i = 0; i < order.rows.size(); ++i) {
            Token token;
            token.index = stage.size();
            token.image = static_cast<int>(frame);
            token.row = static_cast<int>(order.rows[i]);
            token.column = static_cast<int>(order.columns[i]);
            stage.tokens.push_back(std::move(token));
        }
    return stage;
}

}  // namespace fovea
