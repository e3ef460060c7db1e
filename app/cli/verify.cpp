#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "command.h"
#include "fovea/error.h"
#include "fovea/open_model.h"
#include "fovea/reference_check.h"
#include "fovea/run.h"
#include "numeric_difference.h"
#include "session_outputs.h"
#include "usual_input.h"

namespace fovea::cli {
namespace {

using nlohmann::ordered_json;

struct Options {
    std::string model;
    InputOptions input;
};

struct Compared {
    std::string name;
    NumericDifference difference;
};

// What the fused route computed at one site, against plain float64 loops on its own Q, K, V and bias.
struct CheckedSite {
    std::string name;
    ReferenceCheck check;

    bool passed(double tolerance) const {
        return check.finite && check.probabilities <= tolerance && check.logSumExp <= tolerance &&
               check.output.value_or(0) <= tolerance;
    }
};

// Both runs of a model, and how far they are apart everywhere.
struct Verification {
    ModelSpec spec;
    std::string input;
    RunResult fused;
    std::vector<Compared> probabilities, hidden, outputs;
    std::vector<CheckedSite> sites;
    double tolerance = 0;

    NumericDifference worst() const {
        NumericDifference worst;
        for (const auto* list : {&probabilities, &hidden, &outputs})
            for (const Compared& entry : *list) worst.worsen(entry.difference);
        return worst;
    }
    bool sitesPassed() const {
        return std::all_of(sites.begin(), sites.end(),
                           [this](const CheckedSite& site) { return site.passed(tolerance); });
    }
    bool passed() const { return worst().finite && worst().relative() <= tolerance && sitesPassed(); }
};

// What rounding in the compute type can do over the depth of a network; an error of ours is orders of
// magnitude larger.
double toleranceOf(const std::string& dtype) {
    if (dtype == "bfloat16") return 0.1;
    if (dtype == "float16") return 0.02;
    return 1e-4;
}

void compare(const AttentionTrace& fused, const AttentionTrace& exact, const JobContext& job,
             Verification& out) {
    const std::vector<int>& sites = fused.sites();
    for (std::size_t i = 0; i < sites.size(); ++i) {
        job.progress(static_cast<double>(i) / static_cast<double>(sites.size()), "comparing");
        const AttentionSite& site = out.spec.sites[static_cast<std::size_t>(sites[i])];
        NumericDifference worst;
        for (int head = 0; head < site.heads; ++head) {
            const Slice slice{head, head + 1, 0, -1, 0, -1};
            worst.worsen(differenceOf(fused.probabilities(sites[i], slice),
                                      exact.probabilities(sites[i], slice), site.address()));
        }
        out.probabilities.push_back({site.address() + "/probs", worst});
    }
    for (const StageSpec& stage : out.spec.stages)
        for (int boundary = 0; boundary <= stage.layers; ++boundary)
            if (fused.hasHidden(stage.id, boundary)) {
                const std::string name = fmt::format("hidden/{}/{}", stage.id, boundary);
                out.hidden.push_back({name, differenceOf(fused.hidden(stage.id, boundary),
                                                         exact.hidden(stage.id, boundary), name)});
            }
    for (const std::string& name : fused.outputNames())
        out.outputs.push_back({"output/" + name, differenceOf(fused.output(name), exact.output(name), name)});
}

void checkSites(const JobContext& job, Verification& out) {
    const AttentionTrace& trace = *out.fused.trace;
    for (std::size_t i = 0; i < trace.sites().size(); ++i) {
        const double count = static_cast<double>(trace.sites().size()), done = static_cast<double>(i);
        const int site = trace.sites()[i];
        out.sites.push_back({out.spec.sites[static_cast<std::size_t>(site)].address(),
                             checkAgainstReference(trace, site, job.part(done / count, (done + 1) / count))});
    }
}

Verification verify(Toolbox& toolbox, const Options& options) {
    Session session = sessionFor(options.model, options.input, toolbox.options(), *toolbox.catalog());
    const JobContext job = toolbox.job();
    Engine& engine = toolbox.engine();
    const auto model = engine.model(session, job.part(0, 0.2));
    addUsualInput(session.input, model->spec());
    Verification out;
    const SessionInput& given = session.input;
    out.input = !given.images.empty() ? given.images.front()
                : !given.tensors.empty() ? given.tensors
                : !given.chat.empty() ? given.chat
                                      : "\"" + given.prompt + "\"";

    RunSpec spec;
    spec.capture.qkv = spec.capture.hidden = spec.capture.headOutput = true;
    spec.budget = engine.budget(session);
    spec.adapterStrengths = adapterStrengths(session.model);
    out.spec = model->spec();
    if (!out.spec.capabilities.forward)
        throw Error(options.model + ": expected a model that can be run, found a recorded trace",
                    "verify the model it was recorded from");
    out.tolerance = toleranceOf(out.spec.computeDtype);
    const auto input = engine.input(session, job.part(0.2, 0.3));
    spec.edits = engine.edits(session, 0, job.part(0.3, 0.35));
    out.fused = runModel(*model, *input, spec, job.part(0.35, 0.45));
    checkSites(job.part(0.45, 0.5), out);
    spec.capture.headOutput = false;

    LoadOptions exact;
    exact.device = out.spec.device;
    exact.dtype = "float64";
    exact.adapters = session.model.adapters;
    const auto reference = openModel(*toolbox.catalog(), options.model, exact, job.part(0.5, 0.6));
    UserInput user;
    if (!given.images.empty() && given.tensors.empty()) user.images = input->originals;
    user.tensors = session.input.tensors;
    user.prompt = given.prompt;
    user.promptForm = given.rawPrompt ? PromptForm::Raw : PromptForm::Template;
    user.chat = given.chat;
    spec.route = RouteChoice::Explicit;
    spec.budget *= 2;  // the same run in float64
    const RunResult explicitRun = runModel(*reference, *reference->encode(user), spec, job.part(0.6, 0.8));
    compare(*out.fused.trace, *explicitRun.trace, job.part(0.8, 1), out);
    return out;
}

ordered_json listJson(const std::vector<Compared>& list) {
    ordered_json out = ordered_json::array();
    for (const Compared& entry : list)
        out.push_back({{"name", entry.name},
                       {"absolute", entry.difference.absolute},
                       {"relative", entry.difference.relative()},
                       {"finite", entry.difference.finite}});
    return out;
}

ordered_json toJson(const Verification& v) {
    ordered_json top = ordered_json::array(), sites = ordered_json::array();
    for (const CheckedSite& site : v.sites) {
        ordered_json entry = {{"name", site.name},
                              {"probabilities", site.check.probabilities},
                              {"log_sum_exp", site.check.logSumExp},
                              {"finite", site.check.finite}};
        if (site.check.output) entry["output"] = *site.check.output;
        sites.push_back(std::move(entry));
    }
    for (const Prediction& p : predictions(*v.fused.trace, 5))
        top.push_back(
            {{"label", p.label}, {"class", p.index}, {"probability", p.probability}, {"logit", p.logit}});
    return {{"model", v.spec.source},
            {"family", v.spec.family},
            {"input", v.input},
            {"stored_dtype", v.spec.storedDtype},
            {"compute_dtype", v.spec.computeDtype},
            {"device", v.spec.device},
            {"weights", fovea::toJson(v.spec)["weights"]},
            {"routes", routesJson(v.fused)},
            {"reference", {{"dtype", "float64"}, {"route", "explicit"}}},
            {"float64_loops", std::move(sites)},
            {"probabilities", listJson(v.probabilities)},
            {"hidden", listJson(v.hidden)},
            {"outputs", listJson(v.outputs)},
            {"largest", {{"absolute", v.worst().absolute}, {"relative", v.worst().relative()}}},
            {"tolerance", v.tolerance},
            {"finite", v.worst().finite},
            {"top", std::move(top)},
            {"passed", v.passed()}};
}

std::string listText(const char* title, const std::vector<Compared>& list) {
    std::string text = fmt::format("{}\n", title);
    for (const Compared& entry : list)
        text += fmt::format("  {:<32} {:.3e} absolute, {:.3e} relative{}\n", entry.name,
                            entry.difference.absolute, entry.difference.relative(),
                            entry.difference.finite ? "" : "  NOT FINITE");
    return text;
}

std::string toText(const Verification& v) {
    const WeightReport& weights = v.spec.weights;
    std::string text = fmt::format(
        "{}\nfamily {}, {} -> {} on {}, input {}\nweights: {} loaded, {} missing, {} unexpected, "
        "{} misshaped, {} mistyped\n",
        v.spec.source, v.spec.family, v.spec.storedDtype, v.spec.computeDtype, v.spec.device, v.input,
        weights.loaded, weights.missing.size(), weights.unexpected.size(), weights.misshaped.size(),
        weights.mistyped.size());
    text += "routes\n";
    for (const RouteReport& route : v.fused.routes) {
        text += fmt::format("  {} ({} calls)\n", route.route, route.calls);
        for (const std::string& reason : route.declined) text += "    declined: " + reason + "\n";
    }
    text += "attention of the fused run against float64 loops on its own Q, K and V\n";
    for (const CheckedSite& site : v.sites)
        text +=
            fmt::format("  {:<32} probabilities {:.1e}, log-sum-exp {:.1e}{}{}\n", site.name,
                        site.check.probabilities, site.check.logSumExp,
                        site.check.output ? fmt::format(", output {:.1e} relative", *site.check.output) : "",
                        site.check.finite ? "" : "  NOT FINITE");
    text += listText("attention probabilities against float64", v.probabilities);
    text += listText("hidden states against float64", v.hidden);
    text += listText("outputs against float64", v.outputs);
    for (const Prediction& p : predictions(*v.fused.trace, 5))
        text += fmt::format("  {:5.1f} %  {} (class {}, logit {:.4f})\n", 100 * p.probability, p.label,
                            p.index, p.logit);
    return text + fmt::format("largest relative difference {:.3e}, tolerance {:.0e}: {}\n",
                              v.worst().relative(), v.tolerance, v.passed() ? "passed" : "FAILED");
}

int run(Toolbox& toolbox, const Options& options) {
    const Verification v = verify(toolbox, options);
    if (toolbox.options().json) {
        toolbox.printJson(toJson(v));
    } else {
        toolbox.print(toText(v));
    }
    if (v.passed()) return exitDone;
    toolbox.warn(!v.worst().finite ? "there are values that are not finite: the weights may be damaged"
                 : !v.sitesPassed()
                     ? "the fused attention is further from plain float64 loops on its own Q, K and V than "
                       "rounding explains"
                     : "the fused route is further from the float64 run than rounding explains");
    return static_cast<int>(ErrorCode::Internal);
}

}  // namespace

void addVerify(Flags& app, Command& command) {
    Flags sub = app.subcommand(
        "verify", "runs a model by the fused and by the explicit float64 route and compares");
    sub.footer(
        "Prints the weight report, the largest differences of attention probabilities, hidden states and "
        "outputs, the\n"
        "differences of each attention from plain float64 loops on the same Q, K and V, and the routes used. "
        "Without INPUT a drawn scene is taken. Exit code 1 when a relative difference is above "
        "1e-4\n"
        "(float32), 0.02 (float16) or 0.1 (bfloat16), or a value is not finite.");
    auto options = std::make_shared<Options>();
    sub.option("MODEL", options->model, "what to open").required();
    addInputOptions(sub, options->input);
    sub.whenChosen([&command, options] {
        command.action = [options](Toolbox& toolbox) { return run(toolbox, *options); };
    });
}

}  // namespace fovea::cli
