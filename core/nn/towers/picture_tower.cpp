#include "nn/towers/picture_tower.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include "attention/forward.h"
#include "fovea/error.h"
#include "nn/vision_model.h"

namespace fovea {

std::vector<int> featureLayers(const ConfigView& config, int layers, int fallback) {
    constexpr const char* key = "vision_feature_layer";
    std::vector<std::int64_t> given = {fallback};
    if (config.has(key) && config.json().at(key).is_array())
        given = config.integers(key, {}, {-4096, 4096});
    else
        given = {config.integer(key, fallback, {-4096, 4096})};
    std::vector<int> boundaries;
    for (const std::int64_t layer : given) {
        const std::int64_t at = layer < 0 ? layers + 1 + layer : layer;
        if (at < 0 || at > layers)
            config.fail(key, fmt::format("hidden states from {} to {}", -layers - 1, layers),
                        std::to_string(layer));
        boundaries.push_back(static_cast<int>(at));
    }
    if (boundaries.empty()) config.fail(key, "at least one layer", "none");
    return boundaries;
}

at::Tensor patchMaskOf(const at::Tensor& pixelMask, std::int64_t patch) {
    const std::int64_t rows = pixelMask.size(0) / patch, columns = pixelMask.size(1) / patch;
    return pixelMask.to(at::kBool)
        .narrow(0, 0, rows * patch)
        .narrow(1, 0, columns * patch)
        .reshape({rows, patch, columns, patch})
        .permute({0, 2, 1, 3})
        .reshape({rows, columns, patch * patch})
        .any(2);
}

PictureTower::PictureTower(PictureTowerSpec spec)
    : m_spec(std::move(spec)), m_tower(m_spec.tower), m_projector(m_spec.projector) {}

void PictureTower::describe(ModelSpec& model) {
    m_tower.describe(model);
    model.stages.back().readAfter = m_spec.layers;
}

void PictureTower::visit(WeightVisitor& weights) {
    m_tower.visit(weights);
    if (!m_spec.finalNorm.empty()) weights.norm(m_finalNorm, m_spec.finalNorm, m_spec.tower.blocks.hidden);
    m_finalNorm.eps = m_spec.tower.blocks.eps;
    m_projector.visit(weights);
}

at::Tensor PictureTower::states(const TowerInput& input, Forward& forward) const {
    VisionPass pass;
    pass.pixels = input.pixels;
    pass.patchMask = input.patchMask;
    std::vector<at::Tensor> chosen(m_spec.layers.size());
    pass.resumable = input.resumable && chosen.empty();
    if (!chosen.empty())
        pass.observe = [&](int block, const at::Tensor& x) {
            for (std::size_t i = 0; i < chosen.size(); ++i)
                if (m_spec.layers[i] == block + 1) chosen[i] = x;
        };
    const VisionTokens tokens = m_tower.run(std::move(pass), forward);
    if (tokens.kept.defined())
        throw Error("tokens of the vision tower cannot be pruned: the decoder expects a feature for each",
                    "prune the image tokens of the decoder", ErrorCode::Usage);
    if (!chosen.empty()) return chosen.size() == 1 ? chosen.front() : at::cat(chosen, 2);
    return m_finalNorm.defined() ? m_finalNorm(tokens.hidden) : tokens.hidden;
}

VisionFeatures PictureTower::run(const TowerInput& input, Forward& forward) const {
    m_tower.requireSize(input.pixels.size(2), input.pixels.size(3));
    at::Tensor x = states(input, forward);
    const std::int64_t prefix = m_spec.tower.prefixCount();
    if (m_spec.dropPrefix) x = x.narrow(1, prefix, x.size(1) - prefix);
    return {m_projector.run(x, patchGrid(input), forward), {}};
}

std::vector<StageCost> PictureTower::costs() const { return {costOf(m_spec.tower.blocks, 0)}; }

GridSize PictureTower::patchGrid(const TowerInput& input) const {
    return {input.pixels.size(2) / m_spec.tower.patches.height,
            input.pixels.size(3) / m_spec.tower.patches.width};
}

GridSize PictureTower::patchSize() const {
    return {m_spec.tower.patches.height, m_spec.tower.patches.width};
}

std::int64_t PictureTower::merge() const {
    return m_spec.projector.gather == Gather::None ? 1 : m_spec.projector.factor;
}

std::int64_t PictureTower::leadingFeatures() const {
    return m_spec.dropPrefix ? 0 : m_spec.tower.prefixCount();
}

StageTokens PictureTower::stageTokens(const TowerInput& input) const {
    const GridSize grid = patchGrid(input);
    StageTokens stage;
    stage.stage = m_spec.tower.blocks.stage;
    stage.gridRows = static_cast<int>(grid.rows);
    stage.gridColumns = static_cast<int>(grid.columns);
    for (const PrefixToken& prefix : m_spec.tower.prefixTokens()) {
        Token token;
        token.index = stage.size();
        token.kind = prefix.kind;
        token.text = prefix.text;
        stage.tokens.push_back(std::move(token));
    }
    at::Tensor mask;
    if (input.patchMask.defined()) mask = input.patchMask.to(at::kCPU, at::kBool).contiguous();
    for (std::int64_t cell = 0; cell < grid.cells(); ++cell) {
        Token token;
        token.index = stage.size();
        if (mask.defined() && !mask.const_data_ptr<bool>()[cell]) {
            token.kind = TokenKind::Padding;
        } else {
            token.image = 0;
            token.row = static_cast<int>(cell / grid.columns);
            token.column = static_cast<int>(cell % grid.columns);
        }
        stage.tokens.push_back(std::move(token));
    }
    return stage;
}

}  // namespace fovea
