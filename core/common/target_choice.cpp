#include "common/target_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "common/site_choice.h"
#include "fovea/error.h"
#include "fovea/generate.h"
#include "fovea/selection.h"

namespace fovea {
namespace {

std::string lowered(std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
}

std::string nearLabels(const std::string& text, const std::vector<std::string>& labels) {
    std::string found;
    int count = 0;
    for (const std::string& label : labels)
        if (count < 5 && lowered(label).find(lowered(text)) != std::string::npos)
            found += (count++ ? ", " : "") + ("\"" + label + "\"");
    if (count > 0) return "similar labels: " + found;
    return labels.empty() ? "this model names no classes: use an index" : "write an index, a label or top";
}

bool hasOutput(const AttentionTrace& trace, const std::string& name) {
    const std::vector<std::string> names = trace.outputNames();
    return std::find(names.begin(), names.end(), name) != names.end();
}

// The output an objective without classes is about.
std::string wholeOutput(const AttentionTrace& trace) {
    for (const char* name : {"pooler_output", "image_embeds", "last_hidden_state", "logits"})
        if (hasOutput(trace, name)) return name;
    throw Error("the model has no output that gradients could be about", "Choose an analysis of the attention.", ErrorCode::Usage);
}

int largestExcept(const Array& logits, int except) {
    int best = -1;
    for (int i = 0; i < static_cast<int>(logits.values.size()); ++i)
        if (i != except && (best < 0 || logits.values[static_cast<std::size_t>(i)] >
                                            logits.values[static_cast<std::size_t>(best)]))
            best = i;
    return best;
}

// Of logits over a vocabulary at many positions [n, vocabulary], those of the last: the next token's.
Array lastPosition(Array logits) {
    if (logits.shape.size() < 2 || logits.size(0) <= 1) return logits;
    const std::int64_t width = static_cast<std::int64_t>(logits.values.size()) / logits.size(0);
    logits.values.erase(logits.values.begin(), logits.values.end() - width);
    logits.shape = {width};
    return logits;
}

std::string className(int index, const std::vector<std::string>& labels) {
    if (index < static_cast<int>(labels.size()))
        return fmt::format("{} ({})", index, labels[static_cast<std::size_t>(index)]);
    return std::to_string(index);
}

constexpr const char* kWordStage = "text";

// The likeliest other token at a step of an answer; -1 where none was kept.
int runnerUp(const GeneratedToken& step, int except) {
    for (const Candidate& candidate : step.candidates)
        if (candidate.id != except) return candidate.id;
    return -1;
}

int promptLength(AnalysisContext& context) {
    return context.input().maps.at(static_cast<std::size_t>(context.item())).stage(kWordStage).size();
}

// Places of the answer's tokens that the rows of a selection wrote: of "writing" what it names, of a token the next one.
std::vector<int> writtenBy(AnalysisContext& context, const nlohmann::json& params, int prompt) {
    const StageTokens& stage = context.tokens().stage(kWordStage);
    const auto given = params.value("queries", std::string("auto"));
    const bool elsewhere = chosenStage(context.model().spec(), params.contains("stage") ? params : nlohmann::json{{"stage", kWordStage}}) != kWordStage;
    std::vector<int> places;
    for (const SelectedToken& one : selectedTokens(elsewhere && !speaksOfAnswer(given) ? "auto" : given, context.tokens(), kWordStage))
        if (one.query >= prompt - 1 && one.query + 1 < stage.size()) places.push_back(one.query + 1 - prompt);
    if (!places.empty()) return places;
    for (int token = prompt; token < stage.size(); ++token)
        if (stage.tokens[static_cast<std::size_t>(token)].kind == TokenKind::Generated) places.push_back(token - prompt);
    for (int token = prompt; places.empty() && token < stage.size(); ++token) places.push_back(token - prompt);
    return places;
}

const char* nameOf(Objective::Kind kind) {
    return kind == Objective::Kind::LogProbability ? "log probability" : kind == Objective::Kind::Logit ? "logit" : "lead";
}

std::string nameOf(AnalysisContext& context, const Objective& objective, const std::vector<int>& places, int prompt) {
    const char* what = nameOf(objective.kind);
    if (places.size() > 1) return fmt::format("{} of {} answer tokens, summed", what, places.size());
    const Token& written = context.tokens().stage(kWordStage).tokens[static_cast<std::size_t>(prompt + places.front())];
    const ObjectiveToken& token = objective.tokens.front();
    const std::string there = quotedName(written), text = fmt::format("\"{}\"", context.model().tokenText(token.id));
    const bool own = context.answer()->ids[static_cast<std::size_t>(places.front())] == token.id;
    std::string name = fmt::format("{} of {}", what, own ? there : text + " in the place of " + there);
    if (objective.kind == Objective::Kind::LogitDifference && token.other >= 0)
        name += fmt::format(" over \"{}\"", context.model().tokenText(token.other));
    return name;
}

// The answer's tokens that the main run has rows of; none where it was of the input alone.
std::vector<int> answerRead(AnalysisContext& context) {
    if (!context.answer()) return {};
    const int run = context.tokens().stage(kWordStage).size() - promptLength(context);
    const std::vector<int>& ids = context.answer()->ids;
    return {ids.begin(), ids.begin() + run};
}

// What several words of an answer are asked about: the answer is read as it was given, nothing is sampled.
TargetChoice answerTarget(AnalysisContext& context, const nlohmann::json& params, Objective::Kind kind, int classes) {
    const Generation& answer = *context.answer();
    const int prompt = promptLength(context);
    const int asked = resolveClass(params.at("target").get<std::string>(), context.model().spec().labels, classes);
    TargetChoice choice;
    choice.objective.kind = kind;
    choice.answer = answerRead(context);
    const std::vector<int> places = writtenBy(context, params, prompt);
    for (const int place : places) {
        const GeneratedToken& step = answer.steps[static_cast<std::size_t>(place)];
        const int id = asked >= 0 ? asked : step.id;
        choice.objective.tokens.push_back({prompt + place - 1, id, runnerUp(step, id)});
    }
    choice.name = nameOf(context, choice.objective, places, prompt);
    if (places.size() > 1)
        choice.note = fmt::format("about the sum of the {} of {} tokens of the answer",
                                  kind == Objective::Kind::LogProbability ? "log probabilities"
                                  : kind == Objective::Kind::Logit        ? "logits"
                                                                          : "leads over the likeliest other token",
                                  places.size());
    return choice;
}

Objective::Kind scoreKind(const std::string& word) {
    return word == "log_probability"    ? Objective::Kind::LogProbability
           : word == "logit_difference" ? Objective::Kind::LogitDifference
                                        : Objective::Kind::Logit;
}

}  // namespace

int resolveClass(const std::string& text, const std::vector<std::string>& labels, int classes) {
    if (text == "top" || text == "-1") return -1;
    int index = 0;
    const char* end = text.data() + text.size();
    if (const auto [rest, problem] = std::from_chars(text.data(), end, index);
        problem == std::errc() && rest == end) {
        if (index >= 0 && index < classes) return index;
        throw Error(fmt::format("target {}: the model has {} classes, counted from 0", text, classes),
                    "fovea-cli info --json lists the classes.",
                    ErrorCode::Usage);
    }
    const auto exact = std::find(labels.begin(), labels.end(), text);
    if (exact != labels.end()) return static_cast<int>(exact - labels.begin());
    int found = -1;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        if (lowered(labels[i]) != lowered(text)) continue;
        if (found >= 0)
            throw Error(fmt::format("target \"{}\" means several classes", text),
                        fmt::format("use an index: {}, {}, ...", found, i), ErrorCode::Usage);
        found = static_cast<int>(i);
    }
    if (found < 0)
        throw Error(fmt::format("target \"{}\": the model has no such class", text), nearLabels(text, labels),
                    ErrorCode::Usage);
    return found;
}

