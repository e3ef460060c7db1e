#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <memory>

#include "command.h"
#include "fovea/error.h"
#include "fovea/tokenizer.h"
#include "io/atomic_file.h"
#include "picture_names.h"
#include "session/answer_length.h"
#include "session/answer_text.h"
#include "usual_input.h"

namespace fovea::cli {
namespace {

constexpr int kUsualLength = 64;

struct Options {
    std::string model, output;
    InputOptions input;
};

// The answer's text, as it comes.
class Words {
public:
    explicit Words(std::shared_ptr<const Tokenizer> tokenizer) {
        if (tokenizer) m_decoder.emplace(std::move(tokenizer));
    }
    std::string push(int id) {
        // Without a tokenizer there are only numbers.
        const std::string piece = m_decoder ? m_decoder->push(id) : fmt::format("{}{}", m_text.empty() ? "" : " ", id);
        m_text += piece;
        return piece;
    }
    std::string finish() {
        const std::string piece = m_decoder ? m_decoder->finish() : "";
        m_text += piece;
        return piece;
    }
    const std::string& text() const { return m_text; }

private:
    std::optional<StreamingDecoder> m_decoder;
    std::string m_text;
};

const char* stopName(StopReason reason) {
    switch (reason) {
        case StopReason::Length: return "length";
        case StopReason::EndToken: return "end";
        case StopReason::Cancelled: return "cancelled";
    }
    return "";
}

nlohmann::ordered_json answerJson(const Model& model, const Generation& answer, const std::string& text) {
    nlohmann::ordered_json steps = nlohmann::ordered_json::array();
    for (const GeneratedToken& step : answer.steps) {
        nlohmann::ordered_json candidates = nlohmann::ordered_json::array();
        for (const Candidate& candidate : step.candidates)
            candidates.push_back({{"id", candidate.id},
                                  {"text", model.tokenText(candidate.id)},
                                  {"log_probability", candidate.logProbability}});
        steps.push_back({{"id", step.id},
                         {"text", model.tokenText(step.id)},
                         {"log_probability", step.logProbability},
                         {"candidates", std::move(candidates)}});
    }
    return {{"text", text}, {"ids", answer.ids}, {"stop", stopName(answer.stop)}, {"steps", std::move(steps)}};
}

std::vector<std::string> noticesOf(const ModelSpec& spec, const ModelInput& input, const Generation& answer) {
    std::vector<std::string> all;
    for (const std::vector<std::string>* some : {&spec.weights.notices, &input.notices, &answer.notices})
        for (const std::string& notice : *some)
            if (std::find(all.begin(), all.end(), notice) == all.end()) all.push_back(notice);
    return all;
}

std::shared_ptr<const Tokenizer> tokenizerOf(const Model& model, const InputOptions& input) {
    if (input.tensors.empty()) return model.tokenizer();
    // Ids need no tokenizer: where there is none, ids come out.
    try {
        return model.tokenizer();
    } catch (const Error&) {
        return nullptr;
    }
}

// A model that sees and reads answers something whatever it is given.
void checkQuestion(Toolbox& toolbox, const Session& session, const ModelSpec& spec, bool promptGiven) {
    const SessionInput& input = session.input;
    if (!takesPictures(spec) || !needsText(spec) || !input.tensors.empty()) return;
    // An empty prompt beside a picture is one, as everywhere.
    const bool empty = promptGiven && !(input.images.empty() && input.video.empty());
    const bool spoken = empty || !input.prompt.empty() || !input.chat.empty() || !input.turns.empty();
    // BLIP describes a picture where nothing is asked.
    if (!spoken && spec.family != "blip")
        throw Error("generate: expected a prompt or a conversation, found neither",
                    "Ask something with --prompt (\"\" beside a picture asks nothing), or give a conversation with --chat.", ErrorCode::Usage);
    if (input.images.empty() && input.video.empty())
        toolbox.warn("no picture given: the model answers from text alone (--image gives one)");
}

int run(Toolbox& toolbox, const Options& options) {
    if (!options.output.empty()) {
        requireSuffix(options.output, {".txt", ".json"});
        requirePlace(options.output);
    }
    Session session = sessionFor(options.model, options.input, toolbox.options(), *toolbox.catalog());
    const bool asked = session.input.maxNewTokens > 0;
    const auto model = toolbox.engine().model(session, toolbox.job().part(0, 0.1));
    const ModelSpec& spec = model->spec();
    if (!spec.capabilities.generate)
        throw Error(
            fmt::format("{}: expected a model that answers with text or makes pictures, found {} ({}), which "
                        "does neither",
                        spec.source, spec.architecture, spec.family),
            "to see what it computes use fovea-cli trace --keep output, to see where it looks fovea-cli render");
    checkQuestion(toolbox, session, spec, options.input.promptGiven);
    for (const std::string& notice : spec.weights.notices) toolbox.warn(notice);
    const auto input = toolbox.engine().input(session, toolbox.job().part(0.1, 0.2));
    for (const std::string& notice : input->notices) toolbox.warn(notice);
    AnswerLength length{session.input.maxNewTokens, "--max-new-tokens", 0};
    if (!asked) length = usualAnswerLength(toolbox.engine(), session, kUsualLength, toolbox.job().part(0.2, 0.2));
    session.input.maxNewTokens = length.tokens;
    if (length.shortenedFrom > 0)
        toolbox.warn(fmt::format("at most {} new tokens: the {} of generation_config.json ({}) do not fit the budget",
                                 length.tokens, length.shortenedFrom, length.source));
    else if (!asked && !length.source.empty())
        toolbox.note(fmt::format("at most {} new tokens ({} of generation_config.json)", length.tokens, length.source));
    if (const std::string rules = rulesText(rulesInForce(*model, session)); !rules.empty())
        toolbox.note("answering by " + rules + " (generation_config.json and flags)");
    Words words(tokenizerOf(*model, options.input));
    const bool streams = !toolbox.options().json && options.output.empty();
    const auto answer = toolbox.engine().answer(
        session, 0,
        [&](const GeneratedToken& token) {
            const std::string piece = words.push(token.id);
            if (streams && !piece.empty()) toolbox.print(piece);
        },
        toolbox.job().part(0.2, 1));
    const std::string rest = words.finish();
    if (streams) toolbox.print(rest + "\n");
    for (const std::string& notice : answer->notices) toolbox.warn(notice);
    nlohmann::ordered_json json = answerJson(*model, *answer, words.text());
    json["max_new_tokens"] = length.tokens;
    json["max_new_tokens_from"] =
        length.shortenedFrom > 0 ? "budget" : length.source.empty() ? "default" : length.source;
    json["rules"] = toJson(rulesInForce(*model, session));
    json["notices"] = noticesOf(spec, *input, *answer);
    if (toolbox.options().json) toolbox.printJson(json);
    if (!options.output.empty()) {
        const bool asJson = options.output.ends_with(".json");
        const std::string text =
            asJson ? json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) : words.text();
        writeFileAtomically(options.output, text + "\n");
        toolbox.note("wrote " + options.output);
    }
    if (answer->stop == StopReason::Cancelled) throw Cancelled();
    return exitDone;
}

}  // namespace

void addGenerate(Flags& app, Command& command) {
    Flags sub = app.subcommand("generate", "the answer as text, or the image");
    sub.footer(
        "The answer comes on standard output as it is made. --json gives {\"text\",\"ids\",\"stop\",\"steps\",...}, each "
        "step\n"
        "with the likeliest tokens and the logarithms of their probabilities. Tokens are the likeliest unless "
        "--temperature,\n"
        "--top-k or --top-p is given; --seed then decides. The model's generation_config.json says what else counts\n"
        "(repetition_penalty, suppress_tokens, max_new_tokens, ...): \"rules\" of --json. -o writes .txt or .json.");
    auto options = std::make_shared<Options>();
    sub.option("MODEL", options->model, "what to open").required();
    sub.option("-o,--output", options->output, "file to write").typeName("FILE");
    addInputOptions(sub, options->input);
    sub.whenChosen([&command, options] {
        command.action = [options](Toolbox& toolbox) { return run(toolbox, *options); };
    });
}

}  // namespace fovea::cli
