#include <fmt/format.h>

#include <memory>

#include "command.h"

namespace fovea::cli {
namespace {

struct Options {
    std::string model;
    InputOptions input;
};

// Line breaks and other control characters as C spells them.
std::string printable(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '\n')
            out += "\\n";
        else if (c == '\t')
            out += "\\t";
        else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
            out += fmt::format("\\x{:02X}", static_cast<unsigned char>(c));
        else
            out += c;
    }
    return out;
}

std::string tokenText(const TokenMap& map) {
    std::string text;
    for (const StageTokens& stage : map.stages) {
        text += fmt::format("stage {}: {} tokens, grid {} x {}\n", stage.stage, stage.size(), stage.gridRows,
                            stage.gridColumns);
        for (const Token& token : stage.tokens) {
            text += fmt::format("{:>6}  {:<9}", token.index, tokenKindName(token.kind));
            if (!token.text.empty()) text += "  " + printable(token.text);
            if (token.row >= 0)
                text += fmt::format("  row {} column {}  px {:.6g},{:.6g} {:.6g} x {:.6g}", token.row,
                                    token.column, token.rect.x, token.rect.y, token.rect.width,
                                    token.rect.height);
            text += "\n";
        }
    }
    return text;
}

int run(Toolbox& toolbox, const Options& options) {
    const Session session = sessionFor(options.model, options.input, toolbox.options(), *toolbox.catalog());
    const auto input = toolbox.engine().input(session, toolbox.job());
    for (const std::string& notice : input->notices) toolbox.warn(notice);
    if (!toolbox.options().json) {
        for (int item = 0; item < input->count(); ++item) {
            if (input->count() > 1) toolbox.print(fmt::format("image {}\n", item));
            toolbox.print(tokenText(input->maps[static_cast<std::size_t>(item)]));
        }
        return exitDone;
    }
    if (input->count() == 1) {
        toolbox.printJson(toJson(input->maps.front()));
        return exitDone;
    }
    nlohmann::ordered_json items = nlohmann::ordered_json::array();
    for (const TokenMap& map : input->maps) items.emplace_back(toJson(map));
    toolbox.printJson({{"items", std::move(items)}});
    return exitDone;
}

}  // namespace

void addTokens(Flags& app, Command& command) {
    Flags sub = app.subcommand("tokens", "the token map: index, kind, text or pixel rectangle");
    sub.footer("With several pictures --json gives {\"items\":[...]}, one token map each.");
    auto options = std::make_shared<Options>();
    sub.option("MODEL", options->model, "what to open").required();
    addInputOptions(sub, options->input);
    sub.whenChosen([&command, options] {
        command.action = [options](Toolbox& toolbox) { return run(toolbox, *options); };
    });
}

}  // namespace fovea::cli
