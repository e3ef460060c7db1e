// Every entry of the catalogues of analyses and interventions, found at run time: a new file is tested
// without a change here. Defaults, random parameters out of their declarations, shapes and row sums of
// results, repetition, cancelling.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "analyses/test_context.h"
#include "analyses/tiny_models.h"
#include "analyses/tiny_text.h"

using namespace fovea;
using namespace fovea::test;

namespace {

using nlohmann::json;

const Catalog& catalog() {
    static const Catalog all = makeCatalog();
    return all;
}

struct Case {
    std::shared_ptr<const Model> model;
    std::shared_ptr<const ModelInput> input;
};

const std::vector<Case>& cases() {
    static const std::vector<Case> all = [] {
        std::vector<Case> list;
        for (const TinyModel kind : tinyModels) {
            const auto model = loadTiny(kind);
            list.push_back(
                {model, model->encode({.images = {tinyPicture(90, 70)}, .video = {}, .prompt = {}, .chat = {}, .tensors = {}})});
        }
        const auto writer = loadTinyLlava();
        list.push_back({writer, llavaInput(*writer)});
        return list;
    }();
    return all;
}

// Analyses of the next word have nothing to say about a model that writes none.
bool applies(const AnalysisEntry& entry, const Case& on) {
    try {
        entry.needs(on.model->spec(), checkedParams(entry.info, {}));
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::Usage);
        CHECK(!on.model->spec().capabilities.generate);
        return false;
    }
    return true;
}

// The first kind of model that the analysis is about.
const Case& caseFor(const AnalysisEntry& entry) {
    for (const Case& on : cases())
        if (applies(entry, on)) return on;
    FAIL("no model for " << entry.info.id);
    return cases().front();
}

// A value that the declaration allows; numbers stay small so that step counts do.
json randomValue(const ParamSpec& spec, std::mt19937& random) {
    const auto pick = [&random](const std::vector<std::string>& words) {
        return words[random() % words.size()];
    };
    const double low = std::isfinite(spec.minimum) ? spec.minimum : -2;
    const double high = std::min(std::isfinite(spec.maximum) ? spec.maximum : low + 4, low + 4);
    switch (spec.type) {
        case ParamType::Bool:
            return random() % 2 == 0;
        case ParamType::Integer:
            if (spec.name == "picture") return std::max(static_cast<int>(low), static_cast<int>(random() % 2) - 1);
            return std::uniform_int_distribution<int>(static_cast<int>(low), static_cast<int>(high))(random);
        case ParamType::Number:
            return std::uniform_real_distribution<double>(low, high)(random);
        case ParamType::Choice:
            return pick(spec.choices);
        case ParamType::Tokens:
            return pick({"0", "cls", "patches", "grid:0,1", "1,3", "xy:45,35", "last"});
        case ParamType::Layers:
            return pick({"last", "0", "1", "2"});
        case ParamType::Heads:
            return pick({"all", "0", "0,2", "1-2"});
        case ParamType::Class:
            return pick({"top", "0", "1"});
        case ParamType::Text:
            return spec.name == "box" ? json(pick({"", "0,0,8,8", "3,4.5,10,9"})) : spec.defaultValue;
    }
    return spec.defaultValue;
}

bool hasParam(const EntryInfo& info, const std::string& name, ParamType type) {
    return std::any_of(info.params.begin(), info.params.end(),
                       [&](const ParamSpec& spec) { return spec.name == name && spec.type == type; });
}

json randomParams(const EntryInfo& info, std::mt19937& random) {
    json params = json::object();
    for (const ParamSpec& spec : info.params) params[spec.name] = randomValue(spec, random);
    // Words of an answer: most of these models give none, and refuse them.
    if (hasParam(info, "target", ParamType::Class) && hasParam(info, "queries", ParamType::Tokens) &&
        !hasParam(info, "stage", ParamType::Text))
        params["queries"] = "auto";
    return params;
}

void requireFinite(const std::vector<float>& values) {
    for (const float value : values) REQUIRE(std::isfinite(value));
}

struct CheckFinding {
    const TokenMap& tokens;

