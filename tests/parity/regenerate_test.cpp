// Answers that go on from earlier ones with other edits: from the right token on, with the bits of a full run.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "fovea/generate.h"
#include "parity/fixtures.h"

using namespace fovea;
using namespace fovea::test;

namespace {

const char* const kModels[] = {"llama-gqa-2", "llama-yarn", "mistral-window", "gemma2-0", "gpt2-0", "llava-one-gqa-2",
                               "qwen2_5_vl-two", "qwen3_vl-one", "paligemma-prefix", "blip", "blip-question", "mllama-one"};

struct Asked {
    std::shared_ptr<const Model> model;
    std::shared_ptr<const ModelInput> input;

    explicit Asked(const char* name) : Asked(caseNamed(name)) {}
    explicit Asked(const Case& c) : model(open(c)), input(inputsOf(c, *model)) {}
    int prompt() const { return input->maps[0].stage("text").size(); }
    Generation answer(const GenerateSpec& spec) const { return generate(*model, *input, spec); }
    /// The first site of a block.
    int siteOf(const std::string& stage, int block) const {
        const auto& sites = model->spec().sites;
        const auto found = std::find_if(sites.begin(), sites.end(), [&](const AttentionSite& site) {
            return site.stage == stage && site.block == block;
        });
        return static_cast<int>(found - sites.begin());
    }
};

GenerateSpec recordAnswer(int tokens) {
    GenerateSpec spec;
    spec.maxNewTokens = tokens;
    spec.capture = recordAll().capture;
    spec.capture.allLogits = spec.capture.attentionOutput = spec.capture.headOutput = true;
    spec.keepState = true;
    return spec;
}

GroupFactor factorOf(std::vector<int> queries, std::vector<int> keys) {
    GroupFactor factor;
    factor.queries = std::move(queries);
    factor.keys = std::move(keys);
    factor.factor = 0.1;
    factor.rowSum = RowSum::Renormalise;
    return factor;
}

/// The same factor at every site of a stage.
EditPlan everywhere(const Model& model, const GroupFactor& factor, const std::string& stage = "text") {
    EditPlan plan;
    for (std::size_t site = 0; site < model.spec().sites.size(); ++site)
        if (model.spec().sites[site].stage == stage) plan.at(static_cast<int>(site)).factors = {factor};
    return plan;
}

/// The same factor at the sites of some blocks of the text.
EditPlan inBlocks(const Model& model, const GroupFactor& factor, const std::vector<int>& blocks) {
    EditPlan plan;
    for (std::size_t site = 0; site < model.spec().sites.size(); ++site) {
        const AttentionSite& where = model.spec().sites[site];
        if (where.stage == "text" && std::find(blocks.begin(), blocks.end(), where.block) != blocks.end())
            plan.at(static_cast<int>(site)).factors = {factor};
    }
    return plan;
}

std::vector<int> range(int begin, int end) {
    std::vector<int> out;
    for (int i = begin; i < end; ++i) out.push_back(i);
    return out;
}

void checkSame(const AttentionTrace& a, const AttentionTrace& b) {
    REQUIRE(a.sites() == b.sites());
    CHECK(a.prefix() == b.prefix());
    for (const int site : a.sites()) {
        INFO(a.spec().sites[static_cast<std::size_t>(site)].address());
        CHECK(a.query(site) == b.query(site));
        CHECK(a.key(site) == b.key(site));
        CHECK(a.value(site) == b.value(site));
        CHECK(a.logSumExp(site) == b.logSumExp(site));
        CHECK(a.probabilities(site) == b.probabilities(site));
        CHECK(a.attentionOutput(site) == b.attentionOutput(site));
        CHECK(a.headOutput(site) == b.headOutput(site));
        CHECK(a.queryTokens(site) == b.queryTokens(site));
        CHECK(a.keyTokens(site) == b.keyTokens(site));
    }
    for (const StageSpec& stage : a.spec().stages)
        for (int i = 0; i <= stage.layers; ++i) {
            REQUIRE(a.hasHidden(stage.id, i) == b.hasHidden(stage.id, i));
            if (a.hasHidden(stage.id, i)) CHECK(a.hidden(stage.id, i) == b.hidden(stage.id, i));
        }
    REQUIRE(a.tapNames() == b.tapNames());
    for (const std::string& name : a.tapNames()) CHECK(a.tap(name) == b.tap(name));
    REQUIRE(a.outputNames() == b.outputNames());
    for (const std::string& name : a.outputNames()) CHECK(a.output(name) == b.output(name));
    REQUIRE(a.parts().size() == b.parts().size());
    for (std::size_t i = 0; i < a.parts().size(); ++i) checkSame(*a.parts()[i], *b.parts()[i]);
}

void checkSame(const Generation& a, const Generation& b) {
    CHECK(a.ids == b.ids);
    CHECK(a.stop == b.stop);
    CHECK(a.notices == b.notices);
    REQUIRE(a.steps.size() == b.steps.size());
    for (std::size_t i = 0; i < a.steps.size(); ++i) {
        CHECK(a.steps[i].logProbability == b.steps[i].logProbability);
        REQUIRE(a.steps[i].candidates.size() == b.steps[i].candidates.size());
        for (std::size_t c = 0; c < a.steps[i].candidates.size(); ++c) {
            CHECK(a.steps[i].candidates[c].id == b.steps[i].candidates[c].id);
            CHECK(a.steps[i].candidates[c].logProbability == b.steps[i].candidates[c].logProbability);
        }
    }
    const auto count = a.trace->tokens().stage("text").size();
    CHECK(count == b.trace->tokens().stage("text").size());
    checkSame(*a.trace, *b.trace);
}

/// Checks that `spec` goes on from `earlier` at token `at` and gives what a full run gives; returns it.
Generation checkResumed(const Asked& asked, GenerateSpec spec, const Generation& earlier, int at) {
    const Generation full = asked.answer(spec);
    CHECK(full.resumedAt == -1);
    spec.resume = earlier.state;
    REQUIRE(spec.resume);
    CHECK(resumesAt(*asked.model, *asked.input, spec).token == at);
    Generation resumed = asked.answer(spec);
    CHECK(resumed.resumedAt == at);
    checkSame(full, resumed);
    return resumed;
}

}  // namespace

