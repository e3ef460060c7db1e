#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "batch_record.h"
#include "command.h"
#include "fovea/error.h"
#include "io/atomic_file.h"
#include "session/lessons.h"

namespace fovea::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

struct Options {
    std::string session, output = "out", images, manifest, shard = "1/1";
    bool resume = false;
};

// The session file with what the command line says on top.
Session sessionOf(Toolbox& toolbox, const Options& options) {
    std::vector<std::string> notices;
    Session session = openDocument(documentFile(options.session), &notices);
    for (const std::string& notice : notices) toolbox.warn(notice);
    const CommonOptions& common = toolbox.options();
    if (common.device != "auto") session.model.device = common.device;
    if (common.dtype != "auto") session.model.dtype = common.dtype;
    if (!common.adapters.empty()) session.model.adapters = adaptersOf(common);
    if (!common.budget.empty()) parseBytes(session.budget = common.budget);
    for (const std::string& edit : common.edits)
        session.edits.push_back(parseEdit(edit, toolbox.catalog()->interventions));
    checkOutputs(toolbox, session);
    return session;
}

int report(Toolbox& toolbox, const std::vector<fs::path>& files) {
    ordered_json names = ordered_json::array();
    for (const fs::path& file : files) names.push_back(file.generic_string());
    if (toolbox.options().json) {
        toolbox.printJson({{"files", std::move(names)}});
    } else {
        for (const fs::path& file : files) toolbox.print(file.generic_string() + "\n");
    }
    return exitDone;
}

// What became of a batch.
struct Tally {
    int done = 0, skipped = 0;
    std::vector<std::pair<std::string, Error>> failed;
};

bool finished(const BatchItem& item, const fs::path& folder) {
    const std::optional<BatchRecord> record = readRecord(folder / item.name);
    return record && record->key == resumeKey(item.session) && intact(folder / item.name, *record);
}

// Files of an earlier run of the item that this one did not write again: beside its own they would look like its results.
void removeStale(const fs::path& folder, const BatchRecord& before, const BatchRecord& now) {
    for (const WrittenFile& old : before.files) {
        const fs::path file = fs::path(old.name).lexically_normal();
        const bool inside = file.is_relative() && !file.empty() && file.begin()->string() != "..";
        const bool again = std::any_of(now.files.begin(), now.files.end(),
                                       [&](const WrittenFile& kept) { return kept.name == old.name; });
        if (!inside || again) continue;
        std::error_code ignored;
        if (fs::is_regular_file(fs::symlink_status(folder / file, ignored))) fs::remove(folder / file, ignored);
    }
}

void computeItem(Toolbox& toolbox, const BatchItem& item, const fs::path& folder, const JobContext& job) {
    std::error_code ignored;
    const std::optional<BatchRecord> before = readRecord(folder / item.name);
    fs::remove(folder / item.name / "item.json", ignored);  // not finished until everything is written again
    const auto files = writeOutputs(toolbox, item.session, {folder / item.name, {}}, job.part(0, 0.95));
    BatchRecord record = measured(toolbox, item, job.part(0.95, 1));
    for (const fs::path& file : files)
        record.files.push_back(
            writtenFile(folder / item.name, file.lexically_relative(folder / item.name).generic_string()));
    if (before) removeStale(folder / item.name, *before, record);
    writeRecord(folder / item.name, record);
}

Tally computeAll(Toolbox& toolbox, const std::vector<BatchItem>& items, const Options& options) {
    const Shard shard = Shard::parse(options.shard);
    const JobContext job = toolbox.job();
    Tally tally;
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (!shard.holds(i)) continue;
        if (options.resume && finished(items[i], options.output)) {
            ++tally.skipped;
            continue;
        }
        const auto count = static_cast<double>(items.size());
        try {
            computeItem(toolbox, items[i], options.output,
                        job.part(static_cast<double>(i) / count, static_cast<double>(i + 1) / count));
            ++tally.done;
        } catch (const Error& error) {
            // One bad picture must not cost the other 499; a wrong session would fail everywhere.
            if (error.code() != ErrorCode::Input && error.code() != ErrorCode::Memory) throw;
            toolbox.warn(items[i].name + ": " + error.what());
            tally.failed.emplace_back(items[i].name, error);
        }
    }
    return tally;
}

