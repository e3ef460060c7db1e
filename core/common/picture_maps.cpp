#include "common/picture_maps.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "common/token_grid.h"
#include "fovea/error.h"

namespace fovea {
namespace {

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

}  // namespace fovea