TEST_CASE("an edit from a token of the answer on runs the model again from there, bit for bit") {
    for (const char* name : kModels) {
        INFO(std::string(name));
        const Asked asked(name);
        GenerateSpec plain = recordAnswer(8);
        for (const RecordedRows rows : {RecordedRows::Answer, RecordedRows::All}) {
            plain.rows = rows;
            const Generation first = asked.answer(plain), untouched = asked.answer(plain);
            REQUIRE(first.ids.size() == 8);
            for (const int k : {0, 3, 7}) {
                INFO(k);
                GenerateSpec spec = plain;
                spec.edits = everywhere(*asked.model, factorOf(range(asked.prompt() + k, asked.prompt() + 8), {0, 2, 5}));
                const Generation edited = checkResumed(asked, spec, first, k);
                CHECK(edited.trace->hidden("text", 2) != first.trace->hidden("text", 2));
                CHECK((edited.trace->output("logits") != first.trace->output("logits")) == (k < 7));
                checkSame(first, untouched);
                // And back, twice from one state.
                checkResumed(asked, plain, edited, k);
                checkResumed(asked, plain, edited, k);
            }
        }
    }
}

TEST_CASE("an edit of what is read of an answer's token begins with that token") {
    const Asked asked("llama-gqa-2");
    const GenerateSpec plain = recordAnswer(8);
    const Generation first = asked.answer(plain);
    GenerateSpec spec = plain;
    spec.edits = everywhere(*asked.model, factorOf({}, {asked.prompt() + 4}));
    const Generation from4 = checkResumed(asked, spec, first, 4);
    // Two plans that first differ later: the later place counts.
    spec.edits = everywhere(*asked.model, factorOf({}, {asked.prompt() + 4, asked.prompt() + 6}));
    checkResumed(asked, spec, from4, 6);
    // Listed rows are all rows of a pass with one query.
    spec.edits = everywhere(*asked.model, factorOf(range(0, asked.prompt() + 6), {asked.prompt() + 4}));
    checkResumed(asked, spec, from4, 6);
}

