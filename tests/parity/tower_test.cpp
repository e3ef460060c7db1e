// Vision towers and projectors alone against transformers in float64: features, hidden states, attention maps.
#include <doctest/doctest.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "nn/input_tensors.h"
#include "nn/towers/tower_specs.h"
#include "parity/errors.h"
#include "parity/fixtures.h"

using namespace fovea;
using namespace fovea::test;

namespace {

using Values = InputTensor::Values;

std::unique_ptr<VisionTower> towerOf(const std::string& family, const ModelSource& source) {
    const ConfigView& config = source.config();
    const std::int64_t hidden = config.section("text_config").integer("hidden_size", 0, {1, 1 << 16});
    const auto picture = [](PictureTowerSpec spec) { return std::make_unique<PictureTower>(std::move(spec)); };
    const auto qwen = [](QwenTowerSpec spec) { return std::make_unique<QwenTower>(std::move(spec)); };
    if (family == "llava" || family == "llava_next")
        return picture(llavaTower(config, llavaPaths(source), hidden, {"clip_vision_model", -2, "default"}));
    if (family == "paligemma") return picture(paligemmaTower(config, llavaPaths(source), hidden));
    if (family == "gemma3") return picture(gemma3Tower(config, llavaPaths(source), hidden));
    if (family == "internvl") return picture(internvlTower(config, llavaPaths(source), hidden));
    if (family == "idefics3" || family == "smolvlm")
        return picture(ideficsTower(config, ideficsPaths(source), hidden));
    const ConfigView vision = config.section("vision_config");
    const std::string prefix = qwenPaths(source).vision;
    if (family == "qwen2_vl") return qwen(qwen2Tower(vision, prefix));
    if (family == "qwen2_5_vl") return qwen(qwen25Tower(vision, prefix));
    if (family == "qwen3_vl") return qwen(qwen3Tower(vision, prefix));
    FAIL("no tower for ", family);
    return {};
}

/// A tower as a model of its own.
class TowerModel : public TransformerModel {
public:
    TowerModel(std::unique_ptr<VisionTower> tower, std::string family)
        : m_tower(std::move(tower)), m_family(std::move(family)) {}

    std::shared_ptr<const ModelInput> encode(const UserInput& user) const override {
        std::vector<InputTensor> accepted = {{"pixel_values", 4, Values::Floating},
                                             {"image_sizes", 2, Values::Integer}};
        if (m_family == "idefics3" || m_family == "smolvlm")
            accepted = {{"pixel_values", 5, Values::Floating}, {"pixel_attention_mask", 4, Values::Integer}};
        auto encoded = std::make_shared<TensorInput>();
        TensorItem item = m_family.starts_with("qwen") ? wholeOf(user)
                                                       : readInputTensors(user.tensors, accepted).front();
        TokenMap map;
        map.stages.push_back(m_tower->stageTokens(inputOf(item)));
        encoded->maps.push_back(std::move(map));
        encoded->items.push_back(placed(std::move(item)));
        return encoded;
    }

protected:
    void describe(ModelSpec& spec) override { m_tower->describe(spec); }
    void visit(WeightVisitor& weights) override { m_tower->visit(weights); }
    std::vector<StageCost> costs() const override { return m_tower->costs(); }
    std::vector<std::string> ignoredWeights() const override { return {"*"}; }
    void runItem(Forward& forward) const override {
        TensorItem item;
        for (const char* name : {"pixel_values", "image_grid_thw", "pixel_attention_mask"})
            if (const at::Tensor t = forward.input(name); t.defined()) item[name] = t;
        const VisionFeatures features = m_tower->run(inputOf(item), forward);
        forward.output("features", features.tokens.unsqueeze(0));
        for (std::size_t i = 0; i < features.deep.size(); ++i)
            forward.output("deep" + std::to_string(i), features.deep[i].unsqueeze(0));
    }

private:
    // The patches of one picture, not a batch.
    static TensorItem wholeOf(const UserInput& user) {
        TensorItem item;
        ResolvedModel files;
        files.format = ModelFormat::LoneWeights;
        files.weightFormat = WeightFormat::Safetensors;
        files.reference = user.tensors.string();
        files.weightFiles = {user.tensors};
        const auto store = WeightStore::open(files);
        for (const TensorInfo& info : store->tensors()) item[info.name] = store->get(info.name).clone();
        return item;
    }