    // Tokens without a place in the picture have no value where the values come from pixels.
    void operator()(const TokenScores& scores) const {
        const StageTokens& stage = tokens.stage(scores.stage);
        REQUIRE(static_cast<int>(scores.values.size()) == stage.size());
        for (const Token& token : stage.tokens)
            REQUIRE((std::isfinite(scores.values[static_cast<std::size_t>(token.index)]) || token.row < 0));
    }
    void operator()(const PairMatrix& matrix) const {
        REQUIRE(matrix.source);
        const int rows = matrix.source->rows(), columns = matrix.source->columns();
        REQUIRE((rows > 0 && columns > 0));
        const Array whole = matrix.source->tile(0, rows, 0, columns), pooled = matrix.source->pooled(1);
        REQUIRE(whole.shape == std::vector<std::int64_t>{rows, columns});
        requireFinite(whole.values);
        REQUIRE(pooled.shape == whole.shape);
        for (std::size_t i = 0; i < whole.values.size(); ++i)
            CHECK(std::abs(pooled.values[i] - whole.values[i]) < 1e-5);
        CHECK(matrix.source->pooled(1000).values.size() == 1);
    }
    void operator()(const Grid& grid) const {
        REQUIRE(grid.rows > 0);
        REQUIRE(grid.columns > 0);
        REQUIRE(!grid.planes.empty());
        REQUIRE(grid.values.size() == grid.planes.size() * static_cast<std::size_t>(grid.rows) *
                                          static_cast<std::size_t>(grid.columns));
        requireFinite(grid.values);
        REQUIRE(grid.image < static_cast<int>(tokens.images.size()));
        const ImageGeometry& image = tokens.images[static_cast<std::size_t>(grid.image)];
        CHECK(!grid.area.empty());
        CHECK((grid.area.x >= 0 && grid.area.y >= 0));
        CHECK(grid.area.x + grid.area.width <= image.width + 1e-6);
        CHECK(grid.area.y + grid.area.height <= image.height + 1e-6);
        if (!grid.signedValues) CHECK(*std::min_element(grid.values.begin(), grid.values.end()) >= 0);
        if (!grid.pixels) CHECK((grid.rows == image.gridRows && grid.columns == image.gridColumns));
    }
    void operator()(const Tree& tree) const {
        const std::size_t nodes = tree.tokens.size();
        REQUIRE(nodes > 0);
        REQUIRE((tree.parent.size() == nodes && tree.weight.size() == nodes && tree.depth.size() == nodes &&
                 tree.score.size() == nodes));
        CHECK(std::count(tree.parent.begin(), tree.parent.end(), -1) >= 1);
        for (std::size_t i = 0; i < nodes; ++i) {
            const int parent = tree.parent[i];
            REQUIRE((parent >= -1 && parent < static_cast<int>(nodes)));
            CHECK(tree.depth[i] == (parent < 0 ? 0 : tree.depth[static_cast<std::size_t>(parent)] + 1));
        }
        requireFinite(tree.weight);
        requireFinite(tree.score);
    }
    void operator()(const Path& path) const {
        const ImageGeometry& image = tokens.images[static_cast<std::size_t>(path.image)];
        REQUIRE(!path.fixations.empty());
        double time = 0;
        for (const Path::Fixation& f : path.fixations) {
            CHECK((f.x >= 0 && f.x <= image.width && f.y >= 0 && f.y <= image.height));
            CHECK(f.onset == doctest::Approx(time));
            CHECK(f.duration > 0);
            CHECK((f.mass >= 0 && f.mass <= 1 + 1e-9));
            time += f.duration;
        }
    }
    void operator()(const Series& series) const {
        REQUIRE(!series.lines.empty());
        for (const Series::Line& line : series.lines) {
            CHECK(!line.name.empty());
            REQUIRE((!line.x.empty() && line.x.size() == line.y.size()));
            for (const double y : line.y) REQUIRE(std::isfinite(y));
        }
    }
    void operator()(const Table& table) const {
        REQUIRE(!table.columns.empty());
        for (const auto& row : table.rows) {
            REQUIRE(row.size() == table.columns.size());
            for (const Table::Cell& value : row)
                if (const double* number = std::get_if<double>(&value)) REQUIRE(std::isfinite(*number));
        }
    }
};

