#include "session_outputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "fovea/error.h"
#include "picture_files.h"
#include "picture_names.h"
#include "session/finding_file.h"

namespace fovea::cli {
namespace {

namespace fs = std::filesystem;

std::string defaultSuffix() {
    try {
        checkPictureName("picture.png");
    } catch (const Error&) {
        return ".svg";
    }
    return ".png";
}

// The file of a picture below the output folder.
fs::path pictureName(const Session& session, std::size_t index) {
    const PictureRequest& picture = session.pictures[index];
    if (picture.file.empty())
        return fmt::format("{:02}-{}{}", index + 1,
                           session.analyses[static_cast<std::size_t>(picture.analysis)].id, defaultSuffix());
    const fs::path name = fs::path(picture.file).lexically_normal();
    if (name.is_absolute() || name.has_root_name() || name.begin()->string() == ".." || !name.has_filename())
        throw Error(fmt::format("/pictures/{}/file: expected a name below the output folder, found {}", index,
                                picture.file),
                    "Give a relative name without '..'.");
    return name;
}

fs::path numbersName(const Session& session, std::size_t index) {
    return fmt::format("{:02}-{}.json", index + 1, session.analyses[index].id);
}

// A picture to write: a request with its name, and the item that it is of.
struct Output {
    PictureRequest request;
    fs::path name;
    int item = 0;
};

// Every picture of every item: maps of a prompt's pictures one by one, numbered as those of several items.
std::vector<Output> outputsOf(Engine& engine, const Session& session, int items, const JobContext& job) {
    std::vector<Output> outputs;
    for (std::size_t i = 0; i < session.pictures.size(); ++i) {
        const PictureRequest& picture = session.pictures[i];
        const fs::path name = pictureName(session, i);
        std::vector<Output> made;
        for (int item = 0; item < items; ++item) {
            const auto result = engine.analyse(session, picture.analysis, item, job);
            for (PictureRequest& request : picturesDrawn(session.input, picture, result->findings, engine.painters()))
                made.push_back({std::move(request), name, item});
        }
        for (std::size_t n = 0; made.size() > 1 && n < made.size(); ++n) made[n].name = numberedName(name, static_cast<int>(n));
        outputs.insert(outputs.end(), made.begin(), made.end());
    }
    return outputs;
}

}  // namespace

void checkOutputs(Toolbox& toolbox, const Session& session) {
    const Catalog& catalog = *toolbox.catalog();
    for (const AnalysisRequest& request : session.analyses)
        checkedParams(catalog.analyses.get(request.id).info, request.params);
    for (const Intervention& edit : session.edits)
        checkedParams(catalog.interventions.get(edit.id).info, edit.params);
    std::map<fs::path, std::size_t> names;
    for (std::size_t i = 0; i < session.pictures.size(); ++i) {
        const fs::path name = pictureName(session, i);
        checkPictureName(name);
        if (const auto [first, fresh] = names.emplace(name, i); !fresh)
            throw Error(fmt::format("/pictures/{}/file: expected a name of its own, found {}, which "
                                    "/pictures/{} has",
                                    i, name.string(), first->second),
                        "two pictures in one file: the second would replace the first");
        const PictureRequest& picture = session.pictures[i];
        if (!picture.painter.empty())
            checkedParams(toolbox.painters()->get(picture.painter).info, picture.params);
    }
}

std::vector<fs::path> writeOutputs(Toolbox& toolbox, const Session& session, const OutputPlan& plan,
                                   const JobContext& job) {
    Engine& engine = toolbox.engine();
    const int count = engine.input(session, job.part(0, 0.1))->count();
    std::vector<fs::path> written;
    const std::vector<Output> outputs = outputsOf(engine, session, count, job.part(0.1, 0.5));
    Session drawn = session;
    drawn.pictures.clear();
    for (const Output& output : outputs) drawn.pictures.push_back(output.request);
    const auto steps = static_cast<double>(outputs.size() + session.analyses.size());
    double step = 0;
    const auto next = [&] {
        const JobContext part = job.part(0.5 + 0.5 * step / steps, 0.5 + 0.5 * (step + 1) / steps);
        ++step;
        return part;
    };
    std::error_code error;
    fs::create_directories(plan.folder, error);
    if (error) throw Error(plan.folder.string() + ": the folder cannot be made: " + error.message(),
                           "Check that you may write there, or choose another folder with -o.");
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        const auto result = engine.paint(drawn, static_cast<int>(i), outputs[i].item, next());
        const fs::path file = plan.folder / outputs[i].name;
        fs::create_directories(file.parent_path());
        writePicture(file, result->picture, outputs[i].request.dpi);
        if (const std::string remark = fontRemark(file, result->picture); !remark.empty()) toolbox.warn(remark);
        for (const std::string& notice : result->notices) toolbox.warn(notice);
        written.push_back(file);
        for (const std::string& suffix : plan.alsoAs) {
            if (suffix == suffixOf(file)) continue;
            written.push_back(fs::path(file).replace_extension(suffix));
            writePicture(written.back(), result->picture, outputs[i].request.dpi);
        }
    }
    for (std::size_t i = 0; i < session.analyses.size(); ++i) {
        written.push_back(plan.folder / numbersName(session, i));
        const Numbers numbers = computeNumbers(engine, session, static_cast<int>(i), next());
        for (const ItemFindings& found : numbers.items)
            for (const std::string& notice : found.result->notices) toolbox.warn(notice);
        writeNumbers(written.back(), numbers);
    }
    return written;
}

nlohmann::ordered_json routesJson(const RunResult& run) {
    nlohmann::ordered_json routes = nlohmann::ordered_json::array();
    for (const RouteReport& route : run.routes)
        routes.push_back({{"route", route.route}, {"calls", route.calls}, {"declined", route.declined}});
    return routes;
}

nlohmann::ordered_json routesJson(Toolbox& toolbox, const Session& session, const JobContext& job) {
    return routesJson(*toolbox.engine().run(session, 0, {}, job));
}

std::vector<Prediction> predictions(const AttentionTrace& trace, int count) {
    const std::vector<std::string> names = trace.outputNames();
    if (std::find(names.begin(), names.end(), "logits") == names.end()) return {};
    const std::vector<std::string>& labels = trace.spec().labels;
    const std::vector<float> logits = trace.output("logits").values;
    if (labels.empty() || labels.size() != logits.size()) return {};
    const double top = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const float logit : logits) sum += std::exp(logit - top);
    std::vector<int> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
        return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)];
    });
    std::vector<Prediction> best;
    for (int i = 0; i < std::min(count, static_cast<int>(order.size())); ++i) {
        const auto index = static_cast<std::size_t>(order[static_cast<std::size_t>(i)]);
        best.push_back(
            {labels[index], static_cast<int>(index), std::exp(logits[index] - top) / sum, logits[index]});
    }
    return best;
}

}  // namespace fovea::cli