TEST_CASE("an edit that acts in the prompt runs it again, but not what is seen of pictures") {
    for (const char* name : kModels) {
        INFO(std::string(name));
        const Asked asked(name);
        const GenerateSpec plain = recordAnswer(5);
        const Generation first = asked.answer(plain);
        GenerateSpec spec = plain;
        spec.edits = everywhere(*asked.model, factorOf({}, {0, 2}));
        const Generation edited = checkResumed(asked, spec, first, -1);
        const bool vlm = asked.model->spec().stages.size() > 1;
        CHECK(edited.keptPictures == vlm);
        checkResumed(asked, plain, edited, -1);
        if (!vlm) continue;
        spec.edits = everywhere(*asked.model, factorOf({}, {0}), "vision");
        CHECK_FALSE(checkResumed(asked, spec, first, -1).keptPictures);
        spec.edits = {};
        spec.capture.taps = {"*"};
        const Generation tapped = asked.answer(spec);
        spec.edits = everywhere(*asked.model, factorOf({}, {0, 2}));
        CHECK_FALSE(checkResumed(asked, spec, tapped, -1).keptPictures);
        spec.edits = everywhere(*asked.model, factorOf({asked.prompt() + 2}, {0, 2}));
        checkResumed(asked, spec, tapped, 2);
    }
}

TEST_CASE("an edit that acts in the prompt from a block on runs the blocks from there on, bit for bit") {
    for (const char* name : kModels) {
        INFO(std::string(name));
        const Asked asked(name);
        const int layers = asked.model->spec().stage("text").layers;
        GenerateSpec plain = recordAnswer(3);
        plain.rows = asked.model->spec().stages.size() % 2 == 0 ? RecordedRows::All : RecordedRows::Answer;
        const GroupFactor factor = factorOf({}, {0, 2, asked.prompt() - 1});
        const Generation first = asked.answer(plain), untouched = asked.answer(plain);
        const int all = first.blocksRun, tower = all - layers * (1 + static_cast<int>(first.ids.size()));
        for (const int block : {0, layers / 2, layers - 1}) {
            INFO(block);
            GenerateSpec spec = plain;
            spec.edits = inBlocks(*asked.model, factor, {block});
            const Generation edited = checkResumed(asked, spec, first, -1);
            CHECK(edited.trace->output("logits") != first.trace->output("logits"));
            CHECK(edited.blocksRun == all - tower - block);
            // Moved, from the state of an answer that was itself resumed.
            const int moved = block == 0 ? layers - 1 : block - 1;
            spec.edits = inBlocks(*asked.model, factor, {moved});
            CHECK(checkResumed(asked, spec, edited, -1).blocksRun == all - tower - std::min(block, moved));
        }
        checkSame(first, untouched);
    }
}

TEST_CASE("where a prompt is resumed does not depend on what acts on words of the answer") {
    for (const char* name : {"llama-gqa-2", "llava-one-gqa-2", "llava-two", "mllama-two"}) {
        INFO(std::string(name));
        const Asked asked(name);
        const int layers = asked.model->spec().stage("text").layers;
        const GenerateSpec plain = recordAnswer(4);
        const Generation first = asked.answer(plain);
        const int all = first.blocksRun, tower = all - layers * (1 + static_cast<int>(first.ids.size()));
        GenerateSpec spec = plain;
        spec.edits = inBlocks(*asked.model, factorOf({}, {0, 2}), {layers - 1});
        spec.edits.at(asked.siteOf("text", 0)).factors = {factorOf({asked.prompt() + 1}, {0})};
        const Generation edited = checkResumed(asked, spec, first, -1);
        CHECK(edited.blocksRun == all - tower - (layers - 1));
        CHECK(edited.keptPictures == (tower > 0));
        // An answer that went on at a token hands on where its prompt can be resumed.
        spec.edits = inBlocks(*asked.model, factorOf({asked.prompt() + 1}, {0}), {0});
        const Generation later = checkResumed(asked, spec, first, 1);
        spec.edits = inBlocks(*asked.model, factorOf({}, {0, 2}), {layers - 1});
        CHECK(checkResumed(asked, spec, later, -1).blocksRun == all - tower - (layers - 1));
    }
}

