#include "picture/token_runs.h"

#include <fmt/format.h>

#include <algorithm>

namespace fovea::viz {

std::vector<TokenRun> tokenRuns(const StageTokens& stage) {
    std::vector<TokenRun> runs;
    for (int i = 0; i < stage.size();) {
        const Token& first = stage.tokens[static_cast<std::size_t>(i)];
        TokenRun run{i, i + 1, -1, 0, 0};
        if (first.kind == TokenKind::Image) {
            run.image = std::max(0, first.image);
            for (int j = i; j < stage.size(); ++j) {
                const Token& token = stage.tokens[static_cast<std::size_t>(j)];
                const bool inside = token.kind == TokenKind::Image && std::max(0, token.image) == run.image;
                if (!inside && token.kind != TokenKind::Separator) break;
                if (!inside) continue;
                run.end = j + 1;  // a separator belongs to the run only when image tokens follow
                run.rows = std::max(run.rows, token.row + 1);
                run.columns = std::max(run.columns, token.column + 1);
            }
        }
        i = run.end;
        runs.push_back(run);
    }
    return runs;
}

std::string runName(const TokenRun& run, bool several) {
    const std::string which = several ? fmt::format(" {}", run.image) : "";
    if (run.rows == 0 || run.columns == 0) return fmt::format("[image{}, {} tokens]", which, run.end - run.begin);
    return fmt::format("[image{}{} {}x{}]", which, several ? ":" : "", run.rows, run.columns);
}

bool readsText(const StageTokens& stage) {
    return std::any_of(stage.tokens.begin(), stage.tokens.end(), [](const Token& token) {
        return token.kind == TokenKind::Text || token.kind == TokenKind::Generated;
    });
}

}  // namespace fovea::viz
