// Analyses of language and vision-language models: next token, logit lens, readers of a box, sinks, rollout to pixels.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "analyses/test_context.h"
#include "analyses/tiny_text.h"
#include "common/rollout_chain.h"
#include "common/sink_dimensions.h"
#include "common/token_distribution.h"
#include "fovea/error.h"
#include "fovea/run_estimate.h"

using namespace fovea;
using namespace fovea::test;

namespace {

double number(const Table::Cell& cell) { return std::get<double>(cell); }
const std::string& word(const Table::Cell& cell) { return std::get<std::string>(cell); }
const Table& table(const std::vector<Finding>& findings) { return std::get<Table>(named(findings, "table").data); }
const Series::Line& line(const std::vector<Finding>& findings, const std::string& name) {
    return std::get<Series>(named(findings, name).data).lines.front();
}

const std::vector<std::int64_t> prompt{1, 9, 4, 22, 17, 5, 30, 8, 12, 2};

EditPlan muted(const Model& model) {
    return compile("mute_heads", model, *idsInput(model, prompt), {{"layers", "1"}, {"heads", "0"}});
}

}  // namespace

TEST_CASE("distributions over a vocabulary: entropy, divergence and order") {
    const std::vector<float> even(4, 2.0F), odd{0, std::log(2.0F), std::log(4.0F), std::log(1.0F)};
    const auto p = TokenDistribution::of(even), q = TokenDistribution::of(odd);
    CHECK(p.entropy() == doctest::Approx(std::log(4.0)));
    CHECK(q.probability(2) == doctest::Approx(0.5));
    CHECK(p.divergenceFrom(q) == doctest::Approx(0.25 * std::log(0.25 * 0.25 * 0.25 * 0.25 / (0.125 * 0.25 * 0.5 * 0.125))));
    CHECK(p.divergenceFrom(p) == 0);
    CHECK(q.top(3) == std::vector<int>{2, 1, 0});
    CHECK(p.top(9).size() == 4);
}

TEST_CASE("next_token lists what generation reports, and nothing changes without edits") {
    const auto model = loadTinyLlama();
    const auto input = idsInput(*model, prompt);
    GenerateSpec spec;
    spec.maxNewTokens = 4;
    const Generation answer = generate(*model, *input, spec);
    const auto findings = analyseAnswer("next_token", model, input, 4);
    const Table& rows = table(findings);
    REQUIRE(rows.rows.size() == 20);
    CHECK(rows.columns.size() == 5);
    for (std::size_t i = 0; i < rows.rows.size(); ++i) {
        const Candidate& expected = answer.steps[i / 5].candidates[i % 5];
        CHECK(number(rows.rows[i][2]) == expected.id);
        CHECK(number(rows.rows[i][4]) == doctest::Approx(std::exp(expected.logProbability)).epsilon(1e-5));
        CHECK((word(rows.rows[i][1]) == "yes") == (expected.id == answer.ids[i / 5]));
    }
    CHECK(line(findings, "entropy").y.size() == 4);
    const auto plain = analyse("next_token", model, input);
    CHECK(table(plain).rows.size() == 5);
    CHECK(number(table(plain).rows[0][4]) == doctest::Approx(number(rows.rows[0][4])).epsilon(1e-5));
}

TEST_CASE("next_token compares the same tokens with and without edits") {
    const auto model = loadTinyLlama();
    const auto input = idsInput(*model, prompt);
    const EditPlan edits = muted(*model);
    const auto findings = analyseAnswer("next_token", model, input, 3, {{"top", 40}}, edits);
    const Table& rows = table(findings);
    REQUIRE(rows.columns.size() == 7);
    REQUIRE(rows.rows.size() == 120);
    const Series::Line& change = line(findings, "change");
    REQUIRE(change.y.size() == 3);
    for (std::size_t step = 0; step < 3; ++step) {
        double kl = 0, before = 0;
        for (std::size_t i = 0; i < 40; ++i) {
            const auto& row = rows.rows[step * 40 + i];
            kl += number(row[4]) * std::log(number(row[4]) / number(row[5]));
            before += number(row[5]);
            CHECK(number(row[6]) == doctest::Approx(number(row[4]) - number(row[5])));
        }
        CHECK(before == doctest::Approx(1));
        CHECK(change.y[step] == doctest::Approx(kl).epsilon(1e-4));
        CHECK(change.y[step] > 1e-6);
    }
    // The first step's plain probabilities are those of a plain run.
    const auto plain = analyse("next_token", model, input, {{"top", 40}});
    for (const auto& row : table(plain).rows)
        for (std::size_t i = 0; i < 40; ++i)
            if (number(rows.rows[i][2]) == number(row[2])) CHECK(number(rows.rows[i][5]) == doctest::Approx(number(row[4])).epsilon(1e-4));
}

