#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "command.h"
#include "fovea/attention_trace.h"
#include "fovea/run.h"

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

// Several pictures in one map: their tokens behind each other, each with the number of its picture and its place in that
// picture's own sequence.
TokenMap together(const std::vector<TokenMap>& maps) {
    TokenMap all;
    for (const TokenMap& map : maps) {
        const int first = static_cast<int>(all.images.size());
        for (const StageTokens& stage : map.stages) {
            auto own = std::find_if(all.stages.begin(), all.stages.end(),
                                    [&](const StageTokens& known) { return known.stage == stage.stage; });
            if (own == all.stages.end()) {
                all.stages.emplace_back();
                own = all.stages.end() - 1;
                own->stage = stage.stage;
            }
            for (Token token : stage.tokens) {
                token.image = first + std::max(0, token.image);
                own->tokens.push_back(std::move(token));
            }
        }
        all.images.insert(all.images.end(), map.images.begin(), map.images.end());
    }
    return all;
}

// Of the prompt and, where an answer is asked for, of that, too.
std::vector<TokenMap> mapsOf(Toolbox& toolbox, const Session& session, const ModelInput& input) {
    if (session.input.maxNewTokens == 0) return input.maps;
    // The last token is run, and listed, only where something of it is recorded.
    CaptureRequest record;
    record.lse = true;
    std::vector<TokenMap> maps;
    for (int item = 0; item < input.count(); ++item) {
        const auto answered = toolbox.engine().run(session, item, record, toolbox.job());
        for (const std::string& notice : answered->notices) toolbox.warn(notice);
        maps.push_back(answered->trace->tokens());
    }
    return maps;
}

int run(Toolbox& toolbox, const Options& options) {
    const Session session = sessionFor(options.model, options.input, toolbox.options(), *toolbox.catalog());
    const auto model = toolbox.engine().model(session, toolbox.job());
    for (const std::string& notice : model->spec().weights.notices) toolbox.warn(notice);
    const auto input = toolbox.engine().input(session, toolbox.job());
    for (const std::string& notice : input->notices) toolbox.warn(notice);
    const std::vector<TokenMap> maps = mapsOf(toolbox, session, *input);
    if (!toolbox.options().json) {
        for (std::size_t item = 0; item < maps.size(); ++item) {
            if (maps.size() > 1) toolbox.print(fmt::format("image {}\n", item));
            toolbox.print(tokenText(maps[item]));
        }
        return exitDone;
    }
    toolbox.printJson(toJson(maps.size() == 1 ? maps.front() : together(maps)));
    return exitDone;
}

}  // namespace

void addTokens(Flags& app, Command& command) {
    Flags sub = app.subcommand("tokens", "the token map: index, kind, text or pixel rectangle");
    sub.footer(
        "Of several pictures --json gives one map: their tokens behind each other, \"image\" says which picture "
        "a token is of,\nand \"i\" is its place in that picture's own sequence. With --max-new-tokens the model answers, "
        "and the answer's tokens\n(generated) follow those of the prompt.");
    auto options = std::make_shared<Options>();
    sub.option("MODEL", options->model, "what to open").required();
    addInputOptions(sub, options->input);
    sub.whenChosen([&command, options] {
        command.action = [options](Toolbox& toolbox) { return run(toolbox, *options); };
    });
}

}  // namespace fovea::cli
