#include "common/segments.h"

#include <algorithm>
#include <map>

namespace fovea {
namespace {

bool isPrefix(const Token& token) {
    return token.kind == TokenKind::Special || token.kind == TokenKind::Register;
}

// Index of the last token of each picture; separators inside a picture lie before it.
std::map<int, int> endsOfPictures(const StageTokens& stage) {
    std::map<int, int> ends;
    for (const Token& token : stage.tokens)
        if (token.image >= 0) ends[token.image] = token.index;
    return ends;
}

std::map<int, int> beginsOfPictures(const StageTokens& stage) {
    std::map<int, int> begins;
    for (const Token& token : stage.tokens)
        if (token.image >= 0) begins.emplace(token.image, token.index);
    return begins;
}

}  // namespace

std::vector<Segment> segmentsOf(const StageTokens& stage) {
    const std::map<int, int> begins = beginsOfPictures(stage), ends = endsOfPictures(stage);
    const bool hasText = std::any_of(stage.tokens.begin(), stage.tokens.end(), [](const Token& token) {
        return token.kind == TokenKind::Text || token.kind == TokenKind::Generated;
    });
    const int firstPicture = begins.empty() ? -1 : begins.begin()->second;
    std::vector<Segment> segments;
    const auto put = [&](const std::string& name, int token) {
        // A picture's class tokens and padding lie between its tiles where there is no text.
        const auto known = std::find_if(segments.begin(), segments.end(), [&](const Segment& one) {
            return one.name == name && (name == "prefix" || name == "padding" || &one == &segments.back());
        });
        if (known != segments.end()) return known->tokens.push_back(token);
        segments.push_back({name, {token}});
    };
    bool started = false, answered = false;
    int passed = 0;  // pictures that lie behind
    int picture = -1;
    for (const Token& token : stage.tokens) {
        for (const auto& [image, begin] : begins)
            if (begin == token.index) picture = image;
        answered = answered || token.kind == TokenKind::Generated;
        if (answered) {  // its special tokens belong to it
            put("answer", token.index);
        } else if (token.kind == TokenKind::Padding) {
            put("padding", token.index);
        } else if (!hasText && isPrefix(token)) {
            put("prefix", token.index);
        } else if (picture >= 0) {
            put("image " + std::to_string(picture), token.index);
            if (ends.at(picture) == token.index) picture = -1, ++passed;
            started = true;
        } else if (!started && isPrefix(token)) {
            put("start", token.index);
        } else {
            started = true;
            const bool before = passed == 0, after = passed == static_cast<int>(begins.size());
            const std::string between = "text " + std::to_string(passed - 1);
            put(firstPicture < 0 ? "prompt" : before ? "system" : after ? "question" : between, token.index);
        }
    }
    return segments;
}

}  // namespace fovea
