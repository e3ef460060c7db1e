#include "parity/fixtures.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "fovea/catalog.h"
#include "io/checkpoint_file.h"

namespace fovea::test {
namespace {

namespace fs = std::filesystem;

fs::path pythonProgram() {
    if (const char* given = std::getenv("FOVEA_TEST_PYTHON")) return given;
    return fs::path(FOVEA_SOURCE_DIR) / "build" / "venv" / "bin" / "python";
}

fs::path fixtureFolder() {
    if (const char* given = std::getenv("FOVEA_PARITY_FIXTURES")) return given;
    return FOVEA_PARITY_FOLDER;
}

std::vector<Case> makeCases() {
    const fs::path folder = fixtureFolder();
    fs::create_directories(FOVEA_PARITY_FOLDER);  // tests write their own files there
    const std::string command = "\"" + pythonProgram().string() +
                                "\" \"" FOVEA_SOURCE_DIR "/tests/tools/make_parity.py\" \"" +
                                folder.string() + "\"";
    INFO("needs Python with tests/requirements.txt: FOVEA_TEST_PYTHON, or build/venv in the source folder");
    // Fixtures carried to a machine without the reference packages are used as they are.
    if (!std::getenv("FOVEA_PARITY_FIXTURES")) REQUIRE_MESSAGE(std::system(command.c_str()) == 0, command);
    std::ifstream file(folder / "cases.json");
    const auto listing = nlohmann::json::parse(file);
    std::vector<Case> found;
    for (const auto& entry : listing.at("cases")) {
        const std::string name = entry.at("name");
        found.push_back({name, entry.at("family"), entry.value("stored", ""),
                         folder / std::string(entry.at("model")), folder / name / "inputs.safetensors",
                         folder / name / "reference.safetensors"});
    }
    return found;
}

template <typename Element>
std::vector<double> widened(const std::byte* data, std::int64_t count) {
    std::vector<double> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i) {
        Element element;
        std::memcpy(&element, data + i * sizeof(Element), sizeof(Element));
        values[i] = static_cast<double>(element);
    }
    return values;
}

}  // namespace

double Reference::largest() const {
    double most = 0;
    for (const double value : values) most = std::max(most, std::abs(value));
    return most;
}

Reference Reference::item(std::int64_t index) const {
    Reference part;
    part.shape.assign(shape.begin() + 1, shape.end());
    const auto size = static_cast<std::ptrdiff_t>(values.size()) / shape.front();
    part.values.assign(values.begin() + index * size, values.begin() + (index + 1) * size);
    return part;
}

std::string testDevice() {
    const char* given = std::getenv("FOVEA_TEST_DEVICE");
    return given ? given : "cpu";
}

const std::vector<Case>& cases() {
    static const std::vector<Case> all = makeCases();
    return all;
}

const Case& caseNamed(const std::string& name) {
    for (const Case& c : cases())
        if (c.name == name) return c;
    FAIL("no case is called ", name);
    return cases().front();
}

std::map<std::string, Reference> readReference(const fs::path& path) {
    const CheckpointFile file = openCheckpointFile(path, WeightFormat::Safetensors);
    std::map<std::string, Reference> tensors;
    for (const TensorInfo& info : file.tensors) {
        const std::byte* data = file.file->data() + info.begin;
        REQUIRE((info.dtype == Dtype::F32 || info.dtype == Dtype::F64));
        tensors[info.name] = {info.shape, info.dtype == Dtype::F64 ? widened<double>(data, info.numel())
                                                                   : widened<float>(data, info.numel())};
    }
    return tensors;
}

std::shared_ptr<const Model> open(const Case& c, const std::string& dtype) {
    static const Catalog catalog = makeCatalog();
    return openModel(catalog, c.model.string(), {testDevice(), dtype, true, {}});
}

std::shared_ptr<const ModelInput> inputsOf(const Case& c, const Model& model) {
    UserInput input;
    input.tensors = c.inputs;
    return model.encode(input);
}

RunSpec recordAll(int item) {
    RunSpec spec;
    spec.item = item;
    spec.capture.qkv = spec.capture.probs = spec.capture.lse = spec.capture.hidden = spec.capture.output =
        true;
    return spec;
}

fs::path copyOf(const Case& c, const std::string& name) {
    const fs::path target = fs::path(FOVEA_PARITY_FOLDER) / "damaged" / name;
    fs::remove_all(target);
    fs::create_directories(target.parent_path());
    fs::copy(c.model, target, fs::copy_options::recursive);
    return target;
}

}  // namespace fovea::test
