#include "common/cell_selection.h"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "common/picture_views.h"
#include "fovea/error.h"
#include "fovea/selection.h"

namespace fovea {
namespace {

constexpr std::size_t kMostChoices = 6;

// "image:N/view:K/grid:CELLS" in parts; empty where a part is missing.
struct CellRequest {
    std::string part, picture, view, cells;
};

[[noreturn]] void fail(const CellRequest& request, const std::string& problem, const std::string& hint) {
    throw Error(fmt::format("token selection \"{}\": {}", request.part, problem), hint, ErrorCode::Usage);
}

// Takes "WORD:VALUE/" from the beginning of `rest`.
std::string taken(std::string_view& rest, std::string_view word) {
    if (!rest.starts_with(word)) return {};
    const std::size_t slash = rest.find('/');
    if (slash == std::string_view::npos) return {};
    std::string value(rest.substr(word.size(), slash - word.size()));
    rest.remove_prefix(slash + 1);
    return value;
}

CellRequest requestOf(const std::string& part) {
    CellRequest request{part, {}, {}, {}};
    std::string_view rest = part;
    request.picture = taken(rest, "image:");
    request.view = taken(rest, "view:");
    if (!rest.starts_with("grid:"))
        fail(request, "expected cells behind pictures and views", "write grid:ROW,COLUMN, image:N/grid:ROW,COLUMN or image:N/view:K/grid:ROW,COLUMN");
    request.cells = rest.substr(5);
    return request;
}

std::optional<int> wholeNumber(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    int value = 0;
    const auto [rest, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc() || rest != text.data() + text.size()) return {};
    return value;
}

std::optional<std::pair<int, int>> cellOf(std::string_view text) {
    const std::size_t comma = text.find(',');
    if (comma == std::string_view::npos) return {};
    const std::optional<int> row = wholeNumber(text.substr(0, comma)), column = wholeNumber(text.substr(comma + 1));
    if (!row || !column) return {};
    return std::pair{*row, *column};
}

void addCells(const CellRequest& request, const PictureView& view, std::vector<int>& out) {
    const std::string_view body = request.cells;
    const std::size_t dash = body.find('-', 1);
    const auto from = cellOf(body.substr(0, dash));
    const auto to = dash == std::string_view::npos ? from : cellOf(body.substr(dash + 1));
    const bool inside = from && to && from->first >= 0 && from->second >= 0 && to->first < view.rows &&
                        to->second < view.columns && from->first <= to->first && from->second <= to->second;
    if (!inside)
        fail(request, fmt::format("expected cells of the {} x {} grid (rows x columns)", view.rows, view.columns),
             fmt::format("write grid:ROW,COLUMN or grid:ROW,COLUMN-ROW,COLUMN: rows 0 to {}, columns 0 to {}", view.rows - 1,
                         view.columns - 1));
    for (const auto& [cell, token] : view.lattice.cells) {
        const int row = cell.first - view.row, column = cell.second - view.column;
        if (row >= from->first && row <= to->first && column >= from->second && column <= to->second)
            out.push_back(token);
    }
}

using Pictures = std::map<int, std::vector<PictureView>>;

// Every way to name one grid, with its size.
std::string waysToSay(const Pictures& pictures) {
    std::vector<std::string> ways;
    for (const auto& [image, views] : pictures)
        for (std::size_t k = 0; k < views.size(); ++k) {
            const std::string picture = pictures.size() > 1 ? fmt::format("image:{}/", image) : "";
            const std::string view = views.size() > 1 ? fmt::format("view:{}/", k) : "";
            const std::string name = views[k].name.empty() ? "" : ", " + views[k].name;
            ways.push_back(fmt::format("{}{}grid:ROW,COLUMN ({} x {}{})", picture, view, views[k].rows, views[k].columns, name));
        }
    const bool more = ways.size() > kMostChoices;
    if (more) ways.resize(kMostChoices);
    return fmt::format("write {}{}", fmt::join(ways, ", "), more ? ", ..." : "");
}

std::vector<int> picturesOf(const CellRequest& request, const Pictures& pictures, const TokenMap& map) {
    if (request.picture.empty() && pictures.size() == 1) return {pictures.begin()->first};
    if (request.picture.empty())
        fail(request, fmt::format("it does not say of which of {} pictures", pictures.size()), waysToSay(pictures));
    return parseIndices(request.picture, static_cast<int>(map.images.size()),
                        "pictures in token selection \"" + request.part + "\"");
}

std::vector<int> viewsOf(const CellRequest& request, int image, const Pictures& pictures) {
    const auto picture = pictures.find(image);
    if (picture == pictures.end())
        fail(request, fmt::format("no token reads cells of picture {}", image), waysToSay(pictures));
    const int count = static_cast<int>(picture->second.size());
    if (request.view.empty() && count == 1) return {0};
    if (request.view.empty())
        fail(request, fmt::format("picture {} has {} views, each with a grid of its own", image, count), waysToSay(pictures));
    return parseIndices(request.view, count, fmt::format("views of picture {} in token selection \"{}\"", image, request.part));
}

}  // namespace

bool namesCells(const std::string& part) {
    const bool behind = part.starts_with("image:") || part.starts_with("view:");
    return part.starts_with("grid:") || (behind && part.find('/') != std::string::npos);
}

std::vector<int> cellTokens(const std::string& part, const TokenMap& map, const StageTokens& stage) {
    const CellRequest request = requestOf(part);
    Pictures pictures;
    for (PictureView& view : pictureViews(stage)) pictures[view.lattice.image].push_back(std::move(view));
    if (pictures.empty())
        fail(request, fmt::format("no token of stage {} reads cells of a picture", stage.stage),
             "choose the stage whose tokens do, or give a picture");
    std::vector<int> tokens;
    for (const int image : picturesOf(request, pictures, map))
        for (const int view : viewsOf(request, image, pictures))
            addCells(request, pictures.at(image)[static_cast<std::size_t>(view)], tokens);
    return tokens;
}

}  // namespace fovea