TEST_CASE("forced tokens are given whatever is likely, and a wrong one is refused") {
    const auto model = loadTinyLlama();
    const auto input = idsInput(*model, prompt);
    GenerateSpec spec;
    spec.maxNewTokens = 3;
    spec.forced = {3, 14};
    const Generation answer = generate(*model, *input, spec);
    REQUIRE(answer.ids.size() == 3);
    CHECK((answer.ids[0] == 3 && answer.ids[1] == 14));
    CHECK(answer.steps[0].logProbability <= answer.steps[0].candidates[0].logProbability);
    std::vector<std::int64_t> longer = prompt;
    longer.insert(longer.end(), {3, 14});
    GenerateSpec one;
    one.maxNewTokens = 1;
    CHECK(generate(*model, *idsInput(*model, longer), one).ids[0] == answer.ids[2]);
    spec.forced = {99};
    CHECK_THROWS_AS(generate(*model, *input, spec), Error);
}

TEST_CASE("the logit lens ends with the model's own answer and begins with the embedding") {
    const auto model = loadTinyLlama();
    const auto input = idsInput(*model, prompt);
    RunSpec spec;
    spec.capture.hidden = spec.capture.output = true;
    const auto trace = runModel(*model, *input, spec).trace;
    const Array logits = trace->output("logits");
    const auto findings = analyse("logit_lens", model, input, {{"tokens", "all"}, {"top", 3}});
    const Table& rows = table(findings);
    REQUIRE(rows.rows.size() == 4 * 10 * 3);
    const Array last = model->readOut(trace->hidden("text", 3)), first = model->readOut(trace->hidden("text", 0));
    for (std::int64_t token = 0; token < 10; ++token) {
        for (std::int64_t id = 0; id < 40; ++id) CHECK(last.at(token, id) == doctest::Approx(logits.at(token, id)).epsilon(1e-4));
        const auto start = TokenDistribution::of(rowOf(first, token)), end = TokenDistribution::of(rowOf(last, token));
        const auto& begins = rows.rows[static_cast<std::size_t>(token) * 3];
        const auto& ends = rows.rows[static_cast<std::size_t>(3 * 10 + token) * 3];
        CHECK(number(begins[4]) == start.top(1)[0]);
        CHECK(number(ends[2]) == 3);
        CHECK(number(ends[4]) == end.top(1)[0]);
        const Series::Line& curve = std::get<Series>(named(findings, "curves").data).lines[static_cast<std::size_t>(token)];
        CHECK(curve.y.front() == doctest::Approx(start.probability(end.top(1)[0])));
        CHECK(curve.y.back() == doctest::Approx(end.probability(end.top(1)[0])));
    }
    // With an answer: the token that the answer follows on, whose last word is the answer's first.
    GenerateSpec answer;
    answer.maxNewTokens = 2;
    const int said = generate(*model, *input, answer).ids[0];
    const Table lens = table(analyseAnswer("logit_lens", model, input, 2));
    CHECK(number(lens.rows.front()[0]) == 9);
    CHECK(number(lens.rows[lens.rows.size() - 5][4]) == said);
    const auto second = analyseAnswer("logit_lens", model, input, 2, {{"tokens", "writing:1"}});
    CHECK(number(table(second).rows.front()[0]) == 10);
    CHECK(named(second, "table").title.starts_with("Logit lens while writing "));
    CHECK_THROWS_AS(model->readOut(Array({1, 7}, 0)), Error);
}

