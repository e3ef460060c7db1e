#include <memory>

#include "command.h"
#include "fovea/scenes.h"
#include "io/atomic_file.h"
#include "picture_files.h"

namespace fovea::cli {
namespace {

struct Options {
    SceneOptions scene;
    bool noMark = false, noClutter = false;
    std::string output, truth;
};

int run(Toolbox& toolbox, const Options& options) {
    SceneOptions wanted = options.scene;
    if (options.noMark) wanted.mark = SceneMark::None;
    if (options.noClutter) wanted.clutter = SceneClutter::None;
    const Scene scene = makeScene(wanted);
    const std::string truth = sceneTruthJson(scene) + "\n";
    writePixels(options.output, scene.image);
    toolbox.note("wrote " + options.output);
    if (!options.truth.empty() && options.truth != "-") {
        writeFileAtomically(options.truth, truth);
        toolbox.note("wrote " + options.truth);
    }
    if (options.truth == "-" || toolbox.options().json) toolbox.print(truth);
    return exitDone;
}

}  // namespace

void addScene(Flags& app, Command& command) {
    Flags sub = app.subcommand("scene", "draws a procedural scene, with its ground truth");
    auto options = std::make_shared<Options>();
    sub.option("--seed", options->scene.seed, "the same seed gives the same picture")
        .typeName("N")
        .required();
    sub.option("--width", options->scene.width, "pixels").typeName("N");
    sub.option("--height", options->scene.height, "pixels").typeName("N");
    sub.option("--min-objects", options->scene.minObjects, "at least so many objects").typeName("N");
    sub.option("--max-objects", options->scene.maxObjects, "at most so many objects").typeName("N");
    sub.flag("--no-mark", options->noMark, "no brackets around the target");
    sub.flag("--no-clutter", options->noClutter, "no lines and specks");
    sub.option("-o,--output", options->output, "picture to write: .png or .ppm")
        .typeName("FILE")
        .required();
    sub.option("--truth", options->truth, "ground truth to write; - for standard output")
        .typeName("FILE.json");
    sub.whenChosen([&command, options] {
        command.action = [options](Toolbox& toolbox) { return run(toolbox, *options); };
    });
}

}  // namespace fovea::cli
