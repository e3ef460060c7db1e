// What the model would say after every layer (nostalgebraist 2020): the residual stream read by the final norm and head.
#include <fmt/format.h>

#include <algorithm>

#include "common/site_choice.h"
#include "common/token_distribution.h"
#include "fovea/catalog.h"
#include "fovea/error.h"
#include "fovea/selection.h"

namespace fovea {
namespace {

constexpr const char* kStage = "text";

// "auto": what wrote the answer's first token.
QueryChoice chosenPositions(const std::string& text, const TokenMap& map) {
    const bool answered = automaticTokens(map.stage(kStage)) == "writing";
    return chosenQueries(text == "auto" && answered ? "writing:0" : text, map, kStage);
}

// Rows of the stream at a boundary, [positions, hidden].
Array streamAt(const AttentionTrace& trace, int boundary, const std::vector<int>& positions) {
    const Array all = trace.hidden(kStage, boundary);
    const int tokens = trace.tokens().stage(kStage).size();
    if (all.size(0) != tokens)
        throw Error(fmt::format("text boundary {}: expected the stream of {} tokens, found {}", boundary, tokens, all.size(0)),
                    "run without pruning", ErrorCode::Usage);
    Array rows({static_cast<std::int64_t>(positions.size()), all.size(1)}, 0);
    for (std::size_t i = 0; i < positions.size(); ++i) {
        const auto row = rowOf(all, positions[i]);
        std::copy(row.begin(), row.end(), rows.values.begin() + static_cast<std::ptrdiff_t>(i) * all.size(1));
    }
    return rows;
}

std::vector<Finding> computeLogitLens(AnalysisContext& context, const nlohmann::json& params) {
    const AttentionTrace& trace = context.trace();
    const StageTokens& stage = trace.tokens().stage(kStage);
    const QueryChoice chosen = chosenPositions(params.at("tokens").get<std::string>(), trace.tokens());
    const std::vector<int>& positions = chosen.tokens;
    const int layers = trace.spec().stage(kStage).layers, top = params.at("top").get<int>();
    const std::vector<int> boundaries = parseIndices(params.at("boundaries").get<std::string>(), layers + 1, "boundaries");
    if (boundaries.empty()) throw Error("boundaries: nothing is selected", "write all, an index or a range", ErrorCode::Usage);
    const Array end = context.model().readOut(streamAt(trace, layers, positions));
    std::vector<int> said;
    for (std::size_t i = 0; i < positions.size(); ++i)
        said.push_back(TokenDistribution::of(rowOf(end, static_cast<std::int64_t>(i))).top(1).front());
    Table table{{{"token", ""}, {"text", ""}, {"after layers", ""}, {"rank", ""}, {"id", ""}, {"says", ""}, {"probability", "probability"}}, {}};
    Series series{"layers passed", "probability of the final token", {}};
    for (std::size_t i = 0; i < positions.size(); ++i)
        series.lines.push_back({fmt::format("{} \"{}\"", positions[i], context.model().tokenText(said[i])), {}, {}});
    for (std::size_t b = 0; b < boundaries.size(); ++b) {
        context.job().progress(static_cast<double>(b) / static_cast<double>(boundaries.size()), "logit_lens");
        const Array logits = context.model().readOut(streamAt(trace, boundaries[b], positions));
        for (std::size_t i = 0; i < positions.size(); ++i) {
            const TokenDistribution p = TokenDistribution::of(rowOf(logits, static_cast<std::int64_t>(i)));
            const Token& token = stage.tokens[static_cast<std::size_t>(positions[i])];
            double rank = 0;
            for (const int id : p.top(top))
                table.rows.push_back({static_cast<double>(positions[i]), tokenName(token), static_cast<double>(boundaries[b]),
                                      ++rank, static_cast<double>(id), context.model().tokenText(id), p.probability(id)});
            series.lines[i].x.push_back(boundaries[b]);
            series.lines[i].y.push_back(p.probability(said[i]));
        }
    }
    const std::string title = "Logit lens " + (chosen.writing ? chosen.phrase() : "at " + chosen.name);
    const std::string note = "the residual stream read early; middle layers need not speak the head's language";
    return {{"curves", title, "probability", note, std::move(series)}, {"table", title, "probability", note, std::move(table)}};
}

}  // namespace

void add_logit_lens(AnalysisCatalog& catalog) {
    catalog.add({{"logit_lens",
                  "Logit lens",
                  "What the model would say after every layer: the residual stream through the final norm and the head "
                  "(nostalgebraist 2020).",
                  {{.name = "tokens",
                    .type = ParamType::Tokens,
                    .defaultValue = "auto",
                    .help = "tokens whose stream is read: auto (the one that wrote the answer's first), writing:2, "
                            "answer, last, 5, ..."},
                   {.name = "boundaries",
                    .type = ParamType::Layers,
                    .defaultValue = "all",
                    .help = "after how many layers: 0 (the embedding) to the number of layers; all, 3, 0-5,9"},
                   {.name = "top",
                    .type = ParamType::Integer,
                    .defaultValue = 5,
                    .help = "most likely tokens listed a layer",
                    .minimum = 1,
                    .maximum = 1000}}},
                 [](const ModelSpec& spec, const nlohmann::json&) {
                     requireText(spec, "logit_lens");
                     Needs needs;
                     needs.capture.hidden = true;
                     return needs;
                 },
                 computeLogitLens});
}

}  // namespace fovea
