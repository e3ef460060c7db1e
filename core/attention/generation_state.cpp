#include "attention/generation_state.h"

#include <ATen/ops/equal.h>

#include <algorithm>
#include <optional>
#include <set>

#include "attention/run_state.h"

namespace fovea {
namespace {

constexpr const char* kAnswered = "text";

using InputTensors = std::map<std::string, at::Tensor>;

// Tokens that one pass asks and that it can look at.
struct PassTokens {
    int firstQuery = 0, queryEnd = 0;
    std::optional<int> keyEnd;  ///< nothing: keys of another sequence
};

std::vector<int> within(const std::vector<int>& tokens, int begin, int end) {
    std::set<int> out;
    for (const int token : tokens)
        if (token >= begin && token < end) out.insert(token);
    return {out.begin(), out.end()};
}

// A factor as one pass sees it; nothing when it changes none of its rows.
std::optional<GroupFactor> seenBy(GroupFactor factor, const PassTokens& pass) {
    if (!factor.queries.empty()) {
        factor.queries = within(factor.queries, pass.firstQuery, pass.queryEnd);
        if (factor.queries.empty()) return {};
        if (static_cast<int>(factor.queries.size()) == pass.queryEnd - pass.firstQuery) factor.queries.clear();
    }
    if (!pass.keyEnd) return factor;
    factor.keys = within(factor.keys, 0, *pass.keyEnd);
    if (factor.keys.empty()) return {};
    if (!factor.compensateKeys.empty()) {
        factor.compensateKeys = within(factor.compensateKeys, 0, *pass.keyEnd);
        if (factor.compensateKeys.empty()) factor.rowSum = RowSum::Free;
    }
    return factor;
}

std::optional<SiteEdit> seenBy(const SiteEdit* edit, const PassTokens& pass) {
    if (!edit) return {};
    SiteEdit seen = *edit;
    seen.factors.clear();
    for (const GroupFactor& factor : edit->factors)
        if (const std::optional<GroupFactor> kept = seenBy(factor, pass)) seen.factors.push_back(*kept);
    if (seen.identity()) return {};
    return seen;
}

bool sameInputs(const InputTensors& a, const InputTensors& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& left, const auto& right) {
        const at::Tensor &x = left.second, &y = right.second;
        return left.first == right.first && x.scalar_type() == y.scalar_type() && x.device() == y.device() &&
               (x.is_same(y) || at::equal(x, y));
    });
}

bool sameButForEdits(const GenerationState& state, const ModelSpec& model, const InputTensors& inputs,
                     const GenerateSpec& asked) {
    const ModelSpec& earlier = state.trace->spec;
    const GenerateSpec& then = state.asked;
    return earlier.source == model.source && earlier.sites == model.sites &&
           earlier.computeDtype == model.computeDtype && earlier.device == model.device && then.item == asked.item &&
           then.maxNewTokens == asked.maxNewTokens && then.sampling == asked.sampling &&
           then.stopIds == asked.stopIds && then.forced == asked.forced && then.candidates == asked.candidates &&
           then.capture == asked.capture && then.rows == asked.rows && then.route == asked.route &&
           then.adapterStrengths == asked.adapterStrengths && sameInputs(state.inputs, inputs);
}

bool samePrunes(const EditPlan& a, const EditPlan& b, bool ofText) {
    std::vector<TokenPrune> left, right;
    for (const TokenPrune& prune : a.prunes)
        if ((prune.stage == kAnswered) == ofText) left.push_back(prune);
    for (const TokenPrune& prune : b.prunes)
        if ((prune.stage == kAnswered) == ofText) right.push_back(prune);
    return left == right;
}

}  // namespace

KeptAnswer keptOf(const GenerationState& state, const ModelSpec& model, const InputTensors& inputs,
                  const GenerateSpec& asked) {
    KeptAnswer kept;
    const EditPlan &then = state.asked.edits, &now = asked.edits;
    if (!sameButForEdits(state, model, inputs, asked) || !samePrunes(then, now, false)) return kept;
    std::vector<int> different;
    for (std::size_t i = 0; i < model.sites.size(); ++i) {
        const auto site = static_cast<int>(i);
        if (sameEdit(then, now, site)) continue;
        if (model.sites[i].stage != kAnswered) return kept;
        different.push_back(site);
    }
    // What taps of other stages saw is not told from what those of the text saw.
    kept.others = asked.capture.taps.empty();
    if (!samePrunes(then, now, true)) return kept;
    const auto prompt = static_cast<int>(state.prompt);
    const auto alike = [&](int pass) {
        PassTokens tokens{pass == 0 ? 0 : prompt + pass - 1, prompt + pass, {}};
        return std::all_of(different.begin(), different.end(), [&](int site) {
            const bool own = model.sites[static_cast<std::size_t>(site)].keyStage.empty();
            tokens.keyEnd = own ? std::optional<int>(tokens.queryEnd) : std::nullopt;
            return seenBy(editOf(then, site), tokens) == seenBy(editOf(now, site), tokens);
        });
    };
    // Pass 0 is the prompt's; the one of answer token i is i + 1 and must be run again where it differs.
    while (kept.tokens < static_cast<int>(state.steps.size()) && alike(kept.tokens)) ++kept.tokens;
    return kept;
}

}  // namespace fovea
