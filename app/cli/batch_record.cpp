#include "batch_record.h"

#include <algorithm>
#include <cmath>

#include "finding_metrics.h"
#include "fovea/error.h"
#include "io/atomic_file.h"
#include "io/csv.h"
#include "io/file_identity.h"
#include "io/json_file.h"
#include "session/conversation.h"

namespace fovea::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* kRecordName = "item.json";
constexpr std::size_t kFirstMetric = 5;  // columns before it: name, input, prediction, class, probability

// Records of earlier versions hold names alone: such a file counts as not intact.
WrittenFile fileOf(const nlohmann::json& json) {
    if (json.is_string()) return {json.get<std::string>(), 0, {}};
    return {json.at("name").get<std::string>(), json.at("size").get<std::uint64_t>(),
            json.at("sha256").get<std::string>()};
}

}  // namespace

std::optional<BatchRecord> readRecord(const fs::path& folder) {
    std::error_code error;
    if (!fs::is_regular_file(folder / kRecordName, error)) return {};
    try {
        const nlohmann::json json = readJsonFile(folder / kRecordName);
        BatchRecord record;
        record.key = json.at("key").get<std::string>();
        record.input = json.at("input").get<std::string>();
        record.prediction.label = json.at("prediction").get<std::string>();
        const nlohmann::json& index = json.at("class");
        record.prediction.index = index.is_null() ? -1 : index.get<int>();
        const nlohmann::json& probability = json.at("probability");
        record.prediction.probability = probability.is_null() ? std::nan("") : probability.get<double>();
        record.prompt = json.at("prompt").get<std::string>();
        if (const nlohmann::json& answer = json.at("answer"); !answer.is_null())
            record.answer = AnswerText{answer.at("text").get<std::string>(), answer.at("ids").get<std::vector<int>>(),
                                       answer.at("tokens").get<std::vector<std::string>>()};
        for (const auto& file : json.at("files")) record.files.push_back(fileOf(file));
        for (const auto& metric : json.at("metrics"))
            record.metrics.emplace_back(metric.at(0).get<std::string>(), metric.at(1).get<double>());
        return record;
    } catch (const std::exception&) {
        return {};  // damaged: as if the item had never been finished
    }
}

void writeRecord(const fs::path& folder, const BatchRecord& record) {
    ordered_json metrics = ordered_json::array();
    for (const auto& [name, value] : record.metrics) metrics.push_back(ordered_json::array({name, value}));
    ordered_json files = ordered_json::array();
    for (const WrittenFile& file : record.files)
        files.push_back({{"name", file.name}, {"size", file.size}, {"sha256", file.sha256}});
    const bool classified = record.prediction.index >= 0;
    const ordered_json json = {{"key", record.key},
                               {"input", record.input},
                               {"prediction", record.prediction.label},
                               {"class", classified ? ordered_json(record.prediction.index) : ordered_json()},
                               {"probability", classified ? ordered_json(record.prediction.probability) : ordered_json()},
                               {"prompt", record.prompt},
                               {"answer", record.answer ? toJson(*record.answer) : ordered_json()},
                               {"metrics", std::move(metrics)},
                               {"files", std::move(files)}};
    writeFileAtomically(folder / kRecordName,
                        json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

WrittenFile writtenFile(const fs::path& folder, const std::string& name) {
    const FileIdentity identity = identifyFile(folder / name, HashDepth::Full);
    return {name, identity.size, identity.sha256};
}

bool intact(const fs::path& folder, const BatchRecord& record) {
    return std::all_of(record.files.begin(), record.files.end(), [&](const WrittenFile& file) {
        std::error_code error;
        if (file.sha256.empty() || !fs::is_regular_file(folder / file.name, error)) return false;
        if (fs::file_size(folder / file.name, error) != file.size || error) return false;
        try {
            return writtenFile(folder, file.name).sha256 == file.sha256;
        } catch (const Error&) {
            return false;  // unreadable: written again
        }
    });
}

BatchRecord measured(Toolbox& toolbox, const BatchItem& item, const JobContext& job) {
    BatchRecord record;
    record.key = resumeKey(item.session);
    record.input = item.session.input.images.empty() ? "" : item.session.input.images.front();
    CaptureRequest outputs;
    outputs.output = true;
    const auto run = toolbox.engine().run(item.session, 0, outputs, job);
    const std::vector<Prediction> best = predictions(*run->trace, 1);
    if (!best.empty()) record.prediction = best.front();
    record.prompt = lastQuestion(item.session.input);
    record.answer = answerText(toolbox.engine(), item.session, 0, job);
    for (std::size_t i = 0; i < item.session.analyses.size(); ++i) {
        const auto result = toolbox.engine().analyse(item.session, static_cast<int>(i), 0, job);
        std::string id = item.session.analyses[i].id;
        if (i > 0) id = std::to_string(i + 1) + " " + id;
        for (const auto& [name, value] : metricsOf(result->findings)) record.metrics.emplace_back(id + "." + name, value);
    }
    return record;
}

BatchTable metricsTable(const std::vector<BatchItem>& items, const fs::path& folder) {
    BatchTable out;
    Table table{{{"name", ""}, {"input", ""}, {"prediction", ""}, {"class", ""}, {"probability", ""}}, {}};
    std::vector<std::string> names;
    std::vector<std::pair<std::string, std::string>> texts;
    for (const BatchItem& item : items) {
        const std::optional<BatchRecord> record = readRecord(folder / item.name);
        if (!record) continue;
        if (record->key != resumeKey(item.session)) {
            out.foreign.push_back(item.name);
            continue;
        }
        const auto ofClass = [&](double value) {
            return record->prediction.index >= 0 ? Table::Cell(value) : Table::Cell(std::string());
        };
        std::vector<Table::Cell> row = {item.name, record->input, record->prediction.label,
                                        ofClass(record->prediction.index), ofClass(record->prediction.probability)};
        row.resize(kFirstMetric + names.size(), std::string());
        for (const auto& [name, value] : record->metrics) {
            const auto found = std::find(names.begin(), names.end(), name);
            const auto column = static_cast<std::size_t>(found - names.begin());
            if (found == names.end()) {
                names.push_back(name);
                table.columns.push_back({name, ""});
                row.emplace_back(std::string());
            }
            row[kFirstMetric + column] = value;
        }
        table.rows.push_back(std::move(row));
        texts.emplace_back(record->prompt, record->answer ? record->answer->text : "");
    }
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        table.rows[i].resize(table.columns.size(), std::string());
        table.rows[i].insert(table.rows[i].end(), {texts[i].first, texts[i].second});
    }
    table.columns.insert(table.columns.end(), {{"prompt", ""}, {"answer", ""}});
    out.csv = csvText(table);
    return out;
}

}  // namespace fovea::cli
