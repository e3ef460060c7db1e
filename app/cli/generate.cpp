#include <fmt/format.h>

#include <memory>

#include "command.h"
#include "fovea/error.h"

namespace fovea::cli {
namespace {

struct Options {
    std::string model, output;
    InputOptions input;
};

int run(Toolbox& toolbox, const Options& options) {
    const auto model = toolbox.openedModel(options.model);
    const ModelSpec& spec = model->spec();
    throw Error(
        fmt::format("{}: expected a model that answers with text or makes pictures, found {} ({}), which "
                    "does neither",
                    spec.source, spec.architecture, spec.family),
        "to see what it computes use fovea-cli trace --keep output, to see where it looks fovea-cli render");
}

}  // namespace

void addGenerate(Flags& app, Command& command) {
    Flags sub = app.subcommand("generate", "the answer as text, or the image");
    auto options = std::make_shared<Options>();
    sub.option("MODEL", options->model, "what to open").required();
    sub.option("-o,--output", options->output, "file to write").typeName("FILE");
    addInputOptions(sub, options->input);
    sub.whenChosen([&command, options] {
        command.action = [options](Toolbox& toolbox) { return run(toolbox, *options); };
    });
}

}  // namespace fovea::cli
