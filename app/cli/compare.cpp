#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "command.h"
#include "fovea/error.h"
#include "io/atomic_file.h"
#include "numeric_difference.h"
#include "picture_files.h"
#include "picture_names.h"
#include "session/answer_text.h"
#include "session/finding_file.h"
#include "session/finding_table.h"
#include "session/lessons.h"
#include "session/table_difference.h"
#include "session_difference.h"
#include "session_outputs.h"

namespace fovea::cli {
namespace {

using nlohmann::ordered_json;

struct Options {
    std::string a, b, output;
    int picture = 0;
};

ordered_json differenceJson(const Array& b, const Array& a, const std::string& name) {
    if (a.shape != b.shape)
        return {{"name", name}, {"comparable", false}, {"shape_a", a.shape}, {"shape_b", b.shape}};
    const NumericDifference d = differenceOf(b, a, name);
    return {{"name", name},
            {"comparable", true},
            {"absolute", d.absolute},
            {"mean", d.mean},
            {"relative", d.relative()}};
}

ordered_json predictionJson(const AttentionTrace& trace) {
    ordered_json out = ordered_json::array();
    for (const Prediction& p : predictions(trace, 5))
        out.push_back({{"label", p.label}, {"class", p.index}, {"probability", p.probability}});
    return out;
}

ordered_json outputsJson(const AttentionTrace& a, const AttentionTrace& b) {
    ordered_json outputs = ordered_json::array();
    const std::vector<std::string> names = b.outputNames();
    for (const std::string& name : a.outputNames())
        if (std::find(names.begin(), names.end(), name) != names.end())
            outputs.push_back(differenceJson(b.output(name), a.output(name), name));
    return outputs;
}

ordered_json sizeOf(const Table& table) {
    return ordered_json::array({table.rows.size(), table.columns.size()});
}

// Columns of numbers over the rows that both tables have, whatever their order.
void addTables(const std::string& name, const Table& a, const Table& b, ordered_json& findings) {
    JoinedRows joined;
    try {
        joined = joinedRows(a, b);
    } catch (const Error&) {
        findings.push_back({{"name", name}, {"comparable", false}, {"shape_a", sizeOf(a)}, {"shape_b", sizeOf(b)}});
        return;
    }
    const auto alone = [&](auto which) {
        return std::count_if(joined.rows.begin(), joined.rows.end(),
                             [&](const JoinedRows::Pair& pair) { return !(pair.*which); });
    };
    for (std::size_t column = 0; column < joined.columns; ++column) {
        const auto left = numericColumn(a, column), right = numericColumn(b, column);
        if (!left || !right || std::find(joined.keys.begin(), joined.keys.end(), column) != joined.keys.end()) continue;
        Array before, after;
        for (const JoinedRows::Pair& pair : joined.rows) {
            if (!pair.a || !pair.b || (std::isnan((*left)[*pair.a]) && std::isnan((*right)[*pair.b]))) continue;
            before.values.push_back(static_cast<float>((*left)[*pair.a]));
            after.values.push_back(static_cast<float>((*right)[*pair.b]));
        }
        before.shape = after.shape = {static_cast<std::int64_t>(before.values.size())};
        ordered_json entry = differenceJson(after, before, name + "/" + a.columns[column].name);
        entry["rows_only_in_a"] = alone(&JoinedRows::Pair::b);
        entry["rows_only_in_b"] = alone(&JoinedRows::Pair::a);
        findings.push_back(std::move(entry));
    }
}

ordered_json findingsJson(const AnalysisResult& a, const AnalysisResult& b) {
    ordered_json findings = ordered_json::array();
    for (const Finding& left : a.findings)
        for (const Finding& right : b.findings) {
            if (left.name != right.name) continue;
            const auto* first = std::get_if<Table>(&left.data);
            const auto* second = std::get_if<Table>(&right.data);
            if (first && second) {
                addTables(left.name, *first, *second, findings);
                continue;
            }
            const auto before = arraysOf(left), after = arraysOf(right);
            for (std::size_t i = 0; i < std::min(before.size(), after.size()); ++i)
                if (before[i].first == after[i].first)
                    findings.push_back(differenceJson(after[i].second, before[i].second, before[i].first));
        }
    return findings;
}

// Whether an item's pictures differ; not where one side was recorded without them.
bool otherPictures(const ModelInput& a, const ModelInput& b, int item) {
    const auto of = [item](const ModelInput& input) {
        std::vector<Pixels> pictures = input.originals;
        // Several pictures of one item are one prompt's.
        if (input.count() > 1 && pictures.size() == input.maps.size()) pictures = {pictures[static_cast<std::size_t>(item)]};
        std::erase_if(pictures, [](const Pixels& picture) { return picture.empty(); });
        return pictures;
    };
    const std::vector<Pixels> left = of(a), right = of(b);
    return !left.empty() && !right.empty() && left != right;
}

ordered_json compareItem(Engine& engine, const Session& a, const Session& b, int item,
                         const JobContext& job) {
    CaptureRequest outputs;
    outputs.output = true;
    const auto left = engine.run(a, item, outputs, job), right = engine.run(b, item, outputs, job);
    ordered_json analyses = ordered_json::array();
    for (std::size_t i = 0; i < std::min(a.analyses.size(), b.analyses.size()); ++i) {
        if (a.analyses[i].id != b.analyses[i].id) continue;
        const int index = static_cast<int>(i);
        analyses.push_back({{"analysis", a.analyses[i].id},
                            {"findings", findingsJson(*engine.analyse(a, index, item, job),
                                                      *engine.analyse(b, index, item, job))}});
    }
    const auto before = answerText(engine, a, item, job), after = answerText(engine, b, item, job);
    return {{"item", item},
            {"different_pictures", otherPictures(*engine.input(a, job), *engine.input(b, job), item)},
            {"answer_a", before ? toJson(*before) : ordered_json()},
            {"answer_b", after ? toJson(*after) : ordered_json()},
            {"answers_part", partingJson(before, after)},
            {"outputs", outputsJson(*left->trace, *right->trace)},
            {"prediction_a", predictionJson(*left->trace)},
            {"prediction_b", predictionJson(*right->trace)},
            {"analyses", std::move(analyses)}};
}

std::string rowsText(const ordered_json& entry) {
    const int a = entry.value("rows_only_in_a", 0), b = entry.value("rows_only_in_b", 0);
    return a + b > 0 ? fmt::format("; without a partner: {} rows of A, {} of B", a, b) : "";
}

std::string listText(const ordered_json& list) {
    std::string text;
    for (const auto& entry : list)
        text +=
            entry["comparable"].get<bool>()
                ? fmt::format("    {:<28} largest {:.4e}, mean {:.4e}, relative {:.4e}{}\n",
                              entry["name"].get<std::string>(), entry["absolute"].get<double>(),
                              entry["mean"].get<double>(), entry["relative"].get<double>(), rowsText(entry))
                : fmt::format("    {:<28} of different shape: {} and {}\n", entry["name"].get<std::string>(),
                              entry["shape_a"].dump(), entry["shape_b"].dump());
    return text;
}

std::string changesText(const ordered_json& changes) {
    const auto side = [](const ordered_json& text) {
        const auto said = text.get<std::string>();
        return said.empty() ? std::string("none") : said;
    };
    std::string text = changes.empty() ? "" : "what A and B say otherwise\n";
    for (const auto& change : changes)
        text += fmt::format("  {}\n    A {}\n    B {}\n", change["what"].get<std::string>(), side(change["a"]),
                            side(change["b"]));
    return text;
}

std::string toText(const ordered_json& json) {
    std::string text =
        fmt::format("A {}\nB {}\n", json["a"].get<std::string>(), json["b"].get<std::string>());
    text += changesText(json["differs"]);
    for (const auto& item : json["items"]) {
        text += fmt::format("item {}\n", item["item"].get<int>()) + answersText(item);
        if (item["different_pictures"].get<bool>()) text += "  A and B have different pictures\n";
        text += "  outputs, B against A\n" + listText(item["outputs"]);
        for (const char* side : {"prediction_a", "prediction_b"})
            if (!item[side].empty())
                text += fmt::format("  {}: {} ({:.1f} %)\n", side, item[side][0]["label"].get<std::string>(),
                                    100 * item[side][0]["probability"].get<double>());
        for (const auto& analysis : item["analyses"])
            text += "  " + analysis["analysis"].get<std::string>() + "\n" + listText(analysis["findings"]);
    }
    return text;
}

Session opened(Toolbox& toolbox, const std::string& file) {
    std::vector<std::string> notices;
    Session session;
    if (suffixOf(file) == ".safetensors")
        session.model.reference = file;  // a trace: its outputs and its answer
    else
        session = openDocument(documentFile(file), &notices);
    for (const std::string& notice : notices) toolbox.warn(notice);
    if (toolbox.options().device != "auto") session.model.device = toolbox.options().device;
    if (toolbox.options().dtype != "auto") session.model.dtype = toolbox.options().dtype;
    if (!toolbox.options().adapters.empty()) session.model.adapters = adaptersOf(toolbox.options());
    if (!toolbox.options().budget.empty()) parseBytes(session.budget = toolbox.options().budget);
    for (const std::string& edit : toolbox.options().edits)
        session.edits.push_back(parseEdit(edit, toolbox.catalog()->interventions));
    return session;
}

// A picture of each analysis where the session asks for none.
Session withPicture(Session session) {
    if (session.pictures.empty() && !session.analyses.empty()) session.pictures.emplace_back();
    return session;
}

// Analyses are compared where both sessions have the same one in the same place.
void warnOfRest(Toolbox& toolbox, const Session& a, const Session& b) {
    const auto idAt = [](const Session& session, std::size_t i) {
        return i < session.analyses.size() ? session.analyses[i].id : std::string("none");
    };
    for (std::size_t i = 0; i < std::max(a.analyses.size(), b.analyses.size()); ++i)
        if (idAt(a, i) != idAt(b, i))
            toolbox.warn(fmt::format("analysis {} is {} in A and {} in B: it is not compared", i, idAt(a, i),
                                     idAt(b, i)));
}

int run(Toolbox& toolbox, const Options& options) {
    const bool picture =
        !options.output.empty() && options.output != "-" && suffixOf(options.output) != ".json";
    if (picture) checkPictureName(options.output);
    if (!options.output.empty() && options.output != "-") requirePlace(options.output);
    const Session a = opened(toolbox, options.a), b = opened(toolbox, options.b);
    Engine& engine = toolbox.engine();
    const JobContext job = toolbox.job();
    if (picture) {
        const auto result =
            engine.paintDifference(withPicture(a), withPicture(b), options.picture, 0, job.part(0, 0.9));
        const Session shown = withPicture(b);
        for (const std::string& notice : result->notices) toolbox.warn(notice);
        writePicture(options.output, result->picture,
                     shown.pictures[static_cast<std::size_t>(options.picture)].dpi);
        toolbox.note("wrote " + options.output);
    }
    warnOfRest(toolbox, a, b);
    const int left = engine.input(a, job)->count(), right = engine.input(b, job)->count();
    const int count = std::min(left, right);
    if (left != right)
        toolbox.warn(
            fmt::format("A has {} pictures and B has {}: the first {} are compared", left, right, count));
    ordered_json items = ordered_json::array();
    for (int item = 0; item < count; ++item)
        items.push_back(compareItem(engine, a, b, item, job.part(0.9, 1)));
    if (std::any_of(items.begin(), items.end(), [](const auto& item) { return item["different_pictures"].template get<bool>(); }))
        toolbox.warn("A and B have different pictures: what differs is theirs, too");
    const ordered_json json = {{"a", options.a},
                               {"b", options.b},
                               {"differs", toJson(changesBetween(a, b, engine.catalog()))},
                               {"items", std::move(items)}};
    // A picture shows maps alone.
    if (picture)
        for (const auto& item : json["items"])
            if (const std::string answers = answersText(item); !answers.empty())
                toolbox.note(fmt::format("item {}\n", item["item"].get<int>()) + answers.substr(0, answers.size() - 1));
    if (!options.output.empty() && options.output != "-" && !picture) {
        writeFileAtomically(options.output,
                            json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
        toolbox.note("wrote " + options.output);
        return exitDone;
    }
    if (toolbox.options().json || options.output == "-") {
        toolbox.printJson(json);
    } else if (!picture) {
        toolbox.print(toText(json));
    }
    return exitDone;
}

}  // namespace

void addCompare(Flags& app, Command& command) {
    Flags sub = app.subcommand("compare", "what differs between two sessions, B minus A");
    sub.footer(
        "What the sessions say otherwise, answers and the first token where they part, outputs, and findings that both "
        "have.\n"
        "With -o FILE.(png|svg|pdf) the difference of a picture is drawn on a diverging scale, with -o FILE.json the "
        "numbers\n"
        "are written. Trace files have outputs and answers to compare.");
    auto options = std::make_shared<Options>();
    sub.option("SESSION_A", options->a, "session file, picture that Fovea wrote, or trace file").required();
    sub.option("SESSION_B", options->b, "session file, picture that Fovea wrote, or trace file").required();
    sub.option("--picture", options->picture,
                    "which picture of the sessions to subtract, counted from 0")
        .atLeast(0)
        .typeName("N");
    sub.option("-o,--output", options->output, "file to write").typeName("FILE");
    sub.whenChosen([&command, options] {
        command.action = [options](Toolbox& toolbox) { return run(toolbox, *options); };
    });
}

}  // namespace fovea::cli
