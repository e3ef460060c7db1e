#include "attention/generation_state.h"

#include <ATen/ops/equal.h>

#include <algorithm>
#include <optional>
#include <set>

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
           earlier.computeDtype == model.computeDtype && earlier.device == model.device &&
           earlier.generation == model.generation && then.item == asked.item &&
           then.maxNewTokens == asked.maxNewTokens && then.sampling == asked.sampling &&
           then.stopIds == asked.stopIds && then.forced == asked.forced && then.candidates == asked.candidates &&
           then.capture == asked.capture && then.rows == asked.rows && then.route == asked.route &&
           then.adapterStrengths == asked.adapterStrengths && sameInputs(state.inputs, inputs);
}

bool samePrunes(const EditPlan& a, const EditPlan& b) {
    std::vector<TokenPrune> left, right;
    for (const TokenPrune& prune : a.prunes)
        if (prune.stage == kAnswered) left.push_back(prune);
    for (const TokenPrune& prune : b.prunes)
        if (prune.stage == kAnswered) right.push_back(prune);
    return left == right;
}

// Tokens of an earlier answer whose passes do what they would do now; stages before the text are the same.
int sameTokens(const GenerationState& state, const ModelSpec& model, const EditPlan& now) {
    const EditPlan& then = state.asked.edits;
    if (!samePrunes(then, now)) return 0;
    const auto prompt = static_cast<int>(state.prompt);
    const auto alike = [&](int pass) {
        PassTokens tokens{pass == 0 ? 0 : prompt + pass - 1, prompt + pass, {}};
        for (std::size_t i = 0; i < model.sites.size(); ++i) {
            const auto site = static_cast<int>(i);
            if (sameEdit(then, now, site)) continue;
            tokens.keyEnd = model.sites[i].keyStage.empty() ? std::optional<int>(tokens.queryEnd) : std::nullopt;
            if (seenBy(editOf(then, site), tokens) != seenBy(editOf(now, site), tokens)) return false;
        }
        return true;
    };
    // Pass 0 is the prompt's; the one of answer token i is i + 1 and must be run again where it differs.
    int tokens = 0;
    while (tokens < static_cast<int>(state.steps.size()) && alike(tokens)) ++tokens;
    return tokens;
}

}  // namespace

KeptAnswer keptOf(const GenerationState& state, const ModelSpec& model, const InputTensors& inputs,
                  const GenerateSpec& asked) {
    KeptAnswer kept;
    kept.serves = sameButForEdits(state, model, inputs, asked);
    if (!kept.serves) return kept;
    const EditPlan edits = inPrompt(asked.edits, model, state.prompt);
    const bool same = std::all_of(model.stages.begin(), model.stages.end(), [&](const StageSpec& stage) {
        return stage.id == kAnswered || sameEdits(state, edits, model, stage.id);
    });
    if (!same) return kept;
    kept.tokens = sameTokens(state, model, asked.edits);
    kept.point.token = kept.tokens - 1;
    kept.point.pictures = asked.capture.taps.empty();
    const Checkpoint* checkpoint = latestCheckpoint(state, edits, asked.capture, model, kAnswered);
    if (checkpoint && kept.tokens == 0) kept.point.block = checkpoint->residual.block;
    return kept;
}

EditPlan inPrompt(const EditPlan& edits, const ModelSpec& model, std::int64_t prompt) {
    EditPlan seen;
    seen.prunes = edits.prunes;
    for (const SiteEdit& edit : edits.sites) {
        const AttentionSite& site = model.sites.at(static_cast<std::size_t>(edit.site));
        PassTokens tokens{0, static_cast<int>(prompt), static_cast<int>(prompt)};
        if (!site.keyStage.empty()) tokens.keyEnd = {};
        const std::optional<SiteEdit> own = site.stage == kAnswered ? seenBy(&edit, tokens) : edit;
        if (own) seen.sites.push_back(*own);
    }
    return seen;
}

}  // namespace fovea