void checkFindings(const std::vector<Finding>& findings, const TokenMap& tokens) {
    REQUIRE(!findings.empty());
    std::set<std::string> names;
    for (const Finding& finding : findings) {
        CAPTURE(finding.name);
        CHECK(names.insert(finding.name).second);
        CHECK(!finding.title.empty());
        std::visit(CheckFinding{tokens}, finding.data);
        const bool mayMiss = std::holds_alternative<TokenScores>(finding.data);
        CHECK((mayMiss || toJson(finding).dump().find("null") == std::string::npos));
    }
}

std::string text(const std::vector<Finding>& findings) {
    std::string all;
    for (const Finding& finding : findings) all += toJson(finding).dump() + "\n";
    return all;
}

// Runs until the progress report number `stopAt` (0: before the start); returns how many there were.
int reportsOf(const AnalysisEntry& entry, const Case& on, const json& params, int stopAt, bool& cancelled) {
    std::stop_source stop;
    int reports = 0;
    const JobContext job(stop.get_token(), [&](double fraction, std::string_view) {
        CHECK((fraction >= -1e-9 && fraction <= 1 + 1e-9));
        if (++reports == stopAt) stop.request_stop();
    });
    const Needs needs = entry.needs(on.model->spec(), params);
    TestContext context(on.model, on.input, needs, {}, job);
    if (stopAt == 0) stop.request_stop();
    cancelled = false;
    try {
        entry.compute(context, params);
    } catch (const Cancelled&) {
        cancelled = true;
    }
    return reports;
}

template <typename Entry>
void checkDeclaration(const Entry& entry) {
    CAPTURE(entry.info.id);
    CHECK(!entry.info.title.empty());
    CHECK(entry.info.help.size() > 10);
    std::set<std::string> names;
    json defaults = json::object();
    for (const ParamSpec& spec : entry.info.params) {
        CAPTURE(spec.name);
        CHECK(names.insert(spec.name).second);
        CHECK(spec.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos);
        CHECK(spec.help.size() > 1);
        CHECK(spec.minimum <= spec.maximum);
        defaults[spec.name] = spec.defaultValue;
    }
    CHECK(checkedParams(entry.info, defaults) == checkedParams(entry.info, {}));
}

std::shared_ptr<const AttentionTrace> wholeTrace(const Case& on, const EditPlan& edits) {
    RunSpec spec;
    spec.capture.qkv = true;
    spec.edits = edits;
    return runModel(*on.model, *on.input, spec).trace;
}

// Whether an edit promises that rows still sum to 1.
bool keepsRows(const EditPlan& plan) {
    for (const SiteEdit& edit : plan.sites) {
        if (std::any_of(edit.headGain.begin(), edit.headGain.end(), [](double gain) { return gain != 1; }))
            return false;
        for (const GroupFactor& factor : edit.factors)
            if (factor.rowSum == RowSum::Free) return false;
    }
    return true;
}

void checkEditedRun(const Case& on, const EditPlan& plan) {
    const auto trace = wholeTrace(on, plan);
    for (const std::string& name : trace->outputNames()) requireFinite(trace->output(name).values);
    for (const int site : trace->sites()) {
        const Array probs = trace->probabilities(site);
        requireFinite(probs.values);
        for (std::int64_t head = 0; head < probs.size(0); ++head)
            for (std::int64_t query = 0; query < probs.size(1); ++query) {
                double sum = 0;
                for (std::int64_t key = 0; key < probs.size(2); ++key)
                    sum += static_cast<double>(probs.at(head, query, key));
                // A row whose only keys are knocked out has nothing to renormalise.
                if (keepsRows(plan)) CHECK((std::abs(sum - 1) < 1e-4 || sum == 0));
                CHECK(sum >= 0);
            }
    }
}

template <typename Call>
bool isUsageError(Call call) {
    try {
        call();
    } catch (const Error& error) {
        CAPTURE(error.what());
        CHECK(error.code() == ErrorCode::Usage);
        return true;
    }
    return false;
}

}  // namespace