TEST_CASE("analyses of the next word refuse models without text") {
    const auto model = loadTiny(TinyModel::Classifier);
    const auto input = model->encode({.images = {tinyPicture(50, 50)}, .video = {}, .prompt = {}, .chat = {}, .tensors = {}});
    for (const char* id : {"next_token", "logit_lens", "pixel_rollout"}) {
        CAPTURE(id);
        CHECK_THROWS_AS(analyse(id, model, input), Error);
    }
    const auto writer = loadTinyLlama();
    CHECK_THROWS_AS(analyse("pixel_rollout", writer, idsInput(*writer, prompt)), Error);
    CHECK_THROWS_AS(analyse("box_readers", writer, idsInput(*writer, prompt)), Error);
    CHECK_THROWS_AS(model->readOut(Array({1, 24}, 0)), Error);
}

TEST_CASE("readers of a box: columns of its tokens, weighted by the share of their rectangle inside") {
    const auto model = loadTinyLlava();
    const auto input = llavaInput(*model);
    RunSpec spec;
    spec.capture.qkv = true;
    const auto trace = runModel(*model, *input, spec).trace;
    // Half of cell (1, 0), all of cell (1, 1): tokens 5 and 6.
    const auto findings = analyse("box_readers", model, input, {{"box", "4,8,12,8"}, {"layers", "1"}, {"heads", "2"}, {"readers", "11-14"}});
    CHECK(named(findings, "table").title.starts_with("Readers of the box of 12 x 8 pixels at (4, 8), text"));
    CHECK(named(analyse("box_readers", model, input, {{"readers", "11-14"}}), "table").title.starts_with("Readers of the whole picture, text"));
    const int site = trace->spec().siteIndex("text.1.self");
    const Array probs = trace->probabilities(site);
    const TokenScores& scores = std::get<TokenScores>(named(findings, "scores").data);
    const Table& rows = table(findings);
    REQUIRE(rows.rows.size() == 4);
    double before = 1;
    for (const auto& row : rows.rows) {
        const auto token = static_cast<std::int64_t>(number(row[1]));
        const double mass = 0.5 * static_cast<double>(probs.at(2, token, 5)) + static_cast<double>(probs.at(2, token, 6));
        double picture = 0;
        for (std::int64_t key = 2; key < 11; ++key) picture += static_cast<double>(probs.at(2, token, key));
        CHECK(number(row[3]) == doctest::Approx(mass));
        CHECK(number(row[4]) == doctest::Approx(picture));
        CHECK(number(row[6]) == doctest::Approx(mass / picture * 576 / 96));
        CHECK(static_cast<double>(scores.values[static_cast<std::size_t>(token)]) == doctest::Approx(mass));
        CHECK(number(row[3]) <= before);
        before = number(row[3]);
    }
    CHECK(scores.values[0] == 0);
    // An answer's tokens have the rows of the queries that wrote them.
    const auto answered = analyseAnswer("box_readers", model, input, 3), rowsOfOwn = analyseAnswer("box_readers", model, input, 3, {{"readers", "14-16"}});
    CHECK(table(answered).rows.size() == 3);
    const auto& written = std::get<TokenScores>(named(answered, "scores").data).values;
    const auto& own = std::get<TokenScores>(named(rowsOfOwn, "scores").data).values;
    for (std::size_t token = 15; token < 18; ++token) CHECK(written[token] == own[token - 1]);
    CHECK(written[14] == 0);
}

TEST_CASE("attention of an answer to the picture is a map over it") {
    const auto model = loadTinyLlava();
    const auto input = llavaInput(*model);
    const auto findings = analyseAnswer("attention_from", model, input, 3, {{"queries", "15"}, {"layers", "2"}});
    const Grid& grid = std::get<Grid>(named(findings, "map").data);
    const TokenScores& scores = std::get<TokenScores>(named(findings, "scores").data);
    REQUIRE((grid.rows == 3 && grid.columns == 3));
    CHECK(grid.area == Rect{0, 0, 24, 24});
    for (int cell = 0; cell < 9; ++cell) CHECK(grid.at(0, cell / 3, cell % 3) == scores.values[static_cast<std::size_t>(2 + cell)]);
}

