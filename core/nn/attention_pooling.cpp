#include "nn/attention_pooling.h"

#include <ATen/ops/add.h>

#include <cmath>

#include "attention/forward.h"

namespace fovea {

void AttentionPoolingHead::describe(ModelSpec& model) {
    if (m_spec.path.empty()) return;
    m_site = static_cast<int>(model.sites.size());
    AttentionSite site;
    site.stage = m_spec.stage;
    site.block = m_spec.layers;
    site.kind = SiteKind::Cross;
    site.heads = site.keyValueHeads = m_spec.heads;
    site.headDim = static_cast<int>(m_spec.hidden) / m_spec.heads;
    site.module = m_spec.path + "attention";
    model.sites.push_back(std::move(site));
}

void AttentionPoolingHead::visit(WeightVisitor& weights) {
    const std::int64_t hidden = m_spec.hidden;
    weights.norm(m_finalNorm, m_spec.finalNorm, hidden);
    m_finalNorm.eps = m_norm.eps = m_spec.eps;
    const std::string& path = m_spec.path;
    if (path.empty()) return;
    weights.tensor(m_probe, path + "probe", {1, 1, hidden});
    weights.fusedQkv(m_query, m_key, m_value,
                     {path + "attention.in_proj_weight", path + "attention.in_proj_bias", path + "attention"},
                     hidden, hidden, Bias::Required);
    weights.linear(m_output, path + "attention.out_proj", hidden, hidden);
    weights.norm(m_norm, path + "layernorm", hidden);
    m_mlp.visit(weights, {MlpKind::Plain,
                          hidden,
                          m_spec.intermediate,
                          m_spec.activation,
                          Bias::Required,
                          path + "mlp.fc1",
                          {},
                          path + "mlp.fc2"});
}

at::Tensor AttentionPoolingHead::pool(const VisionTokens& tokens, const at::Tensor& stream,
                                      Forward& forward) const {
    const std::int64_t dim = m_spec.hidden / m_spec.heads;
    const auto heads = [&](const at::Tensor& x) {
        return x.view({1, x.size(1), m_spec.heads, dim}).transpose(1, 2);
    };
    AttentionCall call;
    call.site = m_site;
    call.query = heads(forward.linear(m_query, m_probe));
    call.key = heads(forward.linear(m_key, stream));
    call.value = heads(forward.linear(m_value, stream));
    call.outputWeight = m_output.weight;
    if (tokens.padding.defined() && !tokens.padding.to(at::kBool).all().item<bool>())
        call.bias = selectBias(paddingBias(tokens.padding, stream.scalar_type()), tokens.kept);
    call.scale = 1.0 / std::sqrt(static_cast<double>(dim));
    const at::Tensor mixed = forward.attend(call).transpose(1, 2).reshape({1, 1, m_spec.hidden});
    const at::Tensor a = forward.attentionOutput(m_site, forward.linear(m_output, mixed));
    return at::add(a, m_mlp(m_norm(a), forward)).select(1, 0);
}

at::Tensor AttentionPoolingHead::embed(const VisionTokens& tokens, Forward& forward) const {
    return pool(tokens, m_finalNorm(tokens.hidden), forward);
}

void AttentionPoolingHead::run(const VisionTokens& tokens, Forward& forward) const {
    const at::Tensor stream = m_finalNorm(tokens.hidden);
    forward.output("last_hidden_state", stream);
    if (!m_spec.path.empty()) forward.output("pooler_output", pool(tokens, stream, forward));
}

}  // namespace fovea
