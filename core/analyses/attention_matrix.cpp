#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "common/attention_maps.h"
#include "common/edited_attention.h"
#include "fovea/catalog.h"
#include "fovea/error.h"

namespace fovea {
namespace {

constexpr float none = std::numeric_limits<float>::quiet_NaN();

// A site's map over all tokens of the stage; rows and columns of pruned tokens are NaN. Owns its part of the
// trace.
class TraceMatrix : public MatrixSource {
public:
    struct Choice {
        int site = 0;
        std::vector<int> heads;
        HeadFusion fusion = HeadFusion::Mean;
        Weights weights = Weights::Effective;
    };

    TraceMatrix(std::shared_ptr<const AttentionTrace::Impl> impl, Choice choice, int rows, int columns)
        : m_trace(std::move(impl)),
          m_choice(std::move(choice)),
          m_rowOf(positions(m_trace.queryTokens(m_choice.site), rows)),
          m_columnOf(positions(m_trace.keyTokens(m_choice.site), columns)) {}

    int rows() const override { return static_cast<int>(m_rowOf.size()); }
    int columns() const override { return static_cast<int>(m_columnOf.size()); }

    Array tile(int rowBegin, int rowEnd, int columnBegin, int columnEnd) const override {
        rowBegin = std::clamp(rowBegin, 0, rows()), rowEnd = std::clamp(rowEnd, rowBegin, rows());
        columnBegin = std::clamp(columnBegin, 0, columns()),
        columnEnd = std::clamp(columnEnd, columnBegin, columns());
        Array out({rowEnd - rowBegin, columnEnd - columnBegin}, none);
        const auto [q0, q1] = span(m_rowOf, rowBegin, rowEnd);
        const auto [k0, k1] = span(m_columnOf, columnBegin, columnEnd);
        if (q0 == q1 || k0 == k1) return out;
        const Slice slice{.queryBegin = q0, .queryEnd = q1, .keyBegin = k0, .keyEnd = k1};
        const Array part =
            m_trace.fused(m_choice.site, m_choice.fusion, m_choice.heads, slice, m_choice.weights);
        for (int row = rowBegin; row < rowEnd; ++row)
            for (int column = columnBegin; column < columnEnd; ++column) {
                const int q = m_rowOf[static_cast<std::size_t>(row)],
                          k = m_columnOf[static_cast<std::size_t>(column)];
                if (q >= 0 && k >= 0) out.at(row - rowBegin, column - columnBegin) = part.at(q - q0, k - k0);
            }
        return out;
    }

    Array pooled(int block) const override {
        block = std::max(1, block);
        Array out({(rows() + block - 1) / block, (columns() + block - 1) / block}, none);
        const int cells = std::max(1, stripRows / block);
        for (std::int64_t cell = 0; cell < out.size(0); cell += cells) {
            const int begin = static_cast<int>(cell) * block;
            poolRows(tile(begin, begin + cells * block, 0, columns()), block, cell, out);
        }
        return out;
    }

private:
    // Position of every token in a sequence, -1 where it was pruned.
    static std::vector<int> positions(const std::vector<int>& sequence, int tokens) {
        std::vector<int> out(static_cast<std::size_t>(std::max(tokens, 0)), -1);
        for (std::size_t i = 0; i < sequence.size(); ++i)
            if (sequence[i] < tokens) out[static_cast<std::size_t>(sequence[i])] = static_cast<int>(i);
        return out;
    }

    // The positions that tokens [begin, end) take: they are in order, so they are one range.
    static std::pair<int, int> span(const std::vector<int>& positionOf, int begin, int end) {
        int first = -1, last = -1;
        for (int i = begin; i < end; ++i)
            if (const int position = positionOf[static_cast<std::size_t>(i)]; position >= 0) {
                if (first < 0) first = position;
                last = position;
            }
        return first < 0 ? std::pair{0, 0} : std::pair{first, last + 1};
    }

    static constexpr int stripRows = 64;

    // Cells from `firstCell` on out of a strip of rows that begins with them.
    static void poolRows(const Array& strip, int block, std::int64_t firstCell, Array& out) {
        const std::int64_t cells = (strip.size(0) + block - 1) / block;
        for (std::int64_t r = 0; r < cells; ++r)
            for (std::int64_t c = 0; c < out.size(1); ++c) {
                double sum = 0;
                std::int64_t count = 0;
                for (std::int64_t row = r * block; row < std::min((r + 1) * block, strip.size(0)); ++row)
                    for (std::int64_t k = c * block; k < std::min((c + 1) * block, strip.size(1)); ++k)
                        if (const float value = strip.at(row, k); !std::isnan(value)) sum += value, ++count;
                if (count > 0)
                    out.at(firstCell + r, c) = static_cast<float>(sum / static_cast<double>(count));
            }
    }

    AttentionTrace m_trace;
    Choice m_choice;
    std::vector<int> m_rowOf, m_columnOf;
};

SiteChoice oneSite(const ModelSpec& spec, const nlohmann::json& params) {
    SiteChoice choice = chosenSites(spec, params);
    if (choice.sites.size() != 1)
        throw Error(fmt::format("a matrix shows one layer; {} are selected", choice.sites.size()),
                    "choose one with layers=INDEX, or one address with site=", ErrorCode::Usage);
    return choice;
}

std::vector<Finding> computeAttentionMatrix(AnalysisContext& context, const nlohmann::json& params) {
    const AttentionTrace& trace = context.trace();
    context.job().progress(0, "attention_matrix");
    const SiteChoice choice = oneSite(trace.spec(), params);
    const int index = choice.sites.front();
    const AttentionSite& site = trace.spec().sites[static_cast<std::size_t>(index)];
    const bool pools = site.kind == SiteKind::Cross && site.keyStage.empty();
    const std::string columns = site.keyStage.empty() ? choice.stage : site.keyStage;
    const int tokens = trace.tokens().stage(columns).size();
    const int rows = pools ? trace.queries(index) : trace.tokens().stage(choice.stage).size();
    TraceMatrix::Choice map{index, chosenHeads(site, params.at("heads").get<std::string>()),
                            chosenFusion(params), chosenWeights(params)};
    const std::string heads = map.heads.size() == 1 ? fmt::format("head {}", map.heads.front())
                                                    : describeHeads(map.fusion, map.heads.size());
    PairMatrix matrix{pools ? "" : choice.stage, columns,
                      std::make_shared<TraceMatrix>(trace.impl(), std::move(map), rows, tokens)};
    return {{"matrix", fmt::format("Attention matrix, {}, {}", describeSites(trace.spec(), choice), heads),
             "probability", editedShare(trace, choice.sites, params), std::move(matrix)}};
}

}  // namespace

void add_attention_matrix(AnalysisCatalog& catalog) {
    catalog.add(
        {{"attention_matrix",
          "Attention matrix",
          "Probabilities of every query (row) over every key (column) of one layer, served by tiles.",
          {layersParam("last", "the layer to show"), headsParam("one head, or several that are fused"),
           fusionParam(), stageParam(), siteParam(), weightsParam("effective")}},
         [](const ModelSpec& spec, const nlohmann::json& params) {
             oneSite(spec, params);
             return needsOfSites(spec, params);
         },
         computeAttentionMatrix});
}

}  // namespace fovea