TEST_CASE("what wrote an answer's token is the row of the token before it, and auto is all of them") {
    const auto model = loadTinyLlava();
    const auto input = llavaInput(*model);
    const auto scores = [&](const char* queries) {
        const auto findings = analyseAnswer("attention_from", model, input, 3, {{"queries", queries}, {"layers", "2"}});
        return std::get<TokenScores>(named(findings, "scores").data).values;
    };
    // The prompt's last token, 14, wrote the first.
    const std::vector<float> first = scores("writing:0"), last = scores("14"), second = scores("writing:1"), fifteenth = scores("15");
    for (std::size_t i = 0; i < 15; ++i) {
        CHECK(first[i] == last[i]);
        CHECK(second[i] == fifteenth[i]);
    }
    CHECK(first != second);
    const std::vector<float> all = scores("auto"), same = scores("14-16");
    for (std::size_t i = 0; i < 15; ++i) CHECK(all[i] == same[i]);
    const auto title = [&](const char* queries) {
        return named(analyseAnswer("attention_from", model, input, 3, {{"queries", queries}, {"layers", "2"}}), "map").title;
    };
    CHECK(title("writing:1").starts_with("Attention while writing "));
    CHECK(title("auto").starts_with("Attention while writing the 3 answer tokens, text layer 2"));
    CHECK(title("answer").starts_with("Attention from the 3 answer tokens, text layer 2"));
    CHECK_THROWS_AS(analyse("attention_from", model, input, {{"queries", "writing"}}), Error);
}

TEST_CASE("gradients of an answer's word are about its log probability, read with what was written before it") {
    const auto model = loadTinyLlava();
    const auto input = llavaInput(*model);
    GenerateSpec asked;
    asked.maxNewTokens = 3;
    for (const bool pruned : {false, true}) {
        CAPTURE(pruned);
        EditPlan edits;
        // The prompt's last token goes, and one that only an answer has, which stays.
        if (pruned) edits.prunes = {{"text", 1, {4, 14, 16}}};
        asked.edits = edits;
        const Generation answer = generate(*model, *input, asked);
        RunSpec spec;
        spec.edits = edits;
        spec.answer = answer.ids;
        spec.objective = Objective{.kind = Objective::Kind::LogProbability};
        for (int word = 0; word < 3; ++word) {
            const GeneratedToken& step = answer.steps[static_cast<std::size_t>(word)];
            spec.objective->tokens = {{14 + word, step.id}};
            CHECK(runModel(*model, *input, spec).objective == doctest::Approx(step.logProbability).epsilon(1e-5));
        }
        spec.objective->tokens = {{16, answer.ids[2]}, {14, answer.ids[0]}, {16, answer.ids[2]}};
        CHECK(runModel(*model, *input, spec).objective ==
              doctest::Approx(2 * answer.steps[2].logProbability + answer.steps[0].logProbability).epsilon(1e-5));
        CHECK(runModel(*model, *input, spec).trace->tokens().stage("text").size() == 18);
        spec.objective->tokens = {{18, 1}};
        CHECK_THROWS_AS(runModel(*model, *input, spec), Error);
    }
}

