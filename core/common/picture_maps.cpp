#include "common/picture_maps.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
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
            .help = "which picture of the prompt is drawn, counted from 0; all (-1): every one",
            .minimum = -1,
            .maximum = 65535,
            .choices = {"all"}};
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
    double words = 0, whole = 0;
    bool elsewhere = false;
    for (const Token& token : stage.tokens) {
        const bool placed = token.row >= 0 && token.image >= 0;
        double& mass = placed ? masses[token.image] : words;
        elsewhere = elsewhere || !placed;
        const auto at = static_cast<std::size_t>(token.index);
        if (at >= values.size() || !std::isfinite(values[at])) continue;
        mass += static_cast<double>(values[at]);
        whole += static_cast<double>(values[at]);
    }
    if (masses.size() < 2 || !(whole > 0)) return {};
    const auto percent = [&](double mass) { return fmt::format("{:.1f} %", 100 * mass / whole); };
    std::string text;
    if (masses.size() > mostShares) {
        const auto largest = std::max_element(masses.begin(), masses.end(),
                                              [](const auto& a, const auto& b) { return a.second < b.second; });
        text = fmt::format("{} pictures {}, most of it picture {} {}", masses.size(), percent(whole - words),
                           largest->first, percent(largest->second));
    } else {
        for (const auto& [image, mass] : masses)
            text += fmt::format("{}picture {} {}", text.empty() ? "" : ", ", image, percent(mass));
    }
    if (!elsewhere) return text;
    return text + (stage.stage == "text" ? ", text " : ", other tokens ") + percent(words);
}

}  // namespace fovea
