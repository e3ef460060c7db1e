#include "attention/toy_model.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/randn.h>
#include <doctest/doctest.h>

#include <cmath>

#include "nn/linear.h"

namespace fovea::test {
namespace {

class ToyModel final : public Model {
public:
    explicit ToyModel(const ToyOptions& options)
        : m_options(options), m_generator(at::detail::createCPUGenerator(options.seed)) {
        m_spec.family = m_spec.modelType = "toy";
        m_spec.stages = {{"vision", options.blocks, hidden(), (options.tokens - 1) / 3, 3, {"cls"}}};
        m_spec.labels = {"no", "yes"};
        for (int block = 0; block < options.blocks; ++block) {
            AttentionSite site;
            site.stage = "vision";
            site.block = block;
            site.heads = options.heads;
            site.keyValueHeads = options.keyValueHeads;
            site.headDim = options.headDim;
            if (options.segments) site.layout = SiteLayout::Windows;
            m_spec.sites.push_back(site);
            m_spec.taps.push_back("vision." + std::to_string(block) + ".mlp");
            m_blocks.push_back({random(hidden(), hidden()), random(kvWidth(), hidden()),
                                random(kvWidth(), hidden()), random(hidden(), hidden()),
                                random(2 * hidden(), hidden()), random(hidden(), 2 * hidden())});
        }
        m_head = random(2, hidden());
        m_bias = options.mask;
        if (options.bias)
            m_bias =
                at::randn({1, options.heads, options.tokens, options.tokens}, m_generator, options.dtype);
    }

    const ModelSpec& spec() const override { return m_spec; }
    std::shared_ptr<const ModelInput> encode(const UserInput&) const override {
        return makeToyInput(m_options);
    }
    MemoryEstimate estimate(const ModelInput&, const CaptureRequest& capture, bool gradients) const override {
        return {0, 1000, capture.wantsSites() ? 500ULL : 0ULL, gradients ? 2000ULL : 0ULL};
    }

    void run(const ModelInput&, int, Forward& forward) const override {
        at::Tensor x;
        int first = 0;
        if (const auto resumed = forward.resume("vision")) {
            x = resumed->x;
            first = resumed->block;
        } else {
            x = forward.input("pixel_values");
        }
        for (int block = first; block < m_options.blocks; ++block)
            x = runBlock(forward, block, forward.enterBlock("vision", block, x));
        forward.leaveStage("vision", m_options.blocks, x);
        forward.output("logits", forward.linear(m_head, norm(x).select(1, 0)));
    }

private:
    struct Block {
        Linear query, key, value, output, up, down;
    };

    int hidden() const { return m_options.heads * m_options.headDim; }
    int kvWidth() const { return m_options.keyValueHeads * m_options.headDim; }
    Linear random(int out, int in) {
        const double deviation = 1.0 / std::sqrt(in);
        return {at::randn({out, in}, m_generator, m_options.dtype) * deviation,
                at::randn({out}, m_generator, m_options.dtype) * 0.1, ""};
    }
    static at::Tensor norm(const at::Tensor& x) { return at::layer_norm(x, {x.size(-1)}); }

    at::Tensor runBlock(Forward& forward, int index, const at::Tensor& x) const {
        const Block& block = m_blocks[static_cast<std::size_t>(index)];
        const auto split = [&](const at::Tensor& t, int heads) {
            return t.view({1, t.size(1), heads, m_options.headDim}).transpose(1, 2);
        };
        const at::Tensor normed = norm(x);
        AttentionCall call;
        call.site = index;
        call.query = split(forward.linear(block.query, normed), m_options.heads);
        call.key = split(forward.linear(block.key, normed), m_options.keyValueHeads);
        call.value = split(forward.linear(block.value, normed), m_options.keyValueHeads);
        call.scale = 1.0 / std::sqrt(m_options.headDim);
        call.causal = m_options.causal;
        call.softcap = m_options.softcap;
        call.bias = m_bias;
        call.segments = m_options.segments;
        call.outputWeight = block.output.weight;
        if (const at::Tensor kept = forward.keptTokens("vision"); m_bias.defined() && kept.defined())
            call.bias = m_bias.index_select(2, kept).index_select(3, kept);
        const at::Tensor attended = forward.attend(call).transpose(1, 2).reshape({1, x.size(1), hidden()});
        const at::Tensor y = x + forward.attentionOutput(index, forward.linear(block.output, attended));
        return y + forward.tap(m_spec.taps[static_cast<std::size_t>(index)],
                               forward.linear(block.down, at::gelu(forward.linear(block.up, norm(y)))));
    }

    ToyOptions m_options;
    at::Generator m_generator;
    ModelSpec m_spec;
    std::vector<Block> m_blocks;
    Linear m_head;
    at::Tensor m_bias;
};

TokenMap toyTokens(const ToyOptions& options) {
    TokenMap map;
    StageTokens stage{"vision", (options.tokens - 1) / 3, 3, {}};
    for (int i = 0; i < options.tokens; ++i) {
        Token token;
        token.index = i;
        token.kind = i == 0 ? TokenKind::Special : TokenKind::Image;
        token.text = i == 0 ? "[CLS]" : "";
        if (i > 0) {
            token.image = 0;
            token.row = (i - 1) / 3;
            token.column = (i - 1) % 3;
            token.rect = {8.0 * token.column, 8.0 * token.row, 8, 8};
        }
        stage.tokens.push_back(token);
    }
    map.images = {{24, 8 * stage.gridRows, stage.gridRows, 3, {}}};
    map.stages = {stage};
    return map;
}

}  // namespace

std::shared_ptr<const Model> makeToyModel(const ToyOptions& options) {
    return std::make_shared<ToyModel>(options);
}

std::shared_ptr<const ModelInput> makeToyInput(const ToyOptions& options, int items) {
    auto input = std::make_shared<TensorInput>();
    at::Generator generator = at::detail::createCPUGenerator(options.seed + 100);
    for (int item = 0; item < items; ++item) {
        input->items.push_back(
            {{"pixel_values",
              at::randn({1, options.tokens, options.heads * options.headDim}, generator, options.dtype)}});
        input->maps.push_back(toyTokens(options));
        input->originals.emplace_back();
        input->seen.emplace_back();
    }
    return input;
}

double largestDifference(const Array& a, const Array& b) {
    REQUIRE(a.shape == b.shape);
    double largest = 0;
    for (std::size_t i = 0; i < a.values.size(); ++i)
        largest = std::max(largest, std::abs(static_cast<double>(a.values[i]) - b.values[i]));
    return largest;
}

}  // namespace fovea::test
