#include "common/picture_maps.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <map>
#include <set>

#include "common/token_grid.h"
#include "fovea/error.h"

namespace fovea {
namespace {

constexpr std::size_t mostShares = 6;

[[noreturn]] void rejectPicture(int picture, const std::string& stage, const std::vector<TokenGrid>& grids) {
    std::set<int> known;
    for (const TokenGrid& grid : grids) known.insert(grid.image());
    throw Error(fmt::format("picture {}: no token of stage {} reads it", picture, stage),
                known.empty() ? "the stage reads no picture"
                              : fmt::format("it reads picture {}; -1 shows all", fmt::join(known, ", ")),
                ErrorCode::Usage);
}

}  // namespace

ParamSpec pictureParam() {
    return {.name = "picture",
            .type = ParamType::Integer,
            .defaultValue = -1,
            .help = "which picture of the prompt is drawn, counted from 0; -1: all, one after the other",
            .minimum = -1,
            .maximum = 65535};
}

std::vector<Finding> pictureMaps(const TokenMap& map, const TokenPlanes& planes, const nlohmann::json& params,
                                 const Finding& like) {
    const std::vector<TokenGrid> grids = TokenGrid::all(map, planes.stage);
    const int picture = params.is_object() ? params.value("picture", -1) : -1;
    std::vector<Finding> findings;
    for (const TokenGrid& grid : grids) {
        if (picture >= 0 && grid.image() != picture) continue;
        Finding finding = like;
        finding.name = findings.empty() ? "map" : fmt::format("map {}", findings.size());
        if (!grid.name().empty()) finding.title += ", " + grid.name();
        finding.data = grid.filled(planes.names, planes.values);
        findings.push_back(std::move(finding));
    }
    if (picture >= 0 && findings.empty()) rejectPicture(picture, planes.stage, grids);
    return findings;
}

std::string pictureShares(const StageTokens& stage, const std::vector<float>& values) {
    std::map<int, double> masses;
    for (const Token& token : stage.tokens) {
        if (token.row < 0 || token.image < 0) continue;
        double& mass = masses[token.image];
        const auto at = static_cast<std::size_t>(token.index);
        if (at < values.size() && !std::isnan(values[at])) mass += static_cast<double>(values[at]);
    }
    std::string text;
    if (masses.size() < 2 || masses.size() > mostShares) return text;
    for (const auto& [image, mass] : masses) text += fmt::format(", {:.1f} % on picture {}", 100 * mass, image);
    return text;
}

}  // namespace fovea