TEST_CASE("relevance of an answer's word: titles, sums, other words in its place, and places that do not exist") {
    const auto model = loadTinyLlava();
    const auto input = llavaInput(*model);
    GenerateSpec asked;
    asked.maxNewTokens = 3;
    const Generation answer = generate(*model, *input, asked);
    const auto explained = [&](const nlohmann::json& params) { return analyseAnswer("relevance", model, input, 3, params); };
    const auto scores = [&](const std::vector<Finding>& found) { return std::get<TokenScores>(named(found, "scores").data).values; };
    const auto second = explained({{"queries", "writing:1"}});
    const std::string written = "\"" + model->tokenText(answer.ids[1]) + "\"";
    CHECK(named(second, "map").title == "Gradient relevance while writing " + written + ", log probability of " + written);
    CHECK(named(second, "map").note.find("sum of") == std::string::npos);
    const std::vector<float> values = scores(second);
    REQUIRE(values.size() == 18);
    // Nothing that came later took part.
    CHECK((values[16] == 0 && values[17] == 0));
    CHECK(*std::max_element(values.begin(), values.end()) > 0);
    const Grid& grid = std::get<Grid>(named(second, "map").data);
    for (int cell = 0; cell < 9; ++cell) CHECK(grid.at(0, cell / 3, cell % 3) == values[static_cast<std::size_t>(2 + cell)]);
    // The row that writes a word says the same by its own number.
    CHECK(scores(explained({{"queries", "15"}})) == values);
    const auto all = explained({});
    CHECK(named(all, "scores").note.starts_with("about the sum of the log probabilities of 3 tokens of the answer"));
    CHECK(named(all, "scores").title.starts_with("Gradient relevance while writing the 3 answer tokens"));
    CHECK(scores(all) != values);
    CHECK(scores(explained({{"queries", "writing:0-2"}})) == scores(all));
    // A word of the prompt is where the walk starts; what is explained is the answer.
    CHECK(named(explained({{"queries", "13"}}), "scores").title.find("of 3 answer tokens, summed") != std::string::npos);
    const auto other = explained({{"queries", "writing:1"}, {"target", answer.ids[1] == 7 ? "8" : "7"}});
    CHECK(named(other, "map").title.find("in the place of " + written) != std::string::npos);
    CHECK(scores(other) != values);
    const auto lead = explained({{"queries", "writing:1"}, {"objective", "logit_difference"}});
    const int runnerUp = answer.steps[1].candidates[answer.steps[1].candidates[0].id == answer.ids[1] ? 1 : 0].id;
    CHECK(named(lead, "map").title.find("over \"" + model->tokenText(runnerUp) + "\"") != std::string::npos);
    // The tower has no such row: its own usual ones are where the walk starts.
    const auto tower = explained({{"queries", "writing:1"}, {"stage", "vision"}});
    CHECK(std::get<TokenScores>(named(tower, "scores").data).stage == "vision");
    CHECK(named(tower, "map").title.find("log probability of " + written) != std::string::npos);
    CHECK(scores(tower) != scores(explained({{"queries", "writing:0"}, {"stage", "vision"}})));
    for (const char* wrong : {"writing:3", "writing:-4", "writing:x", "answer:3"}) {
        CAPTURE(wrong);
        CHECK_THROWS_WITH_AS(explained({{"queries", wrong}}), doctest::Contains("answer tokens in token selection"), Error);
    }
    for (const char* id : {"relevance", "input_gradient", "smooth_grad"})
        CHECK_THROWS_WITH_AS(analyse(id, model, input, {{"queries", "writing:1"}}), doctest::Contains("has no answer"), Error);
    CHECK(named(analyse("relevance", model, input), "map").title.find("logit of ") != std::string::npos);
}

TEST_CASE("pixel gradients of several words are the sum of theirs, and attributions of a word are complete") {
    const auto model = loadTinyLlava();
    const auto input = llavaInput(*model);
    const auto gradient = [&](const char* queries) {
        const auto found = analyseAnswer("input_gradient", model, input, 3, {{"queries", queries}, {"channels", "signed"}});
        return std::get<Grid>(named(found, "map").data).values;
    };
    const std::vector<float> first = gradient("writing:0"), third = gradient("writing:2"), both = gradient("writing:0,2");
    float largest = 0;
    for (const float value : both) largest = std::max(largest, std::abs(value));
    CHECK(largest > 0);
    for (std::size_t i = 0; i < both.size(); ++i) CHECK(std::abs(both[i] - first[i] - third[i]) < 1e-5F * largest);
    CHECK(first != third);
    const auto integrated = analyseAnswer("integrated_gradients", model, input, 3, {{"queries", "writing:1"}, {"steps", 40}});
    const std::string note = named(integrated, "map").note;
    double sum = 0;
    for (const float value : std::get<Grid>(named(integrated, "map").data).values) sum += static_cast<double>(value);
    const std::size_t at = note.find("baseline is ");
    REQUIRE(at != std::string::npos);
    CHECK(sum == doctest::Approx(std::stod(note.substr(at + 12))).epsilon(1e-3));
    for (const char* id : {"gradient_x_input", "smooth_grad"}) {
        const auto found = analyseAnswer(id, model, input, 3, {{"queries", "writing:0-1"}});
        CHECK(named(found, "map").note.starts_with("about the sum of the log probabilities of 2 tokens of the answer; "));
    }
}

