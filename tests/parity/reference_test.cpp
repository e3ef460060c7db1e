// Every family against transformers (or, for timm, an independent module) in float64.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <set>

#include "fovea/catalog.h"
#include "parity/errors.h"
#include "parity/fixtures.h"

using namespace fovea;
using namespace fovea::test;

namespace {

struct CaseErrors {
    Errors probs, hidden, outputs;
};

/// "image0/tile1/vision.3.self/probs" -> "image0/tile1/" and the rest.
std::pair<std::string, std::string> splitPrefix(const std::string& what) {
    std::size_t at = 0;
    for (const char* axis : {"image", "tile"})
        if (what.compare(at, std::strlen(axis), axis) == 0) at = what.find('/', at) + 1;
    return {what.substr(0, at), what.substr(at)};
}

/// The trace of the run, or of one of its parts.
const AttentionTrace& partNamed(const AttentionTrace& trace, const std::string& prefix) {
    if (prefix.empty()) return trace;
    for (const auto& part : trace.parts())
        if (part->prefix() == prefix) return *part;
    FAIL("no part is called ", prefix);
    return trace;
}

void compareItem(const Model& model, const ModelInput& input, int item,
                 const std::map<std::string, Reference>& reference, CaseErrors& errors) {
    const RunResult result = runModel(model, input, recordAll(item));
    const AttentionTrace& trace = *result.trace;
    std::set<std::string> outputs;
    std::set<std::string> compared;
    for (const auto& [name, wide] : reference) {
        if (!name.starts_with("f64/")) continue;
        const std::string whole = name.substr(4);
        const Reference f64 = wide.item(item);
        const Reference f32 = reference.at("f32/" + whole).item(item);
        const auto [prefix, what] = splitPrefix(whole);
        const AttentionTrace& part = partNamed(trace, prefix);
        if (what.starts_with("output/")) {
            outputs.insert(what.substr(7));
            errors.outputs.add(whole, part.output(what.substr(7)), f64, f32);
        } else if (what.starts_with("lens/")) {
            errors.outputs.add(whole, model.readOut(trace.hidden("text", std::stoi(what.substr(5)))), f64, f32);
        } else if (what.starts_with("hidden/")) {
            const auto slash = what.rfind('/');
            errors.hidden.add(
                whole, part.hidden(what.substr(7, slash - 7), std::stoi(what.substr(slash + 1))), f64, f32);
        } else {
            const std::string address = what.substr(0, what.find('/'));
            const int site = model.spec().siteIndex(address);
            REQUIRE_MESSAGE(site >= 0, address);
            errors.probs.add(whole, part.probabilities(site), f64, f32);
            compared.insert(prefix + address);
        }
    }
    // What the reference has no counterpart for would go unchecked.
    const auto names = trace.outputNames();
    CHECK(std::set<std::string>(names.begin(), names.end()) == outputs);
    const auto requireCompared = [&](const AttentionTrace& part) {
        for (const int site : part.sites())
            CHECK(compared.count(part.prefix() + model.spec().sites[static_cast<std::size_t>(site)].address()) == 1);
    };
    if (input.count() == 1) requireCompared(trace);
    for (const auto& part : trace.parts()) requireCompared(*part);
    if (input.count() > 1)
        for (const int site : trace.sites())
            CHECK(compared.count(model.spec().sites[static_cast<std::size_t>(site)].address()) == 1);
}

}  // namespace

