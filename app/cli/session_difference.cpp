#include "session_difference.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/catalog.h"

namespace fovea::cli {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

std::string textOf(const json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string adaptersText(const std::vector<AdapterChoice>& adapters) {
    std::string text;
    for (const AdapterChoice& adapter : adapters)
        text += fmt::format("{}{}:{:g}", text.empty() ? "" : " + ", adapter.folder, adapter.strength);
    return text;
}

std::string editsText(const std::vector<Intervention>& edits) {
    std::string text;
    for (const Intervention& edit : edits)
        if (edit.enabled) text += (text.empty() ? "" : " + ") + edit.id + (edit.params.empty() ? "" : textOf(edit.params));
    return text;
}

std::string turnsText(const std::vector<ChatTurn>& turns) {
    std::string text;
    for (const ChatTurn& turn : turns) text += fmt::format("{}{}: {}", text.empty() ? "" : " | ", turn.role, turn.text);
    return text;
}

std::string imagesText(const std::vector<std::string>& images) {
    return fmt::format("{}", fmt::join(images, " + "));
}

std::string samplingText(const Sampling& sampling) {
    return fmt::format("temperature {:g}, top_k {}, top_p {:g}, repetition_penalty {}", sampling.temperature, sampling.topK,
                       sampling.topP,
                       sampling.repetitionPenalty ? fmt::format("{:g}", *sampling.repetitionPenalty) : "of the model's folder");
}

std::string lengthText(int tokens) { return tokens > 0 ? std::to_string(tokens) : ""; }

class Changes {
public:
    void add(const std::string& what, const std::string& a, const std::string& b) {
        if (a != b) m_changes.push_back({what, a, b});
    }
    std::vector<SessionChange> take() { return std::move(m_changes); }

private:
    std::vector<SessionChange> m_changes;
};

void addInput(const SessionInput& a, const SessionInput& b, Changes& changes) {
    changes.add("images", imagesText(a.images), imagesText(b.images));
    changes.add("video", a.video, b.video);
    changes.add("tensors", a.tensors, b.tensors);
    changes.add("prompt", a.prompt, b.prompt);
    changes.add("prompt's form", a.rawPrompt ? "raw" : "chat template", b.rawPrompt ? "raw" : "chat template");
    changes.add("chat", a.chat, b.chat);
    changes.add("earlier turns", turnsText(a.turns), turnsText(b.turns));
    changes.add("length of the answer", lengthText(a.maxNewTokens), lengthText(b.maxNewTokens));
    changes.add("sampling", samplingText(a.sampling), samplingText(b.sampling));
}

void addParams(const EntryInfo& info, const AnalysisRequest& a, const AnalysisRequest& b, Changes& changes) {
    const json left = checkedParams(info, a.params), right = checkedParams(info, b.params);
    for (const ParamSpec& spec : info.params)
        changes.add(info.id + ": " + spec.name, textOf(left.at(spec.name)), textOf(right.at(spec.name)));
}

std::string tokenAt(const AnswerText& answer, std::size_t place) {
    return place < answer.tokens.size() ? answer.tokens[place] : "";
}

// A text in quotes on one line.
std::string quoted(const std::string& text) {
    return ordered_json(text).dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace

std::vector<SessionChange> changesBetween(const Session& a, const Session& b, const Catalog& catalog) {
    const Session left = withAbsolutePaths(a), right = withAbsolutePaths(b);
    Changes changes;
    changes.add("model", left.model.reference, right.model.reference);
    changes.add("device", left.model.device, right.model.device);
    changes.add("dtype", left.model.dtype, right.model.dtype);
    changes.add("adapters", adaptersText(left.model.adapters), adaptersText(right.model.adapters));
    addInput(left.input, right.input, changes);
    changes.add("seed", std::to_string(left.seed), std::to_string(right.seed));
    changes.add("edits", editsText(left.edits), editsText(right.edits));
    for (std::size_t i = 0; i < std::min(left.analyses.size(), right.analyses.size()); ++i)
        if (left.analyses[i].id == right.analyses[i].id)
            addParams(catalog.analyses.get(left.analyses[i].id).info, left.analyses[i], right.analyses[i], changes);
    return changes.take();
}

std::optional<std::size_t> partingToken(const AnswerText& a, const AnswerText& b) {
    const bool numbered = !a.ids.empty() && !b.ids.empty();
    const std::size_t common = std::min(a.tokens.size(), b.tokens.size());
    for (std::size_t i = 0; i < common; ++i)
        if (numbered ? a.ids[i] != b.ids[i] : a.tokens[i] != b.tokens[i]) return i;
    if (a.tokens.size() == b.tokens.size()) return {};
    return common;
}

ordered_json toJson(const std::vector<SessionChange>& changes) {
    ordered_json out = ordered_json::array();
    for (const SessionChange& change : changes) out.push_back({{"what", change.what}, {"a", change.a}, {"b", change.b}});
    return out;
}

ordered_json partingJson(const std::optional<AnswerText>& a, const std::optional<AnswerText>& b) {
    if (!a || !b) return nullptr;
    const auto place = partingToken(*a, *b);
    if (!place) return nullptr;
    const auto token = [&](const AnswerText& answer) {
        return *place < answer.tokens.size() ? ordered_json(tokenAt(answer, *place)) : ordered_json(nullptr);
    };
    return {{"token", *place}, {"a", token(*a)}, {"b", token(*b)}};
}

std::string answersText(const ordered_json& item) {
    const ordered_json &a = item["answer_a"], &b = item["answer_b"], &parting = item["answers_part"];
    if (a.is_null() && b.is_null()) return "";
    const auto text = [](const ordered_json& answer) {
        return answer.is_null() ? std::string("none") : quoted(answer["text"].get<std::string>());
    };
    if (!a.is_null() && !b.is_null() && parting.is_null()) return fmt::format("  the answers are the same: {}\n", text(a));
    const auto line = [&](const char* side, const ordered_json& answer, const char* key) {
        std::string there;
        if (!parting.is_null())
            there = parting[key].is_null() ? ", which ends there" : ", token " + quoted(parting[key].get<std::string>());
        return fmt::format("    {} {}{}\n", side, text(answer), there);
    };
    const std::string head = parting.is_null() ? "  answers\n"
                                               : fmt::format("  the answers part at token {} (counted from 0)\n",
                                                             parting["token"].get<std::size_t>());
    return head + line("A", a, "a") + line("B", b, "b");
}

}  // namespace fovea::cli
