#include <fmt/format.h>

#include <CLI/CLI.hpp>
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

void addGenerate(CLI::App& app, Command& command) {
    CLI::App* sub = app.add_subcommand("generate", "the answer as text, or the image");
    auto options = std::make_shared<Options>();
    sub->add_option("MODEL", options->model, "what to open")->required();
    sub->add_option("-o,--output", options->output, "file to write")->type_name("FILE");
    addInputOptions(*sub, options->input);
    sub->callback([&command, options] {
        command.action = [options](Toolbox& toolbox) { return run(toolbox, *options); };
    });
}

}  // namespace fovea::cli