std::vector<ParamSpec> targetParams(const std::string& queriesHelp) {
    return {
        {.name = "target",
         .type = ParamType::Class,
         .defaultValue = "top",
         .help = "class that the gradients are about: an index, a label, or top for the predicted one; of an answer: the "
                 "token there, or the id of another"},
        {.name = "objective",
         .type = ParamType::Choice,
         .defaultValue = "auto",
         .help =
             "the scalar: the class logit, its log probability, its lead over the next class, or the squared "
             "norm of an output; auto: logit where the model has classes, log_probability of an answer's words, else "
             "output_norm",
         .choices = {"auto", "logit", "log_probability", "logit_difference", "output_norm"}},
        {.name = "output",
         .type = ParamType::Text,
         .defaultValue = "",
         .help = "name of the model's output; empty means logits, or for output_norm the pooled output"},
        queriesParam(queriesHelp)};
}

bool speaksOfAnswer(const std::string& selection) {
    return selection == "auto" || selection.find("writing") != std::string::npos || selection.find("answer") != std::string::npos;
}

TargetChoice chosenTarget(AnalysisContext& context, const nlohmann::json& params) {
    const AttentionTrace& trace = context.trace();
    const ModelSpec& spec = context.model().spec();
    auto kind = params.at("objective").get<std::string>();
    auto output = params.at("output").get<std::string>();
    const std::vector<int> read = answerRead(context);
    const bool answered = !read.empty() && (output.empty() || output == "logits");
    if (kind == "auto") kind = answered ? "log_probability" : output.empty() && hasOutput(trace, "logits") ? "logit" : "output_norm";
    TargetChoice choice;
    choice.answer = read;
    if (kind == "output_norm") {
        choice.objective.kind = Objective::Kind::OutputNorm;
        choice.objective.output = output.empty() ? wholeOutput(trace) : output;
        trace.output(choice.objective.output);
        choice.name = "squared norm of " + choice.objective.output;
        return choice;
    }
    choice.objective.output = output.empty() ? "logits" : output;
    if (!hasOutput(trace, choice.objective.output))
        throw Error(
            fmt::format("the model has no output \"{}\": it knows no classes", choice.objective.output),
            "choose objective=output_norm", ErrorCode::Usage);
    const Array logits = lastPosition(trace.output(choice.objective.output));
    const auto classes = static_cast<int>(logits.values.size());
    if (const auto words = params.value("queries", std::string("auto"));
        !answered && spec.capabilities.generate && words != "auto" && (speaksOfAnswer(words) || !params.contains("stage")))
        chosenQueries(words, context.tokens(), kWordStage);  // says that there is no such word
    if (answered) return answerTarget(context, params, scoreKind(kind), classes);
    int target = resolveClass(params.at("target").get<std::string>(), spec.labels, classes);
    const std::vector<std::string>& labels = spec.labels;
    const Generation* answer = context.answer();
    // No row of the answer exists: what the prompt makes most likely is the answer's first token.
    const bool first = target < 0 && answer && !answer->ids.empty() && choice.objective.output == "logits";
    if (target < 0) target = first ? answer->ids.front() : largestExcept(logits, -1);
    choice.objective.classIndex = target;
    const auto named = [&](int index) {
        if (!labels.empty() || !spec.capabilities.generate) return className(index, labels);
        return fmt::format("\"{}\"", context.model().tokenText(index)) +
               (first && index == target ? ", the answer's first token" : "");
    };
    if (kind == "log_probability") {
        choice.objective.kind = Objective::Kind::LogProbability;
        choice.name = "log probability of " + named(target);
    } else if (kind == "logit_difference") {
        choice.objective.kind = Objective::Kind::LogitDifference;
        choice.objective.otherClass = first ? runnerUp(answer->steps.front(), target) : largestExcept(logits, target);
        if (choice.objective.otherClass < 0)
            throw Error("objective logit_difference: the model has one class only", "choose logit",
                        ErrorCode::Usage);
        choice.name = fmt::format("logit of {} less that of {}", named(target), named(choice.objective.otherClass));
    } else {
        choice.objective.kind = Objective::Kind::Logit;
        choice.name = "logit of " + named(target);
    }
    return choice;
}

Needs needsOfTarget(const ModelSpec& spec, const nlohmann::json& params) {
    Needs needs;
    const auto kind = params.at("objective").get<std::string>();
    needs.classifier = kind != "auto" && kind != "output_norm" && !spec.capabilities.generate;
    needs.gradientRuns = true;
    // An answer's last token is run only where something is recorded of it.
    if (const std::vector<int> sites = spec.sitesOfStage(kWordStage); spec.capabilities.generate && !sites.empty()) {
        needs.capture.qkv = true;
        needs.capture.sites = addressesOf(spec, {sites.back()});
    }
    return needs;
}

}  // namespace fovea
