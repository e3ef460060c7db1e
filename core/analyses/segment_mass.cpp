// How much of the attention goes to each part of the prompt (sinks reference §0.4, 5).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/attention_maps.h"
#include "common/edited_attention.h"
#include "common/picture_sites.h"
#include "common/segments.h"
#include "fovea/catalog.h"
#include "fovea/error.h"

namespace fovea {
namespace {

// Mass of every segment, in segment order, for one (layer, head).
struct HeadMass {
    int layer = 0, head = 0;
    std::vector<double> mass;
};

std::vector<double> massOf(const std::vector<float>& row, const std::vector<Segment>& segments) {
    std::vector<double> mass;
    for (const Segment& segment : segments) {
        double sum = 0;
        for (const int token : segment.tokens)
            if (const float value = row[static_cast<std::size_t>(token)]; !std::isnan(value)) sum += value;
        mass.push_back(sum);
    }
    return mass;
}

std::vector<HeadMass> massesAt(const AttentionTrace& trace, int index, const std::vector<int>& queries,
                               const std::vector<Segment>& segments, const nlohmann::json& params) {
    const AttentionSite& site = trace.spec().sites[static_cast<std::size_t>(index)];
    const std::vector<int> rows = rowsOfQueries(trace, index, queries);
    const std::vector<int> heads = chosenHeads(site, params.at("heads").get<std::string>());
    const TokenValues values = lookedAtFrom(trace, index, {rows, heads, HeadFusion::Mean, chosenWeights(params)},
                                            trace.tokens().stage(keyStageOf(site)).size());
    std::vector<HeadMass> out;
    for (std::size_t h = 0; h < heads.size(); ++h)
        out.push_back({site.block, heads[h], massOf(values.perHead[h], segments)});
    return out;
}

Table tableOf(const std::vector<HeadMass>& rows, const std::vector<Segment>& segments) {
    Table table{{{"layer", ""}, {"head", ""}}, {}};
    for (const Segment& segment : segments) table.columns.push_back({segment.name, "probability"});
    for (const HeadMass& row : rows) {
        table.rows.push_back({static_cast<double>(row.layer), static_cast<double>(row.head)});
        for (const double mass : row.mass) table.rows.back().emplace_back(mass);
    }
    return table;
}

Series curvesOf(const std::vector<HeadMass>& rows, const std::vector<Segment>& segments) {
    Series series{"layer", "attention mass (probability)", {}};
    for (std::size_t s = 0; s < segments.size(); ++s) {
        Series::Line line{segments[s].name, {}, {}};
        for (std::size_t i = 0; i < rows.size();) {
            double sum = 0;
            std::size_t end = i;
            for (; end < rows.size() && rows[end].layer == rows[i].layer; ++end) sum += rows[end].mass[s];
            line.x.push_back(rows[i].layer);
            line.y.push_back(sum / static_cast<double>(end - i));
            i = end;
        }
        series.lines.push_back(std::move(line));
    }
    return series;
}

// Attention over the stage's own tokens, and to a picture that stands in none of them.
struct MassSites {
    SiteChoice own, cross;
};

MassSites massSites(const ModelSpec& spec, const nlohmann::json& params) {
    SiteChoice cross = crossingSites(spec, params);
    return {cross.sites.empty() ? chosenSites(spec, params) : ownSites(spec, params), std::move(cross)};
}

Needs massNeeds(const ModelSpec& spec, const nlohmann::json& params) {
    const MassSites sites = massSites(spec, params);
    Needs needs = needsOf(spec, sites.own);
    for (std::string& address : addressesOf(spec, sites.cross.sites)) needs.capture.sites.push_back(std::move(address));
    return needs;
}

void addMasses(AnalysisContext& context, const SiteChoice& choice, const nlohmann::json& params, std::vector<Finding>& findings) {
    if (choice.sites.empty()) return;
    const AttentionTrace& trace = context.trace();
    const std::vector<Segment> segments = segmentsOf(trace.tokens().stage(stageLookedAt(trace.spec(), choice)));
    const QueryChoice queries = chosenQueries(params.at("queries").get<std::string>(), trace.tokens(), choice.stage);
    std::vector<HeadMass> rows;
    for (std::size_t i = 0; i < choice.sites.size(); ++i) {
        context.job().progress(static_cast<double>(i) / static_cast<double>(choice.sites.size()),
                               "segment_mass");
        for (HeadMass& row : massesAt(trace, choice.sites[i], queries.tokens, segments, params))
            rows.push_back(std::move(row));
    }
    const std::string title =
        fmt::format("Attention mass by segment {}, {}", queries.phrase(), describeReading(trace.spec(), choice));
    const std::string crossing = crossingNote(trace.spec(), choice), end = crossing.empty() ? "" : " cross";
    const std::string note = withEditedShare(crossing, trace, choice.sites, params, queries.tokens);
    findings.push_back({"curves" + end, title, "probability", "means over the heads" + (note.empty() ? "" : "; " + note),
                        curvesOf(rows, segments)});
    findings.push_back({"table" + end, title, "probability", note, tableOf(rows, segments)});
}

std::vector<Finding> computeSegmentMass(AnalysisContext& context, const nlohmann::json& params) {
    const MassSites sites = massSites(context.trace().spec(), params);
    std::vector<Finding> findings;
    addMasses(context, sites.own, params, findings);
    // Without a picture there is nothing to cross to.
    const bool seen = std::any_of(sites.cross.sites.begin(), sites.cross.sites.end(),
                                  [&](int site) { return context.trace().has(site); });
    if (seen) addMasses(context, sites.cross, params, findings);
    if (findings.empty())
        throw Error("the chosen layers attend to a picture alone, and none was given", "give one with --image, or choose layers=all",
                    ErrorCode::Usage);
    return findings;
}

}  // namespace

void add_segment_mass(AnalysisCatalog& catalog) {
    catalog.add({{"segment_mass",
                  "Attention by segment",
                  "Share of the attention on the system text, each picture, the question and the answer so far, "
                  "per layer and head.",
                  {queriesParam("tokens that look: auto (what wrote the answer, or the last token of the prompt), answer, "
                                "an index"),
                   layersParam("all"), headsParam(), stageParam(), weightsParam("effective")}},
                 massNeeds,
                 computeSegmentMass});
}

}  // namespace fovea
