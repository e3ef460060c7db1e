#include "nn/sentence_pooling.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/clamp_min.h>
#include <ATen/ops/linalg_vector_norm.h>

#include <limits>

#include "io/hf_config.h"
#include "io/json_file.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

SentencePooling::Kind kindOf(const ConfigView& config) {
    using Kind = SentencePooling::Kind;
    if (config.boolean("pooling_mode_cls_token", false)) return Kind::First;
    if (config.boolean("pooling_mode_max_tokens", false)) return Kind::Max;
    if (config.boolean("pooling_mode_mean_tokens", false)) return Kind::Mean;
    const std::string mode = config.text("pooling_mode", "");
    return mode == "cls" ? Kind::First : mode == "max" ? Kind::Max : mode == "mean" ? Kind::Mean : Kind::None;
}

}  // namespace

SentencePooling SentencePooling::fromFolder(const fs::path& folder) {
    SentencePooling pooling;
    std::error_code error;
    const fs::path list = folder / "modules.json";
    if (!fs::is_regular_file(list, error)) return pooling;
    const nlohmann::json modules = readJsonFile(list);
    if (!modules.is_array()) return pooling;
    for (const nlohmann::json& entry : modules) {
        const ConfigView module(entry.is_object() ? entry : nlohmann::json::object(), list.string());
        const std::string type = module.text("type", ""), path = module.text("path", "");
        if (type.ends_with(".Normalize")) pooling.normalise = true;
        // Only a folder below this one is read.
        const bool inside = !path.empty() && path.find("..") == std::string::npos && !fs::path(path).is_absolute();
        const fs::path config = folder / path / "config.json";
        if (type.ends_with(".Pooling") && inside && fs::is_regular_file(config, error))
            pooling.kind = kindOf(ConfigView::read(config));
    }
    return pooling;
}

at::Tensor SentencePooling::operator()(const at::Tensor& hidden, const at::Tensor& mask) const {
    at::Tensor vector;
    const at::Tensor seen = mask.defined() ? mask.to(hidden.scalar_type()).unsqueeze(2) : at::Tensor();
    switch (kind) {
        case Kind::None:
            return {};
        case Kind::First:
            vector = hidden.select(1, 0);
            break;
        case Kind::Mean:
            vector = seen.defined() ? (hidden * seen).sum({1}) / at::clamp_min(seen.sum({1}), 1e-9) : hidden.mean({1});
            break;
        case Kind::Max:
            vector = at::amax(seen.defined() ? hidden.masked_fill(seen.eq(0), -std::numeric_limits<double>::infinity()) : hidden, {1});
            break;
    }
    return normalise ? vector / at::clamp_min(at::linalg_vector_norm(vector, 2, at::IntArrayRef{1}, true), 1e-12) : vector;
}

}  // namespace fovea
