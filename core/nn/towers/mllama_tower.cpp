#include "nn/towers/mllama_tower.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/add.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <fmt/format.h>

#include "attention/forward.h"
#include "fovea/error.h"
#include "nn/numeric_limits.h"

namespace fovea {

std::int64_t MllamaTowerSpec::patchesPerTile() const {
    const std::int64_t side = imageSize / patches.height;
    return side * side;
}

std::int64_t MllamaTowerSpec::output() const {
    return local.hidden * (1 + static_cast<std::int64_t>(intermediate.size()));
}

MllamaTower::MllamaTower(MllamaTowerSpec spec)
    : m_spec(std::move(spec)), m_patches(m_spec.patches), m_local(m_spec.local), m_global(m_spec.global) {}

void MllamaTower::describe(ModelSpec& model) {
    StageSpec stage;
    stage.id = m_spec.local.stage;
    stage.layers = m_spec.local.layers + m_spec.global.layers;
    stage.hidden = static_cast<int>(m_spec.local.hidden);
    model.stages.push_back(std::move(stage));
    m_local.addSites(model.sites);
    m_global.addSites(model.sites);
    m_local.addTaps(model.taps);
    m_global.addTaps(model.taps);
}

void MllamaTower::visit(WeightVisitor& weights) {
    const std::int64_t hidden = m_spec.local.hidden, tokens = m_spec.tokensPerTile(), tiles = m_spec.tiles;
    const std::string& prefix = m_spec.prefix;
    m_patches.visit(weights);
    weights.tensor(m_class, prefix + "class_embedding", {hidden});
    const std::string positions = prefix + "gated_positional_embedding.";
    weights.tensor(m_positionGate, positions + "gate", {1});
    weights.tensor(m_positions, positions + "embedding", {tokens, hidden});
    weights.tensor(m_tilePositions, positions + "tile_embedding.weight", {m_spec.aspectRatios + 1, tiles * tokens * hidden});
    const auto tileTable = [&](at::Tensor& table, at::Tensor& gate, const std::string& path) {
        weights.tensor(table, path + "embedding.weight", {m_spec.aspectRatios + 1, tiles * hidden});
        weights.tensor(gate, path + "gate", {1});
    };
    tileTable(m_before, m_beforeGate, prefix + "pre_tile_positional_embedding.");
    tileTable(m_after, m_afterGate, prefix + "post_tile_positional_embedding.");
    weights.norm(m_normBefore, prefix + "layernorm_pre", hidden);
    weights.norm(m_normAfter, prefix + "layernorm_post", hidden);
    m_normBefore.eps = m_normAfter.eps = 1e-5;
    m_local.visit(weights);
    m_global.visit(weights);
}

at::Tensor MllamaTower::tileShift(const at::Tensor& table, const at::Tensor& gate, std::int64_t aspectRatio) const {
    return table[aspectRatio].view({m_spec.tiles, 1, m_spec.local.hidden}) * gate.tanh();
}

at::Tensor MllamaTower::embed(const at::Tensor& pixels, std::int64_t aspectRatio, Forward& forward) const {
    const std::int64_t hidden = m_spec.local.hidden, tokens = m_spec.tokensPerTile();
    std::vector<at::Tensor> tiles;
    for (std::int64_t i = 0; i < m_spec.tiles; ++i) tiles.push_back(m_patches(pixels.narrow(0, i, 1), forward));
    at::Tensor x = at::cat(tiles, 0);  // [tiles, patches, hidden]
    x = at::add(x, tileShift(m_before, m_beforeGate, aspectRatio));
    x = at::cat({m_class.view({1, 1, hidden}).expand({m_spec.tiles, 1, hidden}), x}, 1);
    const at::Tensor gate = m_positionGate.tanh();
    x = at::add(x, (1 - gate) * m_positions.unsqueeze(0));
    x = at::add(x, gate * m_tilePositions[aspectRatio].view({m_spec.tiles, tokens, hidden}));
    x = m_normBefore(x);
    x = at::constant_pad_nd(x, {0, 0, 0, m_spec.paddedPerTile() - tokens});
    return x.reshape({1, -1, hidden});
}

// The reference hides padding from padding alone: what is real sees everything.
at::Tensor MllamaTower::bias(const at::Tensor& mask) const {
    const std::int64_t tokens = m_spec.tokensPerTile(), padded = m_spec.paddedPerTile();
    const at::ScalarType dtype = m_local.dtype();
    at::Tensor gone = 1 - mask.to(dtype).view({m_spec.tiles, 1}).repeat({1, padded});
    // Where a tile needs no padding the reference counts all of it as such.
    const std::int64_t from = padded == tokens ? 0 : tokens;
    gone = at::cat({gone.narrow(1, 0, from), at::ones({m_spec.tiles, padded - from}, gone.options())}, 1);
    const at::Tensor column = gone.reshape({-1, 1});
    return (at::matmul(column, column.t()) * lowestValue(dtype)).unsqueeze(0).unsqueeze(0);
}

at::Tensor MllamaTower::run(const at::Tensor& pixels, std::int64_t aspectRatio, const at::Tensor& mask,
                            Forward& forward) const {
    const std::int64_t side = m_spec.imageSize, hidden = m_spec.local.hidden;
    if (pixels.size(0) != m_spec.tiles || pixels.size(2) != side || pixels.size(3) != side)
        throw Error(fmt::format("pixel_values: expected {} tiles of {} x {} pixels, found {} of {} x {}", m_spec.tiles, side,
                                side, pixels.size(0), pixels.size(2), pixels.size(3)),
                    "Save pixel_values as the model's processor returns it.");
    if (aspectRatio < 0 || aspectRatio > m_spec.aspectRatios)
        throw Error(fmt::format("aspect_ratio_ids: expected 0 to {}, found {}", m_spec.aspectRatios, aspectRatio),
                    "Save aspect_ratio_ids as the model's processor returns it.");
    BlockContext context;
    context.bias = bias(mask);
    context.resumable = false;
    std::vector<at::Tensor> between(m_spec.intermediate.size());
    context.observe = [&](int block, const at::Tensor& x) {
        for (std::size_t i = 0; i < between.size(); ++i)
            if (m_spec.intermediate[i] == block) between[i] = x;
    };
    at::Tensor x = m_local.run([&] { return embed(pixels, aspectRatio, forward); }, context, forward);
    if (forward.keptTokens(m_spec.local.stage).defined())
        throw Error("tokens of the vision tower cannot be pruned: the decoder expects all of them",
                    "Prune tokens of the text instead.", ErrorCode::Usage);
    const std::vector<std::int64_t> perTile = {m_spec.tiles, m_spec.paddedPerTile(), hidden};
    x = at::add(m_normAfter(x).view(perTile), tileShift(m_after, m_afterGate, aspectRatio)).reshape({1, -1, hidden});
    context.observe = nullptr;
    x = m_global.run([&] { return x; }, context, forward);
    const auto real = [&](const at::Tensor& all) {
        return all.reshape({m_spec.tiles, m_spec.paddedPerTile(), -1}).narrow(1, 0, m_spec.tokensPerTile());
    };
    std::vector<at::Tensor> parts = {real(x)};
    if (!between.empty()) parts.push_back(real(at::stack(between, -1).reshape({1, x.size(1), -1})));
    return at::cat(parts, 2).reshape({m_spec.tiles * m_spec.tokensPerTile(), m_spec.output()});
}

StageTokens MllamaTower::tokens(const at::Tensor& mask) const {
    const at::Tensor plain = mask.to(at::kCPU, at::kBool).contiguous();
    const std::int64_t side = m_spec.imageSize / m_spec.patches.height;
    StageTokens stage;
    stage.stage = m_spec.local.stage;
    for (std::int64_t tile = 0; tile < m_spec.tiles; ++tile)
        for (std::int64_t i = 0; i < m_spec.paddedPerTile(); ++i) {
            Token token;
            token.index = stage.size();
            if (i >= m_spec.tokensPerTile() || !plain.const_data_ptr<bool>()[tile]) {
                token.kind = TokenKind::Padding;
            } else if (i == 0) {
                token.kind = TokenKind::Special;
                token.text = "[CLS]";
            } else {
                token.image = static_cast<int>(tile);
                token.row = static_cast<int>((i - 1) / side);
                token.column = static_cast<int>((i - 1) % side);
            }
            stage.tokens.push_back(std::move(token));
        }
    return stage;
}

}  // namespace fovea
