#include "attention/answer_rules.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/nan_to_num.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <span>

namespace fovea {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

// Ids of the vocabulary, each once; undefined where there are none.
at::Tensor indicesOf(std::span<const int> ids, const at::Tensor& scores) {
    std::vector<std::int64_t> own(ids.begin(), ids.end());
    std::sort(own.begin(), own.end());
    own.erase(std::unique(own.begin(), own.end()), own.end());
    std::erase_if(own, [&](std::int64_t id) { return id < 0 || id >= scores.size(0); });
    return own.empty() ? at::Tensor() : at::tensor(own, at::kLong).to(scores.device());
}

at::Tensor penalised(const at::Tensor& logits, std::span<const int> sequence, double penalty) {
    const at::Tensor ids = indicesOf(sequence, logits);
    if (!ids.defined()) return logits;
    const at::Tensor old = logits.index_select(0, ids);
    return logits.index_copy(0, ids, at::where(old > 0, old / penalty, old * penalty));
}

at::Tensor without(const at::Tensor& scores, const std::vector<int>& banned) {
    const at::Tensor ids = indicesOf(banned, scores);
    return ids.defined() ? scores.index_fill(0, ids, kNever) : scores;
}

}  // namespace

at::Tensor ruledScores(const at::Tensor& logits, const GenerationRules& rules, const std::vector<int>& ends,
                       const AnswerPlace& place) {
    at::Tensor scores = rules.repetitionPenalty != 1 ? penalised(logits, place.ids, rules.repetitionPenalty) : logits;
    scores = without(scores, bannedIds(rules, ends, place));
    if (const at::Tensor ids = indicesOf(forcedIds(rules, place), scores); ids.defined())
        scores = at::full_like(scores, kNever).index_fill(0, ids, 0);
    if (rules.removeInvalid) scores = at::nan_to_num(scores, 0.0);
    return without(scores, suppressedIds(rules, place));
}

std::string unfollowedNotice(const GenerationRules& rules, const Sampling& sampling) {
    const bool asked = sampling.temperature > 0;
    std::vector<std::string> keys = rules.unserved;
    if (rules.draws && !asked) keys.emplace_back("do_sample");
    for (const std::string& key : rules.drawing) {
        const bool given = key == "temperature" || (key == "top_k" && sampling.topK > 0) || (key == "top_p" && sampling.topP < 1);
        if (asked ? !given : rules.draws) keys.push_back(key);
    }
    if (keys.empty()) return {};
    return fmt::format("generation_config.json: {} {} not followed: {}", fmt::join(keys, ", "), keys.size() > 1 ? "are" : "is",
                       asked ? "tokens are drawn as asked for"
                             : "each token is the likeliest one (--temperature, --top-k and --top-p draw)");
}

}  // namespace fovea