TEST_CASE("an edit in a tower's block runs the tower from there on where it can, and the text from its beginning") {
    for (const char* name : {"llava-one-gqa-2", "qwen2_5_vl-one", "blip", "blip-question", "mllama-two", "llava-two"}) {
        INFO(std::string(name));
        const Asked asked(name);
        const GenerateSpec plain = recordAnswer(3);
        const Generation first = asked.answer(plain);
        for (const StageSpec& stage : asked.model->spec().stages) {
            if (stage.id == "text") continue;
            INFO(stage.id);
            GenerateSpec spec = plain;
            const int last = stage.layers - (stage.readAfter.empty() ? 1 : 2);
            spec.edits.at(asked.siteOf(stage.id, last)).factors = {factorOf({}, {0})};
            const Generation edited = checkResumed(asked, spec, first, -1);
            CHECK(edited.trace->output("logits") != first.trace->output("logits"));
            // A question is read with a picture that nothing acts on.
            CHECK(edited.keptPictures == (stage.id != "vision"));
            if (stage.id != "vision") CHECK(edited.blocksRun == first.blocksRun - asked.model->spec().stage("vision").layers - last);
            const bool resumes = std::string(name) == "qwen2_5_vl-one" || std::string(name).starts_with("blip");
            if (stage.id == "vision") CHECK(edited.blocksRun == first.blocksRun - (resumes ? last : 0));
            checkResumed(asked, plain, edited, -1);
        }
    }
}

TEST_CASE("where little memory is left fewer blocks of a prompt can be begun at, and every answer is the same") {
    const Asked asked("llama-gqa-2");
    const int layers = asked.model->spec().stage("text").layers;
    GenerateSpec plain = recordAnswer(4);
    const Generation first = asked.answer(plain);
    GenerateSpec spec = plain;
    spec.edits = inBlocks(*asked.model, factorOf({}, {0, 2}), {layers - 1});
    const int all = first.blocksRun;
    int most = 0, least = layers;
    for (std::uint64_t budget = first.estimate.run(); budget < 4 * first.estimate.run(); budget += budget / 16) {
        plain.budget = spec.budget = budget;
        const Generation before = asked.answer(plain);
        checkSame(before, first);
        if (!before.state) continue;
        const Generation resumed = checkResumed(asked, spec, before, -1);
        const int left = all - resumed.blocksRun;
        CHECK(resumed.blocksResumed == left);
        most = std::max(most, left), least = std::min(least, left);
    }
    CHECK(least == 0);
    CHECK(most == layers - 1);
}

TEST_CASE("pruned prompts, forced words, draws and penalties go on as they were") {
    const Asked asked("llama-gqa-2");
    GenerateSpec plain = recordAnswer(9);
    plain.sampling = {1.3, 20, 0.95, 1.2, 5};
    plain.forced = {3, 7};
    plain.edits.prunes = {{"text", 1, {2, 5, 6}}};
    const Generation first = asked.answer(plain);
    GenerateSpec spec = plain;
    for (const SiteEdit& edit : everywhere(*asked.model, factorOf(range(asked.prompt() + 4, 40), {0, 3})).sites)
        spec.edits.sites.push_back(edit);
    checkResumed(asked, spec, first, 4);
    spec.edits.prunes.clear();
    CHECK(checkResumed(asked, spec, first, -1).blocksResumed == 1);
    // And later in the pruned text.
    spec.edits = inBlocks(*asked.model, factorOf({}, {0, 3}), {2});
    spec.edits.prunes = plain.edits.prunes;
    CHECK(checkResumed(asked, spec, first, -1).blocksResumed == 2);
    spec.edits.prunes.push_back({"text", 2, {7}});
    CHECK(checkResumed(asked, spec, first, -1).blocksResumed == 2);
}

