#include "models/window_hint.h"

#include <array>
#include <string_view>
#include <utility>
#include <vector>

namespace fovea::gui {
namespace {

// Controls that do what a flag does; longer ones first where one begins another.
constexpr std::array kControls = {
    std::pair{"Leave --image out", "Take the picture out"},
    std::pair{"--image FILE or --image scene:SEED", "Picture in the tool bar"},
    std::pair{"--image", "Picture in the tool bar"},
    std::pair{"--prompt", "the prompt box"},
    std::pair{"--max-new-tokens", "the length of the answer"},
};

struct Clause {
    std::string text, end;  ///< end: "; ", ". ", ", or "; empty for the last one
};

std::vector<Clause> clausesOf(const std::string& text) {
    std::vector<Clause> clauses;
    std::size_t begin = 0;
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '(') ++depth;
        if (text[i] == ')' && depth > 0) --depth;
        if (depth > 0) continue;
        for (const std::string_view end : {"; ", ". ", ", or "}) {
            if (text.compare(i, end.size(), end) != 0) continue;
            clauses.push_back({text.substr(begin, i - begin), std::string(end)});
            begin = i + end.size();
        }
    }
    if (begin < text.size()) clauses.push_back({text.substr(begin), ""});
    return clauses;
}

bool isOfCommandLine(const std::string& text) {
    return text.find("--") != std::string::npos || text.find("fovea-cli") != std::string::npos;
}

// Brackets with flags explain to the command line what stands before them.
std::string withoutBrackets(std::string text) {
    for (std::size_t open = text.find('('); open != std::string::npos; open = text.find('(', open)) {
        const std::size_t close = text.find(')', open);
        if (close == std::string::npos) break;
        if (!isOfCommandLine(text.substr(open, close - open))) {
            open = close;
            continue;
        }
        const std::size_t from = open > 0 && text[open - 1] == ' ' ? open - 1 : open;
        text.erase(from, close + 1 - from);
        open = from;
    }
    return text;
}

std::string withControls(std::string text) {
    for (const auto& [flag, control] : kControls)
        for (std::size_t at = text.find(flag); at != std::string::npos; at = text.find(flag, at + 1))
            text.replace(at, std::string(flag).size(), control);
    return text;
}

}  // namespace

std::string windowHint(const std::string& hint) {
    std::string out, end;
    for (const Clause& clause : clausesOf(hint)) {
        const std::string text = withControls(withoutBrackets(clause.text));
        if (isOfCommandLine(text)) continue;
        out += (out.empty() ? "" : end) + text;
        end = clause.end;
    }
    // A sentence that lost what followed it still ends.
    if (end.starts_with('.')) out += '.';
    return out;
}

}  // namespace fovea::gui
