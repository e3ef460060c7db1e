#include "picture_sheet.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <string_view>

#include "fovea/seen_pictures.h"

namespace fovea {
namespace {

constexpr int pageCells = 16;
constexpr std::string_view sheetName = "maps";

// The page that a name stands for; -1 for other names.
int pageNumber(std::string_view name) {
    if (name == sheetName) return 0;
    if (!name.starts_with(sheetName) || name.size() < sheetName.size() + 2 || name[sheetName.size()] != ' ') return -1;
    const std::string_view digits = name.substr(sheetName.size() + 1);
    int page = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), page);
    return error == std::errc() && end == digits.data() + digits.size() && page > 0 ? page : -1;
}

std::string pageName(int page) {
    return page == 0 ? std::string(sheetName) : fmt::format("{} {}", sheetName, page);
}

bool isPictureMap(const Finding& finding) {
    return std::holds_alternative<Grid>(finding.data) && besideName(finding.name) == "map";
}

std::vector<const Finding*> finestMaps(const std::vector<Finding>& findings) {
    const auto first = std::find_if(findings.begin(), findings.end(), isPictureMap);
    return first == findings.end() ? std::vector<const Finding*>{} : mapsBeside(findings, *first);
}

int pagesOf(std::size_t pictures) {
    return static_cast<int>((pictures + pageCells - 1) / pageCells);
}

std::string pageRange(int page, int pictures) {
    return fmt::format("{} to {}", page * pageCells, std::min(pictures, (page + 1) * pageCells) - 1);
}

}  // namespace

std::string besideName(const std::string& name) {
    constexpr std::string_view map = "map ";
    if (!name.starts_with(map)) return name;
    const std::size_t end = name.find_first_not_of("0123456789", map.size());
    return end == map.size() ? name : "map" + (end == std::string::npos ? "" : name.substr(end));
}

std::vector<const Finding*> mapsBeside(const std::vector<Finding>& findings, const Finding& map) {
    const auto* own = std::get_if<Grid>(&map.data);
    if (!own) return {&map};
    std::vector<const Finding*> maps;
    std::set<int> images;
    for (const Finding& finding : findings) {
        const auto* grid = std::get_if<Grid>(&finding.data);
        const bool beside = grid && besideName(finding.name) == besideName(map.name);
        if (beside && images.insert(grid->image).second) maps.push_back(&finding);
    }
    return maps.empty() ? std::vector<const Finding*>{&map} : maps;
}

std::vector<std::string> sheetNames(const std::vector<Finding>& findings) {
    const std::size_t pictures = finestMaps(findings).size();
    std::vector<std::string> names;
    for (int page = 0; pictures > 1 && page < pagesOf(pictures); ++page) names.push_back(pageName(page));
    return names;
}

std::vector<std::string> sheetTitles(const std::vector<Finding>& findings) {
    const auto pictures = static_cast<int>(finestMaps(findings).size());
    std::vector<std::string> titles;
    const std::size_t pages = sheetNames(findings).size();
    for (std::size_t page = 0; page < pages; ++page)
        titles.push_back(pages == 1 ? "All pictures"
                                    : fmt::format("Pictures {} of {}", pageRange(static_cast<int>(page), pictures), pictures));
    return titles;
}

bool namesSheet(const std::string& name) { return pageNumber(name) >= 0; }

std::optional<PictureSheet> sheetOf(const std::vector<Finding>& findings, const std::string& name) {
    const int page = pageNumber(name);
    const bool taken = std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) { return finding.name == name; });
    if (page < 0 || taken) return {};
    const std::vector<const Finding*> all = finestMaps(findings);
    if (all.size() < 2 || page >= pagesOf(all.size())) return {};
    PictureSheet sheet;
    sheet.page = page;
    sheet.first = page * pageCells;
    sheet.pictures = static_cast<int>(all.size());
    const auto begin = all.begin() + sheet.first;
    sheet.maps.assign(begin, begin + std::min<std::ptrdiff_t>(pageCells, all.end() - begin));
    const auto maps = std::count_if(findings.begin(), findings.end(), isPictureMap);
    sheet.otherViews = maps > static_cast<std::ptrdiff_t>(all.size());
    return sheet;
}

Finding sheetCaption(const PictureSheet& sheet) {
    const Finding& map = *sheet.maps.front();
    Finding caption{map.name, map.title, map.unit, map.note, TokenScores{}};
    // A map's title ends with the name of its picture.
    if (const std::size_t place = caption.title.rfind(", picture "); place != std::string::npos) caption.title.resize(place);
    if (sheet.pictures > static_cast<int>(sheet.maps.size()))
        caption.title += fmt::format(", pictures {} of {}", pageRange(sheet.page, sheet.pictures), sheet.pictures);
    return caption;
}

std::vector<std::string> sheetRemarks(const PictureSheet& sheet) {
    std::vector<std::string> remarks;
    const int pages = pagesOf(static_cast<std::size_t>(sheet.pictures));
    if (pages > 1) {
        std::string others;
        for (int page = 0; page < pages; ++page)
            if (page != sheet.page)
                others += fmt::format("{}{} (\"{}\")", others.empty() ? "" : ", ", pageRange(page, sheet.pictures), pageName(page));
        remarks.push_back(fmt::format("Pictures {} of {}. The others: {}; choose them as the result, or with --finding.",
                                      pageRange(sheet.page, sheet.pictures), sheet.pictures, others));
    }
    if (sheet.otherViews)
        remarks.emplace_back("Of pictures with several views the finest is drawn; the others are results of their own.");
    return remarks;
}

std::string pictureLabel(const ModelInput& input, int image) {
    const auto* seen = dynamic_cast<const SeenPictures*>(&input);
    const auto at = static_cast<std::size_t>(std::max(0, image));
    if (seen && at < seen->frames.size() && !seen->frames[at].empty()) return seen->frames[at];
    return fmt::format("picture {}", image);
}

}  // namespace fovea