TEST_CASE("declarations of every analysis and intervention") {
    CHECK(catalog().analyses.all().size() >= 12);
    CHECK(catalog().interventions.all().size() >= 6);
    for (const AnalysisEntry& entry : catalog().analyses.all()) checkDeclaration(entry);
    for (const InterventionEntry& entry : catalog().interventions.all()) checkDeclaration(entry);
}

TEST_CASE("every analysis with its defaults, on every kind of model, twice with the same result") {
    for (const AnalysisEntry& entry : catalog().analyses.all())
        for (const Case& on : cases()) {
            CAPTURE(entry.info.id);
            CAPTURE(on.model->spec().architecture);
            if (!applies(entry, on)) continue;
            const json params = checkedParams(entry.info, {});
            const Needs needs = entry.needs(on.model->spec(), params);
            TestContext first(on.model, on.input, needs), second(on.model, on.input, needs);
            const std::vector<Finding> findings = entry.compute(first, params);
            checkFindings(findings, on.input->maps[0]);
            CHECK(text(findings) == text(entry.compute(second, params)));
        }
}

TEST_CASE("every analysis with random parameters") {
    for (const AnalysisEntry& entry : catalog().analyses.all()) {
        // Of its own, so that a new entry changes nothing for the others.
        std::seed_seq seed(entry.info.id.begin(), entry.info.id.end());
        std::mt19937 random(seed);
        int done = 0, tried = 0;
        for (const Case& on : cases())
            for (int round = 0; round < 6 && applies(entry, on); ++round) {
                const json params = checkedParams(entry.info, randomParams(entry.info, random));
                CAPTURE(entry.info.id);
                CAPTURE(params.dump());
                CAPTURE(on.model->spec().architecture);
                ++tried;
                // Selections need not exist on every model (no classes, no class token): then a clear error.
                const bool refused = isUsageError([&] {
                    TestContext context(on.model, on.input, entry.needs(on.model->spec(), params));
                    checkFindings(entry.compute(context, params), on.input->maps[0]);
                });
                done += refused ? 0 : 1;
            }
        CAPTURE(entry.info.id);
        CAPTURE(done);
        CHECK(done * 4 >= tried);
    }
}

TEST_CASE("every analysis can be cancelled at any of its reports") {
    for (const AnalysisEntry& entry : catalog().analyses.all()) {
        const Case& on = caseFor(entry);
        json given = json::object();
        for (const ParamSpec& spec : entry.info.params)
            if (spec.name == "steps" || spec.name == "samples") given[spec.name] = 3;
        const json params = checkedParams(entry.info, given);
        CAPTURE(entry.info.id);
        bool cancelled = false;
        const int all = reportsOf(entry, on, params, -1, cancelled);
        CHECK(!cancelled);
        REQUIRE(all > 0);
        reportsOf(entry, on, params, 0, cancelled);
        CHECK(cancelled);
        // The reports of the recorded run come first and are not compute()'s to stop at.
        std::stop_source none;
        int before = 0;
        const JobContext job(none.get_token(), [&](double, std::string_view) { ++before; });
        TestContext context(on.model, on.input, entry.needs(on.model->spec(), params), {}, job);
        for (const int at : {before + 1, (before + all) / 2, all - 1}) {
            if (at <= before || at >= all) continue;
            CAPTURE(at);
            CHECK(reportsOf(entry, on, params, at, cancelled) == at);
            CHECK(cancelled);
        }
    }
}

TEST_CASE("analyses survive edits: knocked-out keys, muted heads and pruned tokens") {
    const Case& on = cases().front();
    EditPlan edits = compile("knock_out_keys", *on.model, *on.input, {{"tokens", "4"}});
    for (SiteEdit& edit : compile("mute_heads", *on.model, *on.input).sites)
        edits.at(edit.site).headGain = edit.headGain;
    edits.prunes = compile("prune_tokens", *on.model, *on.input, {{"from_layer", "1"}}).prunes;
    for (const AnalysisEntry& entry : catalog().analyses.all()) {
        if (!applies(entry, on)) continue;
        const json params = checkedParams(entry.info, {});
        CAPTURE(entry.info.id);
        TestContext context(on.model, on.input, entry.needs(on.model->spec(), params), edits);
        const std::vector<Finding> findings = entry.compute(context, params);
        CHECK(!findings.empty());
        for (const Finding& finding : findings) CHECK(!toJson(finding).dump().empty());
    }
}