    static TowerInput inputOf(const TensorItem& item) {
        TowerInput input;
        input.pixels = item.at("pixel_values");
        if (input.pixels.dim() == 5) input.pixels = input.pixels[0];
        if (const auto grid = item.find("image_grid_thw"); grid != item.end())
            for (int axis = 0; axis < 3; ++axis)
                input.gridThw[static_cast<std::size_t>(axis)] = grid->second[0][axis].item<std::int64_t>();
        if (const auto mask = item.find("pixel_attention_mask"); mask != item.end())
            input.patchMask = patchMaskOf(mask->second[0][0], 8);
        else if (item.at("pixel_values").dim() == 5)
            input.patchMask = at::ones({input.pixels.size(2) / 8, input.pixels.size(3) / 8}, at::kBool);
        return input;
    }

    std::unique_ptr<VisionTower> m_tower;
    std::string m_family;
};

struct TowerCase {
    std::string name, family;
    std::filesystem::path folder;
};

std::vector<TowerCase> towerCases() {
    const std::filesystem::path folder = std::filesystem::path(FOVEA_PARITY_FOLDER) / "towers";
    const char* given = std::getenv("FOVEA_TEST_PYTHON");
    const std::string python = given ? given : FOVEA_SOURCE_DIR "/build/venv/bin/python";
    const std::string command = "\"" + python + "\" \"" FOVEA_SOURCE_DIR "/tests/tools/vlm/make_towers.py\" \"" +
                                folder.string() + "\"";
    std::filesystem::create_directories(folder.parent_path());
    REQUIRE_MESSAGE(std::system(command.c_str()) == 0, command);
    std::ifstream file(folder / "cases.json");
    std::vector<TowerCase> found;
    const auto listing = nlohmann::json::parse(file);
    for (const auto& entry : listing.at("cases"))
        found.push_back({entry.at("name"), entry.at("family"), folder / std::string(entry.at("name"))});
    return found;
}

}  // namespace

TEST_CASE("vision towers and their projectors equal the reference") {
    double worst = 0;
    const std::vector<TowerCase> all = towerCases();
    REQUIRE(all.size() >= 20);
    for (const TowerCase& c : all) {
        INFO(c.name);
        const ModelSource source = ModelSource::open((c.folder / "model").string());
        TowerModel model(towerOf(c.family, source), c.family);
        model.load(c.family, source, {testDevice(), "float32", true, {}}, {});
        CHECK(model.spec().weights.missing.empty());
        UserInput user;
        user.tensors = c.folder / "inputs.safetensors";
        const auto input = model.encode(user);
        const auto recorded = runModel(model, *input, recordAll()).trace;
        const AttentionTrace& trace = *recorded;
        const auto reference = readReference(c.folder / "reference.safetensors");
        std::map<std::string, Errors> errors;
        std::size_t sites = 0;
        for (const auto& [name, wide] : reference) {
            if (!name.starts_with("f64/")) continue;
            const std::string what = name.substr(4), kind = what.substr(0, what.find('/'));
            const Reference f64 = wide.item(0), f32 = reference.at("f32/" + what).item(0);
            if (kind == "output") {
                errors[kind].add(what, trace.output(what.substr(7)), f64, f32);
            } else if (kind == "hidden") {
                errors[kind].add(what, trace.hidden("vision", std::stoi(what.substr(what.rfind('/') + 1))), f64,
                                 f32);
            } else {
                const int site = model.spec().siteIndex(kind);
                REQUIRE(site >= 0);
                errors["probs"].add(what, trace.probabilities(site), f64, f32);
                CHECK(trace.queries(site) == input->maps[0].stage("vision").size());
                ++sites;
            }
        }
        CHECK(errors.size() == 3);
        CHECK(sites == model.spec().sites.size());
        for (const auto& [kind, of] : errors) {
            CHECK_MESSAGE(of.ours <= of.allowed(), kind << ": error " << of.ours << ", allowed " << of.allowed());
            worst = std::max(worst, of.share());
        }
    }
    fmt::print("towers: worst {:.0f} % of what is allowed\n", 100 * worst);
}
