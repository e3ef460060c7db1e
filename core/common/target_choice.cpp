#include "common/target_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "fovea/error.h"
#include "fovea/generate.h"

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

// The likeliest other token at the answer's first step; -1 where none was kept.
int runnerUp(const Generation& answer, int except) {
    if (!answer.steps.empty())
        for (const Candidate& candidate : answer.steps.front().candidates)
            if (candidate.id != except) return candidate.id;
    return -1;
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

std::vector<ParamSpec> targetParams() {
    return {
        {.name = "target",
         .type = ParamType::Class,
         .defaultValue = "top",
         .help = "class that the gradients are about: an index, a label, or top for the predicted one"},
        {.name = "objective",
         .type = ParamType::Choice,
         .defaultValue = "auto",
         .help =
             "the scalar: the class logit, its log probability, its lead over the next class, or the squared "
             "norm of an output; auto: logit where the model has classes, else output_norm",
         .choices = {"auto", "logit", "log_probability", "logit_difference", "output_norm"}},
        {.name = "output",
         .type = ParamType::Text,
         .defaultValue = "",
         .help = "name of the model's output; empty means logits, or for output_norm the pooled output"}};
}

TargetChoice chosenTarget(AnalysisContext& context, const nlohmann::json& params) {
    const AttentionTrace& trace = context.trace();
    const ModelSpec& spec = context.model().spec();
    auto kind = params.at("objective").get<std::string>();
    auto output = params.at("output").get<std::string>();
    if (kind == "auto") kind = output.empty() && hasOutput(trace, "logits") ? "logit" : "output_norm";
    TargetChoice choice;
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
    int target = resolveClass(params.at("target").get<std::string>(), spec.labels,
                              static_cast<int>(logits.values.size()));
    const std::vector<std::string>& labels = spec.labels;
    const Generation* answer = context.answer();
    // Gradients are those of the prompt: what it makes most likely is the answer's first token, not its last.
    const bool first = target < 0 && answer && !answer->ids.empty();
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
        choice.objective.otherClass = first ? runnerUp(*answer, target) : largestExcept(logits, target);
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

Needs needsOfTarget(const ModelSpec&, const nlohmann::json& params) {
    Needs needs;
    const auto kind = params.at("objective").get<std::string>();
    needs.classifier = kind != "auto" && kind != "output_norm";
    needs.gradientRuns = true;
    return needs;
}

}  // namespace fovea