TEST_CASE(
    "every intervention with defaults and random parameters: the run stays finite, rows sum to 1 where "
    "promised") {
    std::mt19937 random(7);
    for (const InterventionEntry& entry : catalog().interventions.all()) {
        int done = 0, tried = 0;
        for (const Case& on : cases())
            for (int round = 0; round < 6; ++round) {
                const json params = round == 0 ? json::object() : randomParams(entry.info, random);
                CAPTURE(entry.info.id);
                CAPTURE(params.dump());
                CAPTURE(on.model->spec().architecture);
                ++tried;
                done += isUsageError(
                            [&] { checkEditedRun(on, compile(entry.info.id, *on.model, *on.input, params)); })
                            ? 0
                            : 1;
            }
        CAPTURE(entry.info.id);
        CAPTURE(done);
        CHECK(done * 3 >= tried);
    }
}

TEST_CASE("every entry that chooses layers says first which it takes when none are named") {
    const auto check = [](const EntryInfo& info) {
        for (const ParamSpec& spec : info.params) {
            if (spec.type != ParamType::Layers || spec.name != "layers") continue;
            CAPTURE(info.id);
            CHECK(spec.help.find(": " + spec.defaultValue.get<std::string>() + " (unless named), ") != std::string::npos);
        }
    };
    for (const AnalysisEntry& entry : catalog().analyses.all()) check(entry.info);
    for (const InterventionEntry& entry : catalog().interventions.all()) check(entry.info);
    for (const char* id : {"attention_from", "attention_to", "attention_matrix"})
        for (const ParamSpec& spec : catalog().analyses.get(id).info.params)
            if (spec.type == ParamType::Layers) CHECK(spec.defaultValue == "last");
}

TEST_CASE("the neutral value of every intervention leaves the plan empty") {
    for (const InterventionEntry& entry : catalog().interventions.all())
        for (const ParamSpec& spec : entry.info.params) {
            const bool multiplies =
                spec.name == "factor" || spec.name == "gain" || spec.name == "temperature";
            if (!multiplies && spec.name != "share") continue;
            CAPTURE(entry.info.id);
            CHECK(compile(entry.info.id, *cases()[0].model, *cases()[0].input,
                          {{spec.name, multiplies ? 1 : 0}})
                      .empty());
        }
}

TEST_CASE("layers, heads, stages and tokens that do not exist are usage errors of every entry") {
    const std::tuple<const char*, ParamType, const char*> wrong[] = {
        {"layers", ParamType::Layers, "3"},        {"layers", ParamType::Layers, ""},
        {"heads", ParamType::Heads, "3"},          {"heads", ParamType::Heads, "x"},
        {"stage", ParamType::Text, "nowhere"},     {"queries", ParamType::Tokens, "999"},
        {"tokens", ParamType::Tokens, "grid:7,7"}, {"keys", ParamType::Tokens, "xy:-5,3"},
        {"site", ParamType::Text, "vision.9.*"}};
    const Case& on = cases().front();
    for (const auto& [name, type, value] : wrong) {
        CAPTURE(name);
        CAPTURE(value);
        const json given = {{name, value}};
        for (const AnalysisEntry& entry : catalog().analyses.all()) {
            if (!hasParam(entry.info, name, type)) continue;
            CAPTURE(entry.info.id);
            CHECK(isUsageError([&] { analyse(entry.info.id, on.model, on.input, given); }));
        }
        for (const InterventionEntry& entry : catalog().interventions.all()) {
            if (!hasParam(entry.info, name, type)) continue;
            json all = given;
            if (hasParam(entry.info, "by", ParamType::Choice) && std::string(name) == "tokens")
                all["by"] = "chosen";
            CAPTURE(entry.info.id);
            CHECK(isUsageError([&] { compile(entry.info.id, *on.model, *on.input, all); }));
        }
    }
}