TEST_CASE("relevance of a text alone reaches its words, with and without an answer") {
    const auto model = loadTinyLlama();
    const auto input = idsInput(*model, prompt);
    const auto values = std::get<TokenScores>(named(analyseAnswer("relevance", model, input, 2, {{"queries", "writing:1"}}), "scores").data).values;
    REQUIRE(values.size() == 12);
    CHECK(values[10] >= 0);
    CHECK(values[11] == 0);
    CHECK(*std::max_element(values.begin(), values.end()) > 0);
    CHECK(std::get<TokenScores>(named(analyse("relevance", model, input), "scores").data).values.size() == 10);
    CHECK_THROWS_AS(analyse("input_gradient", model, input), Error);
}

TEST_CASE("a scanpath walks over the map of the word that is asked about") {
    const auto model = loadTinyLlava();
    const auto input = llavaInput(*model);
    const auto walked = [&](const char* map, const char* queries) {
        return analyseAnswer("scanpath", model, input, 3, {{"map", map}, {"queries", queries}, {"percentile", 0}});
    };
    GenerateSpec asked;
    asked.maxNewTokens = 3;
    const std::string word = model->tokenText(generate(*model, *input, asked).ids[1]);
    for (const char* map : {"relevance", "attention_from"}) {
        const std::string title = named(walked(map, "writing:1"), "path").title;
        CHECK_MESSAGE(title.find("while writing \"" + word) != std::string::npos, title);
    }
    CHECK(named(walked("rollout", ""), "path").title == "Scanpath from Attention rollout");
    CHECK_THROWS_WITH_AS(walked("attention_to", "writing:1"), doctest::Contains("about no chosen tokens"), Error);
}

TEST_CASE("the estimate of a gradient counts the answer behind the prompt") {
    const auto model = loadTinyLlava();
    const auto input = llavaInput(*model);
    RunSpec spec;
    spec.gradients.attention = spec.capture.qkv = true;
    const std::uint64_t prompt15 = estimateRun(*model, *input, spec).run();
    spec.answer.assign(85, 3);
    const std::uint64_t both = estimateRun(*model, *input, spec).run();
    CHECK(both > 3 * prompt15);
    spec.budget = (prompt15 + both) / 2;
    spec.objective = Objective{.kind = Objective::Kind::LogProbability, .tokens = {{14, 3}}};
    CHECK_THROWS_WITH_AS(runModel(*model, *input, spec), doctest::Contains("the budget is"), Error);
    CHECK_THROWS_AS(requireBudget(*model, *input, spec), Error);
}

TEST_CASE("phi: the reference's number, its bound, and scaling") {
    std::vector<float> x(4096, 0.1F);
    x[1415] = -30, x[2533] = 50;
    CHECK(sinkPhi(x, {1415, 2533}) == doctest::Approx(54.5521).epsilon(1e-6));
    std::vector<float> scaled = x;
    for (float& value : scaled) value *= 1000;
    CHECK(sinkPhi(scaled, {1415, 2533}) == doctest::Approx(sinkPhi(x, {1415, 2533})).epsilon(1e-5));
    std::vector<float> one(4096, 0.0F);
    one[7] = 1e6F;
    CHECK(sinkPhi(one, {7}) == doctest::Approx(64));
    CHECK(sinkPhi(x, {}) == 0);
    CHECK(parseSinkDimensions("2533,1415", 4096) == std::vector<int>{1415, 2533});
    CHECK_THROWS_AS(parseSinkDimensions("4096", 4096), Error);
}

