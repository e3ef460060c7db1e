#include <memory>

#include "command.h"
#include "display_flags.h"
#include "fovea/error.h"
#include "picture_files.h"
#include "picture_names.h"
#include "session_outputs.h"

namespace fovea::cli {
namespace {

struct Options {
    std::string model, analysis, finding, painter, output;
    std::vector<std::string> params, painterParams;
    DisplayFlags display;
    double dpi = PictureRequest().dpi;
    InputOptions input;
};

// Parameters of the painter that the finding will have: checked when it is known.
nlohmann::json looseParams(const std::vector<std::string>& texts) {
    nlohmann::json params = nlohmann::json::object();
    for (const std::string& text : texts) {
        const std::size_t equals = text.find('=');
        if (equals == std::string::npos || equals == 0)
            throw Error("--painter-param " + text + ": expected NAME=VALUE, found no \"=\"",
                        "fovea-cli list painters --json shows their parameters", ErrorCode::Usage);
        const std::string value = text.substr(equals + 1);
        const nlohmann::json parsed = nlohmann::json::parse(value, nullptr, false);
        params[text.substr(0, equals)] =
            parsed.is_number() || parsed.is_boolean() ? parsed : nlohmann::json(value);
    }
    return params;
}

Session sessionOf(Toolbox& toolbox, const Options& options) {
    Session session = sessionFor(options.model, options.input, toolbox.options(), *toolbox.catalog());
    const EntryInfo& info = toolbox.catalog()->analyses.get(options.analysis).info;
    session.analyses.push_back({options.analysis, parseParams(info, options.params, "--param")});
    PictureRequest picture;
    picture.finding = options.finding;
    picture.painter = options.painter;
    picture.display = displayOptions(options.display);
    picture.dpi = options.dpi;
    if (!options.painterParams.empty()) {
        picture.params = options.painter.empty() ? looseParams(options.painterParams)
                                                 : parseParams(toolbox.painters()->get(options.painter).info,
                                                               options.painterParams, "--painter-param");
    }
    session.pictures.push_back(std::move(picture));
    return session;
}

// One picture for every map where a prompt has several pictures.
void addPictures(Toolbox& toolbox, Session& session, const JobContext& job) {
    const SessionInput& input = session.input;
    if (input.images.size() < 2 && input.video.empty() && input.chat.empty()) return;
    const auto result = toolbox.engine().analyse(session, 0, 0, job);
    session.pictures = picturesDrawn(input, session.pictures.front(), result->findings, toolbox.engine().painters());
}

int run(Toolbox& toolbox, const Options& options) {
    checkPictureName(options.output);
    requirePlace(options.output);
    Session session = sessionOf(toolbox, options);
    const JobContext job = toolbox.job();
    const int items = toolbox.engine().input(session, job.part(0, 0.1))->count();
    if (items == 1) addPictures(toolbox, session, job.part(0.1, 0.2));
    const int count = items * static_cast<int>(session.pictures.size());
    nlohmann::ordered_json files = nlohmann::ordered_json::array();
    for (int number = 0; number < count; ++number) {
        const JobContext part = job.part(0.2 + 0.8 * number / count, 0.2 + 0.8 * (number + 1) / count);
        const auto result = items == 1 ? toolbox.engine().paint(session, number, 0, part)
                                       : toolbox.engine().paint(session, 0, number, part);
        const std::filesystem::path file =
            count == 1 ? std::filesystem::path(options.output) : numberedName(options.output, number);
        writePicture(file, result->picture, options.dpi);
        if (const std::string remark = fontRemark(file, result->picture); !remark.empty()) toolbox.warn(remark);
        files.push_back(file.generic_string());
        for (const std::string& notice : result->notices) toolbox.warn(notice);
        toolbox.note("wrote " + file.string());
    }
    if (toolbox.options().json)
        toolbox.printJson({{"files", std::move(files)}, {"routes", routesJson(toolbox, session, job)}});
    return exitDone;
}

}  // namespace

void addRender(Flags& app, Command& command) {
    Flags sub = app.subcommand("render", "draws an analysis as a picture with its recipe");
    sub.footer(
        "With several pictures the output is a numbered sequence: FILE-0.png, FILE-1.png, ...; --finding maps draws "
        "those of one\n"
        "prompt side by side in FILE, as frames of a film are. A linked scale spans all of them; linked:MIN:MAX sets its "
        "range.");
    auto options = std::make_shared<Options>();
    sub.option("MODEL", options->model, "what to open").required();
    sub.option("--analysis", options->analysis, "id of the analysis").typeName("ID").required();
    sub.option("--param", options->params, "parameter of the analysis; repeat for several")
        .typeName("K=V")
        .oneAtATime();
    sub.option("--finding", options->finding, "which finding to draw").typeName("NAME");
    sub.option("--painter", options->painter, "which painter draws it").typeName("ID");
    sub.option("--painter-param", options->painterParams, "parameter of the painter; repeat for several")
        .typeName("K=V")
        .oneAtATime();
    addDisplayFlags(sub, options->display);
    sub.option("--dpi", options->dpi, "dots per inch of a PNG")
        .range(10.0, 1200.0)
        .typeName("N");
    sub.option("-o,--output", options->output, "file to write: .png, .svg or .pdf")
        .typeName("FILE")
        .required();
    addInputOptions(sub, options->input);
    sub.whenChosen([&command, options] {
        command.action = [options](Toolbox& toolbox) { return run(toolbox, *options); };
    });
}

}  // namespace fovea::cli