TEST_CASE("answers by a model's own rules go on as they were") {
    GenerateSpec plain = recordAnswer(9);
    const std::vector<int> free = Asked("llama-gqa-2").answer(plain).ids;
    const int last = free[1] == 5 ? 6 : 5;
    Case c = caseNamed("llama-gqa-2");
    c.model = copyOf(c, "ruled-answers");
    const nlohmann::json rules = {{"repetition_penalty", 1.6},
                                  {"no_repeat_ngram_size", 2},
                                  {"suppress_tokens", nlohmann::json::array({free[1]})},
                                  {"begin_suppress_tokens", nlohmann::json::array({free[0]})},
                                  {"forced_eos_token_id", last}};
    std::ofstream(c.model / "generation_config.json") << rules;
    const Asked asked(c);
    const Generation first = asked.answer(plain);
    CHECK(first.ids.front() != free.front());
    CHECK(first.ids.size() == 9);
    CHECK(first.ids.back() == last);
    GenerateSpec spec = plain;
    spec.edits = everywhere(*asked.model, factorOf(range(asked.prompt() + 4, 40), {0, 3}));
    checkResumed(asked, spec, first, 4);
    spec.edits = inBlocks(*asked.model, factorOf({}, {0, 3}), {2});
    CHECK(checkResumed(asked, spec, first, -1).blocksResumed == 2);
    // A penalty of the spec takes the place of the model's.
    spec = plain;
    spec.sampling.repetitionPenalty = 1;
    const std::vector<int> unpenalised = asked.answer(spec).ids;
    spec.sampling.repetitionPenalty = 1.6;
    CHECK(asked.answer(spec).ids == first.ids);
    CHECK(unpenalised.front() != free.front());
    checkResumed(asked, spec, first, -1);
}

TEST_CASE("nothing but edits may differ from the answer that another goes on from") {
    const Asked asked("llama-gqa-2");
    const GenerateSpec plain = recordAnswer(6);
    const Generation first = asked.answer(plain);
    checkResumed(asked, plain, first, 5);
    GenerateSpec other = plain;
    other.maxNewTokens = 7;
    checkResumed(asked, other, first, -1);
    other = plain;
    other.sampling.temperature = 1;
    checkResumed(asked, other, first, -1);
    other = plain;
    other.rows = RecordedRows::All;
    checkResumed(asked, other, first, -1);
    other = plain;
    other.route = RouteChoice::Explicit;
    checkResumed(asked, other, first, -1);
    const Asked another("llama-yarn");
    checkResumed(another, plain, first, -1);
}

TEST_CASE("without a recording an answer goes on, too") {
    const Asked asked("qwen2_5_vl-two");
    GenerateSpec plain;
    plain.maxNewTokens = 6;
    plain.keepState = true;
    const Generation first = asked.answer(plain);
    checkSame(first, asked.answer(plain));
    GenerateSpec spec = plain;
    spec.edits = everywhere(*asked.model, factorOf({asked.prompt() + 3}, {0, 2, 5}));
    checkResumed(asked, spec, first, 3);
    spec.edits = everywhere(*asked.model, factorOf({asked.prompt() + 30}, {0}));  // beyond the answer
    checkResumed(asked, spec, first, 5);
}

TEST_CASE("what an answer leaves behind must fit twice, and a stopped one leaves nothing") {
    const Asked asked("llama-gqa-2");
    GenerateSpec plain = recordAnswer(6);
    const Generation first = asked.answer(plain);
    plain.budget = first.estimate.run();
    CHECK_FALSE(asked.answer(plain).state);
    plain.budget = 2 * first.estimate.run();
    CHECK(asked.answer(plain).state);
    plain.resume = first.state;
    plain.budget = first.estimate.run();
    CHECK(asked.answer(plain).resumedAt == -1);

    std::stop_source source;
    int seen = 0;
    plain.budget = 0;
    const Generation cut = generate(
        *asked.model, *asked.input, plain,
        [&](const GeneratedToken&) {
            if (++seen == 3) source.request_stop();
        },
        JobContext(source.get_token()));
    CHECK(cut.stop == StopReason::Cancelled);
    CHECK(cut.ids == std::vector<int>(first.ids.begin(), first.ids.begin() + 3));
    CHECK(cut.trace->queries(0) == 3);
    CHECK(cut.trace->output("logits").size(0) == 3);
    CHECK_FALSE(cut.state);
}
