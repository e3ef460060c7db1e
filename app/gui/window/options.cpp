#include "window/options.h"

#include <QCommandLineParser>
#include <QCoreApplication>
#include <QFileInfo>
#include <QRegularExpression>
#include <cstdio>

#include "fovea/suggestion.h"
#include "panels/start_strip.h"
#include "views/view_area.h"
#include "window/main_window.h"

namespace fovea::gui {

namespace {

constexpr const char* demoModel = "demo:vit";
constexpr const char* demoImage = "scene:1";

void fail(Options& options, const QString& what, const QString& hint) {
    std::fprintf(stderr, "error: %s\nhint: %s\n", qPrintable(what), qPrintable(hint));
    options.exitCode = 2;
}

/// A display, or a Qt platform that the user chose.
bool displayIsThere() {
#ifdef Q_OS_LINUX
    for (const char* name : {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"})
        if (!qEnvironmentVariable(name).isEmpty()) return true;
    return false;
#else
    return true;
#endif
}

bool isDocument(const QString& path) {
    static const QStringList suffixes = {"json", "png", "svg", "pdf"};
    const QFileInfo info(path);
    return !info.isDir() && suffixes.contains(info.suffix().toLower());
}

}  // namespace

Options parseOptions(int argc, char** argv) {
    QStringList arguments;
    for (int i = 0; i < argc; ++i) arguments << QString::fromLocal8Bit(argv[i]);
    QCommandLineParser parser;
    parser.setApplicationDescription("See, measure and edit where a vision model looks.\n\n"
                                     "Size of type: View > Text size (Ctrl++, Ctrl+-); QT_SCALE_FACTOR=1.5 in the environment scales "
                                     "the whole window.");
    parser.addPositionalArgument("document",
                                 "SESSION.fovea.json, a picture that Fovea exported, or MODEL: a folder, a "
                                 "checkpoint file, org/name of the local Hugging Face cache, demo:NAME",
                                 "[SESSION|MODEL]");
    const QCommandLineOption help({"h", "help"}, "Shows this help.");
    const QCommandLineOption version("version", "Shows the version.");
    const QCommandLineOption image(
        "image", "Picture for the model; repeat for several; scene:SEED draws one.", "FILE");
    const QCommandLineOption prompt("prompt", "What the model is asked.", "TEXT");
    const QCommandLineOption screenshot("screenshot",
                                        "Writes a picture of the window when everything is drawn.", "FILE");
    const QCommandLineOption view(
        "view", "The view in front: input, overlay, head_grid, matrix, tree, chart, table, tokens.", "NAME");
    const QCommandLineOption beside("beside", "A second view, beside the one in front.", "NAME");
    const QCommandLineOption size("size", "Size of the window.", "WxH");
    const QCommandLineOption quit("quit", "Ends the program when everything is drawn.");
    const QCommandLineOption settings(
        "settings", "Keeps settings in this file instead of the user's configuration.", "FILE");
    const QCommandLineOption theme("theme", "system, light or dark.", "NAME");
    parser.addOptions({help, version, image, prompt, screenshot, view, beside, size, quit, settings, theme});

    Options options;
    if (!parser.parse(arguments)) {
        fail(options, parser.errorText(), "fovea --help lists what there is");
        return options;
    }
    if (parser.isSet(help)) {
        QCoreApplication named(argc, argv);  // whose name the help shows; needs no display
        std::printf("%s", qPrintable(parser.helpText()));
        options.exitCode = 0;
    } else if (parser.isSet(version)) {
        std::printf("fovea %s\n", FOVEA_VERSION);
        options.exitCode = 0;
    }
    if (options.exitCode) return options;
    if (parser.positionalArguments().size() > 1) {
        fail(options, "more than one session or model", "name one; pictures go with --image");
        return options;
    }
    options.document = parser.positionalArguments().value(0);
    options.images = parser.values(image);
    options.prompt = parser.value(prompt);
    options.screenshot = parser.value(screenshot);
    options.view = parser.value(view);
    options.beside = parser.value(beside);
    options.quit = parser.isSet(quit);
    options.theme = parser.value(theme);
    if (const QStringList themes = {"system", "light", "dark"}; parser.isSet(theme) && !themes.contains(options.theme)) {
        fail(options, QString("--theme: there is no theme \"%1\"").arg(options.theme), "themes: " + themes.join(", "));
        return options;
    }
    options.settings =
        parser.isSet(settings) ? parser.value(settings) : qEnvironmentVariable("FOVEA_SETTINGS");
    if (parser.isSet(size)) {
        const auto match = QRegularExpression("^([0-9]{2,5})x([0-9]{2,5})$").match(parser.value(size));
        if (!match.hasMatch())
            fail(options, "--size " + parser.value(size) + " is not a size", "write it as 1360x860");
        else
            options.size = QSize(match.captured(1).toInt(), match.captured(2).toInt());
    }
    return options;
}

void useOffscreenWithoutDisplay(const Options& options) {
    if (!options.screenshot.isEmpty() && !displayIsThere()) qputenv("QT_QPA_PLATFORM", "offscreen");
}

bool lacksDisplay(const Options& options) {
    return options.screenshot.isEmpty() && !displayIsThere();
}

void openAtStart(MainWindow& window, const Options& options) {
    if (isDocument(options.document)) {
        window.opener().openSession(options.document);
    } else {
        const QString model = options.document.isEmpty() ? demoModel : options.document;
        const bool demo = model.startsWith("demo:");
        window.startStrip().setVisible(options.document.isEmpty() && options.images.isEmpty() && options.prompt.isEmpty());
        window.controller().open(
            startingSession(model.toStdString(),
                            options.images.isEmpty() && (demo || options.prompt.isEmpty()) ? demoImage : ""),
            {});
    }
    if (!options.images.isEmpty() || !options.prompt.isEmpty())
        window.controller().show([&](Session& session) {
            if (!options.images.isEmpty()) session.input.images.clear();
            for (const QString& image : options.images) session.input.images.push_back(image.toStdString());
            if (!options.prompt.isEmpty()) session.input.prompt = options.prompt.toStdString();
        });
    if (!options.view.isEmpty()) window.views().showView(options.view);
    if (!options.beside.isEmpty()) window.views().showBeside(options.beside);
}

bool knowsViews(const MainWindow& window, const Options& options) {
    const QStringList known = window.views().viewIds();
    std::vector<std::string> names;
    for (const QString& name : known) names.push_back(name.toStdString());
    for (const auto& [flag, id] : {std::pair{"--view", options.view}, std::pair{"--beside", options.beside}}) {
        if (id.isEmpty() || known.contains(id)) continue;
        Options said;
        fail(said, QString("%1: there is no view \"%2\"").arg(flag, id),
             QString::fromStdString(suggestionHint(id.toStdString(), names)));
        return false;
    }
    return true;
}

}  // namespace fovea::gui
