#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/site_choice.h"
#include "fovea/analysis.h"

namespace fovea {

/// One value per token of a stage at one site: for each chosen head, and with these heads fused. NaN where a
/// token was pruned.
struct TokenValues {
    std::vector<std::vector<float>> perHead;  // [heads][tokens]
    std::vector<float> fused;                 // [tokens]
};

/// Which part of a site is wanted, by positions in its rows or columns.
struct MapRequest {
    std::vector<int> positions;
    std::vector<int> heads;
    HeadFusion fusion = HeadFusion::Mean;
    Weights weights = Weights::Effective;
};

/// Positions of the queries among a site's rows. Throws Error (Usage) where there is none: pruned before it, or not recorded.
std::vector<int> rowsOfQueries(const AttentionTrace& trace, int site, const std::vector<int>& queries);

/// Where the queries at `positions` look: mean over them of their rows, for every key token.
TokenValues lookedAtFrom(const AttentionTrace& trace, int site, const MapRequest& request, int tokens);

/// Who looks at the keys at `positions`: sum over them of their columns, for every query token.
TokenValues lookersAt(const AttentionTrace& trace, int site, const MapRequest& request, int tokens);

/// What an analysis of the chosen sites' probabilities needs: exactly these sites.
Needs needsOfSites(const ModelSpec& spec, const nlohmann::json& params);

/// What an analysis of the probabilities of these sites needs.
Needs needsOf(const ModelSpec& spec, const SiteChoice& choice);

/// "planes": fused, heads, layers, layers_heads.
ParamSpec planesParam();

/// What the findings made of maps are called.
struct MapCaption {
    std::string title;  ///< without a word on heads
    /// How heads were fused, "mean of 12 heads", or empty; left out where the planes keep heads apart.
    std::string heads;
    std::string note;
};

/// A Grid "map" for every picture and view of the stage (pictureMaps()) and TokenScores "scores" out of the values of several
/// sites; layers are averaged where the planes do not keep them apart.
std::vector<Finding> mapFindings(const AttentionTrace& trace, const SiteChoice& choice,
                                 const std::vector<TokenValues>& values, const nlohmann::json& params,
                                 const MapCaption& caption);

/// Mean of the entries that are not NaN; NaN where there is none.
std::vector<float> meanOf(const std::vector<const std::vector<float>*>& lists);

/// Calls `use(begin, end)` for runs of successive positions, each at most `longest` long.
template <typename Use>
void forRuns(const std::vector<int>& positions, int longest, Use use) {
    for (std::size_t i = 0; i < positions.size();) {
        std::size_t end = i + 1;
        while (end < positions.size() && positions[end] == positions[end - 1] + 1 &&
               static_cast<int>(end - i) < longest)
            ++end;
        use(positions[i], positions[end - 1] + 1);
        i = end;
    }
}

/// Rows or columns of a site that make a block of at most 8 M values.
int blockLength(std::int64_t heads, std::int64_t other);

}  // namespace fovea
