// What could have come next at every step of an answer, and how edits move it.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "common/token_distribution.h"
#include "fovea/catalog.h"
#include "fovea/error.h"
#include "fovea/generate.h"

namespace fovea {
namespace {

// Logits of every step, [steps, vocabulary].
struct Steps {
    Array logits;
    std::int64_t first = 0;   ///< row of the first step
    std::vector<int> chosen;  ///< ids of the answer; empty without one
    std::int64_t count() const { return logits.size(0) - first; }
    TokenDistribution at(std::int64_t step) const { return TokenDistribution::of(rowOf(logits, first + step)); }
};

Steps stepsOf(const AttentionTrace& trace, const Generation* answer) {
    Steps steps{trace.output("logits"), 0, {}};
    if (steps.logits.shape.size() != 2 || steps.logits.size(0) == 0)
        throw Error("the run recorded no logits over a vocabulary", {}, ErrorCode::Usage);
    if (answer) steps.chosen = answer->ids;
    // Without an answer only what follows on the prompt is asked for.
    if (!answer) steps.first = steps.logits.size(0) - 1;
    return steps;
}

// The same steps, with the same tokens, of a run without edits; nothing where there are none.
std::optional<Steps> withoutEdits(AnalysisContext& context, const Generation* answer) {
    RunSpec base = context.baseSpec();
    base.edits.dropIdentities();
    if (base.edits.empty()) return {};
    if (!answer) {
        base.edits = {};
        base.capture.output = base.capture.allLogits = true;
        return stepsOf(*context.run(base).trace, nullptr);
    }
    GenerateSpec spec;
    spec.item = context.item();
    spec.forced = answer->ids;
    spec.maxNewTokens = static_cast<int>(answer->ids.size());
    spec.candidates = 0;
    spec.capture.allLogits = true;
    spec.adapterStrengths = base.adapterStrengths;
    spec.budget = base.budget;
    const Generation plain = generate(context.model(), context.input(), spec, {}, context.job().part(0, 0.5));
    return stepsOf(*plain.trace, &plain);
}

// Candidates of a step: the most likely ones, the one that was chosen, and those that edits moved out of the list.
std::vector<int> candidatesOf(const TokenDistribution& now, const TokenDistribution* before, int chosen, int top) {
    std::vector<int> ids = now.top(top);
    const auto add = [&](int id) {
        if (id >= 0 && std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
    };
    add(chosen);
    if (before)
        for (const int id : before->top(top)) add(id);
    return ids;
}

Table emptyTable(bool edited) {
    Table table{{{"step", ""}, {"chosen", ""}, {"id", ""}, {"token", ""}, {"probability", "probability"}}, {}};
    if (!edited) return table;
    table.columns.push_back({"without edits", "probability"});
    table.columns.push_back({"change", "probability"});
    return table;
}

std::vector<Finding> computeNextToken(AnalysisContext& context, const nlohmann::json& params) {
    const Generation* answer = context.answer();
    const Steps now = stepsOf(context.trace(), answer);
    context.job().progress(0, "next_token");
    const std::optional<Steps> before = withoutEdits(context, answer);
    const std::int64_t steps = before ? std::min(now.count(), before->count()) : now.count();
    Table table = emptyTable(before.has_value());
    Series::Line entropy{"entropy", {}, {}}, moved{"change by the edits (KL)", {}, {}}, best{"probability of the answer", {}, {}};
    for (std::int64_t step = 0; step < steps; ++step) {
        context.job().progress(0.5 + 0.5 * static_cast<double>(step) / static_cast<double>(steps), "next_token");
        const TokenDistribution after = now.at(step);
        const std::optional<TokenDistribution> plain = before ? std::optional(before->at(step)) : std::nullopt;
        const auto place = static_cast<std::size_t>(step);
        const int chosen = place < now.chosen.size() ? now.chosen[place] : -1;
        for (const int id : candidatesOf(after, plain ? &*plain : nullptr, chosen, params.at("top").get<int>())) {
            const double p = after.probability(id);
            table.rows.push_back({static_cast<double>(step), id == chosen ? "yes" : "", static_cast<double>(id),
                                  context.model().tokenText(id), p});
            if (!plain) continue;
            table.rows.back().emplace_back(plain->probability(id));
            table.rows.back().emplace_back(p - plain->probability(id));
        }
        for (Series::Line* line : {&entropy, &moved, &best}) line->x.push_back(static_cast<double>(step));
        entropy.y.push_back(after.entropy());
        best.y.push_back(after.probability(chosen >= 0 ? chosen : after.top(1).front()));
        moved.y.push_back(plain ? after.divergenceFrom(*plain) : 0);
    }
    const std::string title = answer ? "Next token at every step of the answer" : "Next token after the prompt";
    const std::string note = before ? "without edits: the same tokens were read by the unedited model" : "";
    std::vector<Finding> findings{{"table", title, "probability", note, std::move(table)},
                                  {"entropy", "Entropy of the next token", "nats", "", Series{"step", "nats", {entropy}}},
                                  {"probability", "Probability of the answer's tokens", "probability", "",
                                   Series{"step", "probability", {best}}}};
    if (before)
        findings.push_back({"change", "How far the edits move the next token", "nats", note,
                            Series{"step", "Kullback-Leibler divergence (nats)", {moved}}});
    return findings;
}

}  // namespace

void add_next_token(AnalysisCatalog& catalog) {
    catalog.add({{"next_token",
                  "Next token",
                  "What could have come next at every step of the answer, its entropy, and how the session's edits "
                  "change it.",
                  {{.name = "top",
                    .type = ParamType::Integer,
                    .defaultValue = 5,
                    .help = "most likely tokens listed a step",
                    .minimum = 1,
                    .maximum = 1000}}},
                 [](const ModelSpec& spec, const nlohmann::json&) {
                     requireText(spec, "next_token");
                     Needs needs;
                     needs.capture.output = needs.capture.allLogits = true;
                     return needs;
                 },
                 computeNextToken});
}

}  // namespace fovea
