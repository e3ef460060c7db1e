#include "compute/box_query.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <sstream>

namespace fovea::gui {

namespace {

constexpr const char* readersId = "box_readers";

std::optional<Rect> parsed(const std::string& text) {
    Rect box;
    char comma = 0;
    std::istringstream in(text);
    in.imbue(std::locale::classic());
    if (!(in >> box.x >> comma >> box.y >> comma >> box.width >> comma >> box.height) || box.empty()) return {};
    return box;
}

}  // namespace

int boxAnalysis(const Session& session) {
    const auto found = std::find_if(session.analyses.begin(), session.analyses.end(),
                                    [](const AnalysisRequest& request) { return request.id == readersId; });
    return found == session.analyses.end() ? -1 : static_cast<int>(found - session.analyses.begin());
}

std::optional<BoxQuery> boxQuery(const Session& session) {
    const int at = boxAnalysis(session);
    if (at < 0) return {};
    const nlohmann::json& params = session.analyses[static_cast<std::size_t>(at)].params;
    const auto box = params.find("box");
    if (box == params.end() || !box->is_string()) return {};
    const std::optional<Rect> rect = parsed(box->get<std::string>());
    if (!rect) return {};
    const auto picture = params.find("picture");
    const bool numbered = picture != params.end() && picture->is_number_integer();
    return BoxQuery{numbered ? std::max(0, picture->get<int>()) : 0, *rect};
}

void setBoxQuery(Session& session, const std::optional<BoxQuery>& query) {
    int at = boxAnalysis(session);
    if (!query && at < 0) return;
    if (at < 0) {
        at = static_cast<int>(session.analyses.size());
        session.analyses.push_back({readersId, nlohmann::json::object()});
    }
    nlohmann::json& params = session.analyses[static_cast<std::size_t>(at)].params;
    if (query) {
        const Rect& box = query->box;
        params["box"] = fmt::format("{},{},{},{}", std::lround(box.x), std::lround(box.y), std::lround(box.width),
                                    std::lround(box.height));
        params.erase("picture");
        if (query->image > 0) params["picture"] = query->image;
        return;
    }
    params.erase("box");
    params.erase("picture");
    const bool drawn = std::any_of(session.pictures.begin(), session.pictures.end(),
                                   [&](const PictureRequest& picture) { return picture.analysis == at; });
    if (drawn) return;
    session.analyses.erase(session.analyses.begin() + at);
    for (PictureRequest& picture : session.pictures)
        if (picture.analysis > at) --picture.analysis;
}

std::string boxText(const BoxQuery& query, bool several) {
    const Rect& box = query.box;
    const std::string place = fmt::format("{:.0f} x {:.0f} px at {:.0f},{:.0f}", box.width, box.height, box.x, box.y);
    return several ? fmt::format("{} of picture {}", place, query.image) : place;
}

}  // namespace fovea::gui