TEST_CASE("attention, hidden states and outputs equal the reference") {
    std::set<std::string> families;
    fmt::print("{:<38} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7}\n",
               "error to float64 (relative to the largest)", "maps", "ref fp32", "hidden", "ref fp32",
               "outputs", "ref fp32", "worst");
    double worst = 0;
    for (const Case& c : cases()) {
        INFO(c.name);
        const auto model = open(c);
        CHECK(model->spec().family == c.family);
        CHECK(model->spec().weights.missing.empty());
        const std::size_t unused =
            c.name == "vit-bare-prefixed" ? 2 : 0;  // a bare model beside a classifier's weights
        CHECK(model->spec().weights.unexpected.size() == unused);
        families.insert(model->spec().family);
        const auto input = inputsOf(c, *model);
        const auto reference = readReference(c.reference);
        CaseErrors errors;
        for (int item = 0; item < input->count(); ++item)
            compareItem(*model, *input, item, reference, errors);
        for (const auto& [kind, of] : {std::pair{"attention", &errors.probs},
                                       {"hidden", &errors.hidden},
                                       {"outputs", &errors.outputs}}) {
            CHECK(of->compared > 0);
            CHECK_MESSAGE(of->ours <= of->allowed(),
                          kind << ": error " << of->ours << ", allowed " << of->allowed());
        }
        const auto relative = [](double error, const Errors& of) { return error / of.largest; };
        const double share = std::max({errors.probs.share(), errors.hidden.share(), errors.outputs.share()});
        worst = std::max(worst, share);
        fmt::print("{:<38} {:>9.1e} {:>9.1e} {:>9.1e} {:>9.1e} {:>9.1e} {:>9.1e} {:>6.0f}%\n", c.name,
                   relative(errors.probs.ours, errors.probs), relative(errors.probs.theirs, errors.probs),
                   relative(errors.hidden.ours, errors.hidden), relative(errors.hidden.theirs, errors.hidden),
                   relative(errors.outputs.ours, errors.outputs),
                   relative(errors.outputs.theirs, errors.outputs), 100 * share);
    }
    fmt::print("{} cases, worst {:.0f} % of what is allowed\n", cases().size(), 100 * worst);
    std::fflush(stdout);

    const Catalog catalog = makeCatalog();
    for (const ModelEntry& entry : catalog.models.all())
        if (entry.info.id != "replay")
            CHECK_MESSAGE(families.count(entry.info.id) == 1, entry.info.id << " has no parity case");
}

TEST_CASE("a float64 run is closer to the reference than single precision can be") {
    for (const char* name :
         {"vit-class-0", "deit-teacher-0", "clip-vision-0", "siglip-vision-0", "beit-class-0"}) {
        INFO(name);
        const Case& c = caseNamed(name);
        const auto model = open(c, "float64");
        CHECK(model->spec().computeDtype == "float64");
        CHECK(model->spec().storedDtype == "float32");
        const RunResult result = runModel(*model, *inputsOf(c, *model), recordAll());
        const auto reference = readReference(c.reference);
        for (const std::string& output : result.trace->outputNames()) {
            const Reference expected = reference.at("f64/output/" + output).item(0);
            const Array found = result.trace->output(output);
            for (std::size_t i = 0; i < expected.values.size(); ++i)
                CHECK(std::abs(static_cast<double>(found.values[i]) - expected.values[i]) <=
                      1.2e-7 * expected.largest());
        }
    }
}

TEST_CASE("half precision stays within 3 % of the largest value") {
    for (const auto& [name, dtype] : {std::pair{"vit-stored-bfloat16", "bfloat16"},
                                      {"vit-class-0", "bfloat16"},
                                      {"vit-stored-float16", "float16"},
                                      {"beit-both-absolute-cls", "bfloat16"},
                                      {"dinov3_vit-0", "bfloat16"},
                                      {"siglip2-vision-padded", "bfloat16"}}) {
        INFO(name);
        const Case& c = caseNamed(name);
        const auto model = open(c, dtype);
        CHECK(model->spec().computeDtype == dtype);
        const RunResult result = runModel(*model, *inputsOf(c, *model), recordAll());
        const auto reference = readReference(c.reference);
        for (const std::string& output : result.trace->outputNames()) {
            const Reference expected = reference.at("f64/output/" + output).item(0);
            const Array found = result.trace->output(output);
            double most = 0;
            for (std::size_t i = 0; i < expected.values.size(); ++i)
                most = std::max(most, std::abs(static_cast<double>(found.values[i]) - expected.values[i]));
            CHECK_MESSAGE(most <= 3e-2 * expected.largest(), output << ": " << most / expected.largest());
        }
    }
}