TEST_CASE("a planted sink is found by both tests, alone, and its dimension with it") {
    const auto model = loadSinkLlama(11);
    std::vector<std::int64_t> ids{0};
    ids.insert(ids.end(), {9, 4, 22, 17, 5, 30, 8, 12, 2, 25, 33, 6, 14, 3});
    const auto input = idsInput(*model, ids);
    const auto findings = analyse("token_sinks", model, input);
    CHECK(named(findings, "table").note.find("dimensions 11 ") != std::string::npos);
    const Table& rows = table(findings);
    REQUIRE(rows.rows.size() == 1);
    CHECK(number(rows.rows[0][0]) == 0);
    CHECK(word(rows.rows[0][2]) == "text initial sink");
    CHECK(word(rows.rows[0][3]) == "dimension and column");
    CHECK(number(rows.rows[0][4]) > 0.7);
    CHECK(number(rows.rows[0][6]) <= std::sqrt(24.0));
    for (const double mass : line(findings, "layers").y) CHECK(mass > 0.5);
    // In another dimension nothing stands out.
    const Table other = table(analyse("token_sinks", model, input, {{"dimensions", "3"}, {"phi", 0.9}}));
    REQUIRE(other.rows.size() == 1);
    CHECK(word(other.rows[0][3]) == "column");
    CHECK(table(analyse("token_sinks", loadTinyLlama(), idsInput(*loadTinyLlama(), prompt), {{"ratio", 50}, {"phi", 1.0}})).rows.empty());
}

TEST_CASE("token sinks come by their mass, and the note counts what each test found") {
    const auto model = loadSinkLlama(11);
    std::vector<std::int64_t> ids{0};
    ids.insert(ids.end(), {9, 4, 22, 17, 5, 30, 8, 12, 2, 25, 33, 6, 14, 3});
    const auto findings = analyse("token_sinks", model, idsInput(*model, ids), {{"dimensions", "3"}, {"phi", 0.001}});
    const Table& rows = table(findings);
    REQUIRE(rows.rows.size() > 2);
    std::size_t column = 0, dimension = 0, both = 0;
    for (std::size_t i = 0; i < rows.rows.size(); ++i) {
        const std::string by = word(rows.rows[i][3]);
        both += by == "dimension and column", column += by != "dimension", dimension += by != "column";
        if (i > 0) CHECK(number(rows.rows[i - 1][4]) >= number(rows.rows[i][4]));
    }
    CHECK(number(rows.rows[0][0]) == 0);
    REQUIRE(dimension > both);
    const std::string& note = named(findings, "table").note;
    CHECK(note.starts_with(std::to_string(column) + " by the column test"));
    CHECK(note.find(", " + std::to_string(dimension) + " by the dimension test") != std::string::npos);
    CHECK(note.find(", " + std::to_string(both) + " by both; the " + std::to_string(dimension - both) + " found by dimension alone") !=
          std::string::npos);
}

