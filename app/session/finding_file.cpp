#include "finding_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "finding_table.h"
#include "fovea/error.h"
#include "io/atomic_file.h"
#include "io/csv.h"
#include "io/npz.h"
#include "io/trace_file.h"
#include "recipe.h"

namespace fovea {
namespace {

using Named = std::vector<std::pair<std::string, Array>>;

const AnalysisRequest& requestOf(const Numbers& numbers) {
    return numbers.session.analyses.at(static_cast<std::size_t>(numbers.analysis));
}

// A session that computes these numbers again and nothing else.
Session reduced(const Numbers& numbers) {
    Session session = withAbsolutePaths(numbers.session);
    session.analyses = {requestOf(numbers)};
    session.pictures.clear();
    session.views = nlohmann::json::object();
    session.unknown = nlohmann::json::object();
    return session;
}

const Finding& findingOf(const ItemFindings& item, const std::string& name) {
    const std::vector<Finding>& findings = item.result->findings;
    std::string known;
    for (const Finding& finding : findings) {
        if (name.empty() || finding.name == name) return finding;
        known += (known.empty() ? "" : ", ") + finding.name;
    }
    throw Error("the analysis has no finding called \"" + name + "\"",
                known.empty() ? "it found nothing" : "its findings: " + known, ErrorCode::Usage);
}

// Everything that a file of arrays holds.
struct Contents {
    Named arrays;
    std::vector<std::pair<std::string, std::vector<std::string>>> texts;
};

Contents contentsOf(const Numbers& numbers) {
    Contents all;
    for (const ItemFindings& item : numbers.items) {
        const std::string prefix = numbers.items.size() > 1 ? fmt::format("image{}/", item.item) : "";
        for (const Finding& finding : item.result->findings) {
            FindingLabels labels = labelsOf(finding, item.tokens.get());
            for (auto& [name, array] : arraysOf(finding)) all.arrays.emplace_back(prefix + name, std::move(array));
            for (auto& [name, array] : labels.tokens) all.arrays.emplace_back(prefix + name, std::move(array));
            for (auto& [name, texts] : labels.texts) all.texts.emplace_back(prefix + name, std::move(texts));
        }
    }
    return all;
}

std::string jsonText(const nlohmann::ordered_json& json) {
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void writeArchive(const std::filesystem::path& file, const Contents& contents) {
    std::vector<std::pair<std::string, const Array*>> members;
    for (const auto& [name, array] : contents.arrays) members.emplace_back(name, &array);
    writeNpz(file, members, contents.texts);
}

void writeTensors(const std::filesystem::path& file, const Numbers& numbers, const Contents& contents) {
    std::set<std::string> leftOut;
    for (const ItemFindings& item : numbers.items)
        for (const Finding& finding : item.result->findings)
            for (const std::string& name : columnsLeftOut(finding)) leftOut.insert(name);
    nlohmann::ordered_json texts = nlohmann::ordered_json::object();
    for (const auto& [name, list] : contents.texts) texts[name] = list;
    std::vector<SafetensorsEntry> entries;
    for (const auto& [name, array] : contents.arrays) entries.push_back(floatEntry(name, array.shape, array.values));
    writeSafetensors(
        file, std::move(entries),
        {{"fovea.numbers", FOVEA_VERSION},
         {"fovea.session", jsonText(toJson(reduced(numbers)))},
         {"fovea.texts", jsonText(texts)},
         {"fovea.columns_left_out", jsonText(nlohmann::ordered_json(leftOut))}});
}

}  // namespace

Numbers computeNumbers(Engine& engine, const Session& session, int analysis, const JobContext& job) {
    Numbers numbers{session, analysis, {}, {}};
    const AnalysisRequest& request = requestOf(numbers);
    numbers.params = checkedParams(engine.catalog().analyses.get(request.id).info, request.params);
    const auto input = engine.input(session, job.part(0, 0.2));
    const int count = input->count();
    for (int item = 0; item < count; ++item) {
        const auto index = static_cast<std::size_t>(item);
        const auto& images = session.input.images;
        const std::string& tensors = session.input.tensors;
        const std::string name = tensors.empty() && index < images.size() ? images[index] : tensors;
        const JobContext part = job.part(0.2 + 0.8 * item / count, 0.2 + 0.8 * (item + 1) / count);
        auto result = engine.analyse(session, analysis, item, part);
        // A copy: the map itself would keep everything that was recorded.
        auto tokens = std::make_shared<const TokenMap>(*engine.tokens(session, item, part));
        numbers.items.push_back({item, name, std::move(result), std::move(tokens), answerText(engine, session, item, part)});
    }
    return numbers;
}

nlohmann::ordered_json numbersJson(const Numbers& numbers) {
    nlohmann::ordered_json items = nlohmann::ordered_json::array();
    for (const ItemFindings& item : numbers.items) {
        nlohmann::ordered_json findings = nlohmann::ordered_json::array();
        for (const Finding& finding : item.result->findings) findings.emplace_back(toJson(finding));
        nlohmann::ordered_json own = {{"item", item.item}, {"input", item.input}};
        if (item.answer) own["answer"] = toJson(*item.answer);
        own["findings"] = std::move(findings);
        own["notices"] = item.result->notices;
        items.push_back(std::move(own));
    }
    return {{"version", FOVEA_VERSION},
            {"analysis", requestOf(numbers).id},
            {"params", numbers.params},
            {"session", toJson(reduced(numbers))},
            {"items", std::move(items)}};
}

std::string numbersCsv(const Numbers& numbers) {
    Table all;
    for (const ItemFindings& item : numbers.items) {
        Table table = tableOf(findingOf(item, numbers.finding), item.tokens.get());
        if (numbers.items.size() > 1) {
            table.columns.insert(table.columns.begin(), {"item", ""});
            for (auto& row : table.rows) row.insert(row.begin(), static_cast<double>(item.item));
        }
        all.columns = std::move(table.columns);
        std::move(table.rows.begin(), table.rows.end(), std::back_inserter(all.rows));
    }
    return csvText(all);
}

void writeNumbers(const std::filesystem::path& file, const Numbers& numbers) {
    std::string suffix = file.extension().string();
    std::transform(suffix.begin(), suffix.end(), suffix.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (suffix == ".json") {
        writeFileAtomically(file, jsonText(numbersJson(numbers)) + "\n");
    } else if (suffix == ".csv") {
        writeFileAtomically(file, numbersCsv(numbers));
    } else if (suffix == ".npz") {
        writeArchive(file, contentsOf(numbers));
    } else if (suffix == ".safetensors") {
        writeTensors(file, numbers, contentsOf(numbers));
    } else {
        throw Error(file.string() +
                        ": expected a name that ends in .json, .csv, .npz or .safetensors, found \"" +
                        suffix + "\"",
                    "pictures (png, svg, pdf) come from fovea-cli render", ErrorCode::Usage);
    }
}

}  // namespace fovea