int runBatch(Toolbox& toolbox, const Session& session, const Options& options) {
    const std::vector<BatchItem> items = options.images.empty() ? batchOfManifest(session, options.manifest)
                                                                : batchOfFolder(session, options.images);
    const Tally tally = computeAll(toolbox, items, options);
    const fs::path table = fs::path(options.output) / "metrics.csv";
    fs::create_directories(options.output);
    const BatchTable metrics = metricsTable(items, options.output);
    writeFileAtomically(table, metrics.csv);
    if (!metrics.foreign.empty())
        toolbox.warn(fmt::format("{} of {} items in {} hold results of another session, input or version, such as {}: "
                                 "metrics.csv leaves them out; run them again, or use another folder",
                                 metrics.foreign.size(), items.size(), options.output, metrics.foreign.front()));
    if (toolbox.options().json && tally.failed.empty())
        toolbox.printJson(
            {{"metrics", table.generic_string()}, {"done", tally.done}, {"skipped", tally.skipped}});
    toolbox.note(fmt::format("{} done, {} were there already, {} failed; {}", tally.done, tally.skipped,
                             tally.failed.size(), table.string()));
    if (tally.failed.empty()) return exitDone;
    const Error& first = tally.failed.front().second;
    throw Error(fmt::format("{} of {} items failed; the first was {}: {}", tally.failed.size(),
                            tally.done + tally.skipped + static_cast<int>(tally.failed.size()),
                            tally.failed.front().first, first.what()),
                "the other items are complete; correct these and run again with --resume", first.code());
}

int run(Toolbox& toolbox, const Options& options) {
    const bool batch = !options.images.empty() || !options.manifest.empty();
    if (!options.images.empty() && !options.manifest.empty())
        throw Error("--images and --manifest: expected one of them, found both",
                    "Give a folder with --images, or a CSV file with --manifest.", ErrorCode::Usage);
    if (!batch && (options.resume || options.shard != "1/1"))
        throw Error("--resume and --shard: expected --images or --manifest beside them, found neither",
                    "they are about batches", ErrorCode::Usage);
    Shard::parse(options.shard);
    const Session session = sessionOf(toolbox, options);
    if (batch) return runBatch(toolbox, session, options);
    return report(toolbox, writeOutputs(toolbox, session, {options.output, {}}, toolbox.job()));
}

}  // namespace

void addRun(Flags& app, Command& command) {
    Flags sub = app.subcommand("run", "computes and draws everything that a session file, or a picture with its recipe, says");
    sub.footer(
        "Pictures and, as JSON, the numbers of every analysis go to DIR. Over a folder or a manifest (CSV "
        "with a column\n"
        "image, and name and seed if wanted) every picture has a folder of its own, and metrics.csv one row "
        "for each.\n"
        "A linked scale spans the pictures of one input, not the batch: use a fixed scale to compare across "
        "it.\n"
        "--shard I/N computes every N-th item from the I-th on (I from 1); --resume skips what is complete "
        "and unchanged.");
    auto options = std::make_shared<Options>();
    sub.option("SESSION", options->session, "session file, picture that Fovea wrote, or lesson (fovea-cli list lessons)").typeName("SESSION.fovea.json").required();
    sub.option("-o,--output", options->output, "folder to write to (out)").typeName("DIR");
    sub.option("--images", options->images, "compute the session for every picture of a folder")
        .typeName("DIR");
    sub.option("--manifest", options->manifest, "compute the session for every row of a CSV file")
        .typeName("FILE.csv");
    sub.option("--shard", options->shard, "only part I of N").typeName("I/N");
    sub.flag("--resume", options->resume, "skip items that are complete");
    sub.whenChosen([&command, options] {
        command.action = [options](Toolbox& toolbox) { return run(toolbox, *options); };
    });
}

}  // namespace fovea::cli
