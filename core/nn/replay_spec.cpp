#include "nn/replay_spec.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "fovea/error.h"
#include "io/json_file.h"

namespace fovea {
namespace {

using nlohmann::json;

constexpr int kMaxBlocks = 100'000;
constexpr std::size_t kMaxSites = 10'000;
constexpr std::size_t kMaxStages = 1'000;
constexpr std::size_t kMaxItems = 10'000;

/// The sites of a trace with a set of their addresses, so that a file of many names is read in linear time.
struct SiteTable {
    const std::string& source;
    ModelSpec& spec;
    std::set<std::string> known;

    void add(AttentionSite site) {
        if (!known.insert(site.address()).second) return;
        if (spec.sites.size() >= kMaxSites)
            throw Error(source + ": expected at most " + std::to_string(kMaxSites) +
                        " attention sites, found more",
                        "Record the trace again: the file is damaged or of another program.");
        spec.sites.push_back(std::move(site));
    }
};

json metadataJson(const TraceFile& file, const std::string& key) {
    const std::string text = file.metadata(key);
    if (text.empty()) return json::object();
    return parseJson(text, file.path().string() + ": metadata " + key,
                     {std::size_t{100} << 20, 16, 8'000'000});
}

std::string textOf(const json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>().substr(0, 4096)
                                                       : std::string();
}

int countOf(const json& object, const char* name, int standard) {
    const auto found = object.find(name);
    if (found == object.end() || !found->is_number_integer()) return standard;
    const auto value = found->get<std::int64_t>();
    return value >= 0 && value <= 1'000'000 ? static_cast<int>(value) : standard;
}

std::vector<std::string> textsOf(const json& object, const char* name) {
    std::vector<std::string> out;
    const auto found = object.find(name);
    if (found != object.end() && found->is_array())
        for (const json& value : *found)
            if (value.is_string()) out.push_back(value.get<std::string>());
    return out;
}

SiteKind kindOf(const std::string& word, const std::string& address, const std::string& source) {
    for (const SiteKind kind : {SiteKind::Self, SiteKind::Cross, SiteKind::Joint, SiteKind::Channel})
        if (word == siteKindName(kind)) return kind;
    throw Error(source + ": \"" + address + "\": expected self, cross, joint or channel, found \"" + word +
                "\"",
                "Record the trace again: the file is damaged or of another program.");
}

void readSites(const json& spec, const std::string& source, SiteTable& out) {
    const auto sites = spec.find("sites");
    if (sites == spec.end() || !sites->is_array()) return;
    for (const json& value : *sites) {
        if (!value.is_object()) continue;
        AttentionSite site = siteFromAddress(textOf(value, "address"), source);
        site.heads = countOf(value, "heads", 1);
        site.keyValueHeads = countOf(value, "key_value_heads", site.heads);
        site.headDim = countOf(value, "head_dim", 1);
        site.causal = value.value("causal", json(false)) == json(true);
        site.module = textOf(value, "module");
        // Older traces do not say it: their keys are taken for tokens of the stage itself.
        if (site.kind == SiteKind::Cross) site.keyStage = textOf(value, "key_stage");
        if (site.keyStage == site.stage) site.keyStage.clear();
        out.add(std::move(site));
    }
}

void readStages(const json& spec, ModelSpec& out) {
    const auto stages = spec.find("stages");
    if (stages == spec.end() || !stages->is_array()) return;
    for (const json& value : *stages) {
        if (!value.is_object() || textOf(value, "id").empty()) continue;
        StageSpec stage;
        stage.id = textOf(value, "id");
        stage.layers = countOf(value, "layers", 0);
        stage.hidden = countOf(value, "hidden", 0);
        const auto grid = value.find("grid");
        if (grid != value.end() && grid->is_array() && grid->size() == 2 && grid->at(0).is_number_integer() &&
            grid->at(1).is_number_integer()) {
            stage.gridRows = std::clamp<int>(grid->at(0).get<int>(), 0, 1 << 16);
            stage.gridColumns = std::clamp<int>(grid->at(1).get<int>(), 0, 1 << 16);
        }
        stage.prefixTokens = textsOf(value, "prefix_tokens");
        if (out.stages.size() >= kMaxStages)
            throw Error(out.source + ": metadata fovea.spec: stages: expected at most " +
                        std::to_string(kMaxStages) + ", found more",
                        "Record the trace again: the file is damaged or of another program.");
        out.stages.push_back(std::move(stage));
    }
}

// Sites and stages that the tensors tell of; a file from elsewhere may have no fovea.spec.
void addFromTensors(const TraceFile& file, SiteTable& table) {
    static const std::set<std::string> quantities = {"probs", "q", "k", "v", "lse", "output", "colsum"};
    for (const TensorInfo& tensor : file.tensors()) {
        const std::string path = TraceName::parse(tensor.name).path;
        const std::size_t slash = path.find('/');
        if (slash == std::string::npos || !quantities.count(path.substr(slash + 1))) continue;
        const std::string address = path.substr(0, slash);
        if (address == "output" || address == "input" || address == "hidden" || table.known.count(address))
            continue;
        AttentionSite site =
            siteFromAddress(address, file.path().string() + ": tensor \"" + tensor.name + "\"");
        site.heads = tensor.shape.empty()
                         ? 1
                         : static_cast<int>(std::clamp<std::int64_t>(tensor.shape[0], 1, 1 << 16));
        site.keyValueHeads = site.heads;
        table.add(std::move(site));
    }
    ModelSpec& out = table.spec;
    for (const AttentionSite& site : out.sites) {
        auto stage = std::find_if(out.stages.begin(), out.stages.end(),
                                  [&](const StageSpec& candidate) { return candidate.id == site.stage; });
        if (stage == out.stages.end()) {
            out.stages.emplace_back();
            stage = std::prev(out.stages.end());
            stage->id = site.stage;
        }
        stage->layers = std::max(stage->layers, site.block + 1);
    }
}

// Whether the model that was recorded generates.
bool generated(const json& spec) {
    const auto able = spec.find("capabilities");
    return able != spec.end() && able->is_object() && able->value("generate", json(false)) == json(true);
}

// A trace of the vision tower alone is about that, whatever the model does.
bool holdsText(const TraceFile& file) {
    const auto& tensors = file.tensors();
    return std::any_of(tensors.begin(), tensors.end(), [](const TensorInfo& tensor) {
        return TraceName::parse(tensor.name).path.starts_with("text.");
    });
}

}  // namespace

AttentionSite siteFromAddress(const std::string& address, const std::string& source) {
    const auto fail = [&]() -> void {
        throw Error(source + ": \"" + address.substr(0, 200) +
                    "\": expected an address stage.block.kind[.name]",
                    "Record the trace again: the file is damaged or of another program.");
    };
    const std::size_t first = address.find('.');
    const std::size_t second = first == std::string::npos ? first : address.find('.', first + 1);
    if (first == 0 || second == std::string::npos) fail();
    AttentionSite site;
    site.stage = address.substr(0, first);
    const char* end = address.data() + second;
    const auto [rest, problem] = std::from_chars(address.data() + first + 1, end, site.block);
    if (problem != std::errc() || rest != end || site.block < 0 || site.block > kMaxBlocks) fail();
    const std::size_t third = address.find('.', second + 1);
    site.kind = kindOf(address.substr(second + 1, third == std::string::npos ? third : third - second - 1),
                       address, source);
    if (third != std::string::npos) site.name = address.substr(third + 1);
    return site;
}

ModelSpec readRecordedSpec(const TraceFile& file) {
    ModelSpec out;
    out.source = file.path().string();
    const json spec = metadataJson(file, "fovea.spec");
    if (!spec.is_object()) throw Error(file.path().string() + ": metadata fovea.spec: expected an object",
                                       "Record the trace again: the file is damaged or of another program.");
    out.family = "replay";
    out.modelType = textOf(spec, "model_type");
    out.architecture = textOf(spec, "architecture");
    out.storedDtype = textOf(spec, "dtype");
    out.labels = textsOf(spec, "labels");
    readStages(spec, out);
    const std::string source = file.path().string() + ": metadata fovea.spec";
    SiteTable sites{source, out, {}};
    readSites(spec, source, sites);
    addFromTensors(file, sites);
    out.recordedAnswering = generated(spec) && holdsText(file);
    out.computeDtype = "float32";
    out.device = "cpu";
    out.capabilities = {false, false, false, false, false};
    out.weights.loaded = static_cast<std::int64_t>(file.tensors().size());
    return out;
}

std::vector<TokenMap> readRecordedMaps(const TraceFile& file) {
    const json map = metadataJson(file, "fovea.token_map");
    if (!map.is_object() || map.empty())
        throw Error(file.path().string() + ": metadata fovea.token_map: expected a token map, found none",
                    "Record the trace again with fovea-cli trace or resources/python/record_trace.py.");
    std::vector<TokenMap> maps;
    if (!map.contains("items")) {
        maps.push_back(tokenMapFromJson(map));
        return maps;
    }
    if (!map["items"].is_array() || map["items"].empty())
        throw Error(file.path().string() +
                    ": metadata fovea.token_map: items: expected a list of token maps",
                    "Record the trace again: the file is damaged or of another program.");
    if (map["items"].size() > kMaxItems)
        throw Error(file.path().string() + ": metadata fovea.token_map: items: expected at most " +
                    std::to_string(kMaxItems) + " token maps, found " + std::to_string(map["items"].size()),
                    "Record the trace again: the file is damaged or of another program.");
    for (const json& item : map["items"]) maps.push_back(tokenMapFromJson(item));
    return maps;
}

RecordedAttentions readRecordedAttentions(const TraceFile& file) {
    const json all = metadataJson(file, "fovea.attention");
    RecordedAttentions out;
    if (!all.is_object()) return out;
    for (const auto& [address, how] : all.items()) {
        if (!how.is_object()) continue;
        const auto number = [&how = how](const char* name) {
            const auto value = how.find(name);
            return value != how.end() && value->is_number() ? value->get<double>() : 0.0;
        };
        const auto flag = [&how = how](const char* name) {
            return how.value(name, json(false)) == json(true);
        };
        const auto place = [&how = how](const char* name, std::int64_t absent) {
            const auto value = how.find(name);
            if (value == how.end() || !value->is_number_integer()) return absent;
            return std::clamp<std::int64_t>(value->get<std::int64_t>(), -1, 1 << 30);
        };
        out[address] = {number("scale"), number("softcap"), flag("biased"), flag("edited"), {},
                        place("query_offset", 0), place("window", -1), place("prefix", 0)};
        if (how.contains("causal")) out[address].causal = flag("causal");
    }
    return out;
}

}  // namespace fovea