TEST_CASE("notes tell the share of the attention that edits removed") {
    const auto model = loadTinyLlama();
    const auto input = idsInput(*model, prompt);
    const auto note = [&](const std::string& id, const nlohmann::json& params, const EditPlan& edits, const char* name) {
        const std::vector<Finding> findings = analyse(id, model, input, params, edits);
        return named(findings, name).note;
    };
    const nlohmann::json one = {{"layers", "1"}};
    const auto scores = [&](const EditPlan& edits) {
        double sum = 0;
        const std::vector<Finding> findings = analyse("attention_from", model, input, one, edits);
        for (const float value : std::get<TokenScores>(named(findings, "scores").data).values)
            sum += std::isnan(value) ? 0 : static_cast<double>(value);
        return sum;
    };
    CHECK(scores({}) == doctest::Approx(1));
    // One of three heads.
    CHECK(scores(muted(*model)) == doctest::Approx(2.0 / 3));
    const std::string said = "edits removed 33.3 % of the attention: head 0 is muted and counts as 0";
    CHECK(note("attention_from", one, muted(*model), "scores").find(said) != std::string::npos);
    CHECK(note("attention_to", one, muted(*model), "scores").find(said) != std::string::npos);
    CHECK(note("attention_matrix", one, muted(*model), "matrix") == said);
    CHECK(note("segment_mass", one, muted(*model), "table") == said);
    CHECK(note("head_ranking", {{"layers", "1"}, {"targets", "0"}}, muted(*model), "table") == said);
    // Nothing is said of heads or layers that no edit touches, of plain weights, and without edits.
    for (const auto& [params, edits] : std::vector<std::pair<nlohmann::json, EditPlan>>{
             {{{"layers", "1"}, {"heads", "1-2"}}, muted(*model)},
             {{{"layers", "0"}}, muted(*model)},
             {{{"layers", "1"}, {"weights", "base"}}, muted(*model)},
             {{{"layers", "1"}}, {}}})
        CHECK(note("attention_from", params, edits, "scores").find("edits") == std::string::npos);
    // Over several layers a head is named with its own.
    const std::string both = note("attention_from", {{"layers", "0-1"}}, muted(*model), "scores");
    CHECK(both.find("edits removed 16.7 % of the attention: head 0 of layer 1 is muted") != std::string::npos);
    CHECK(note("rollout", {}, muted(*model), "scores") == "edits removed 11.1 % of the attention: head 0 of layer 1 is muted and counts as 0");
    // Rows that are divided by what is left lose nothing; others lose what went to the key.
    const auto knocked = [&](bool renormalise) {
        return compile("knock_out_keys", *model, *input, {{"tokens", "0"}, {"layers", "1"}, {"renormalise", renormalise}});
    };
    CHECK(note("attention_from", one, knocked(true), "scores").find("edits") == std::string::npos);
    const double left = scores(knocked(false));
    CHECK(left < 0.999);
    CHECK(note("attention_from", one, knocked(false), "scores").find("edits removed " + [&] {
              char text[16];
              std::snprintf(text, sizeof text, "%.1f %%", 100 * (1 - left));
              return std::string(text);
          }()) != std::string::npos);
    const EditPlan louder = compile("mute_heads", *model, *input, {{"layers", "1"}, {"heads", "0"}, {"gain", 2}});
    CHECK(note("attention_from", one, louder, "scores").find("edits added 33.3 % to the attention") != std::string::npos);
}

TEST_CASE("rollout down to the picture is the product of both rollouts") {
    const auto model = loadTinyLlava();
    const auto input = llavaInput(*model);
    const auto findings = analyse("pixel_rollout", model, input, {{"queries", "14"}});
    RunSpec spec;
    spec.capture.qkv = true;
    const auto trace = runModel(*model, *input, spec).trace;
    // The picture is read after two of the tower's three blocks.
    REQUIRE(trace->spec().stage("vision").readAfter == std::vector<int>{2});
    const auto through = [&](const char* stage, int blocks, std::vector<double> weights) {
        const std::vector<int> sites = trace->spec().sitesOfStage(stage);
        for (std::size_t i = sites.size(); i-- > 0;) {
            if (trace->spec().sites[static_cast<std::size_t>(sites[i])].block >= blocks) continue;
            std::vector<double> below(weights.size(), 0.0);
            rolloutStep(trace->fused(sites[i], HeadFusion::Mean), 0, weights, below);
            weights = below;
        }
        return weights;
    };
    std::vector<double> text(15, 0.0), vision(10, 0.0);
    text[14] = 1;
    text = through("text", 3, text);
    for (std::size_t i = 0; i < 9; ++i) vision[1 + i] = text[2 + i];
    vision = through("vision", 2, vision);
    const Grid& grid = std::get<Grid>(named(findings, "map").data);
    REQUIRE((grid.rows == 3 && grid.columns == 3));
    double placed = 0;
    for (int cell = 0; cell < 9; ++cell) {
        CHECK(static_cast<double>(grid.at(0, cell / 3, cell % 3)) == doctest::Approx(vision[static_cast<std::size_t>(1 + cell)]));
        placed += vision[static_cast<std::size_t>(1 + cell)];
    }
    double sum = 0;
    for (const auto& row : table(findings).rows) sum += number(row[1]);
    CHECK(sum == doctest::Approx(1));
    CHECK(number(table(findings).rows[3][1]) == doctest::Approx(placed));
    CHECK(placed > 0.01);
}
