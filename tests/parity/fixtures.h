#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "fovea/open_model.h"
#include "fovea/run.h"

namespace fovea::test {

/// A tensor of a reference file, widened to double.
struct Reference {
    std::vector<std::int64_t> shape;
    std::vector<double> values;

    double largest() const;
    /// The part of one batch item, without the batch axis.
    Reference item(std::int64_t index) const;
};

/// One generated model with its inputs and what the reference makes of them.
struct Case {
    std::string name;
    std::string family;
    std::string stored;  ///< element type of the files where it is not float32
    std::filesystem::path model;
    std::filesystem::path inputs;
    std::filesystem::path reference;
};

/// All cases; makes them with Python when they are not there or not of these scripts. Fails the test where
/// Python does.
const std::vector<Case>& cases();
const Case& caseNamed(const std::string& name);

/// Every tensor of a safetensors file by name.
std::map<std::string, Reference> readReference(const std::filesystem::path& path);

/// Where models run: FOVEA_TEST_DEVICE, else the CPU. FOVEA_PARITY_FIXTURES names a folder of fixtures made
/// elsewhere.
std::string testDevice();

std::shared_ptr<const Model> open(const Case& c, const std::string& dtype = "float32");
std::shared_ptr<const ModelInput> inputsOf(const Case& c, const Model& model);

/// A run that records everything.
RunSpec recordAll(int item = 0);

/// A copy of a case's model folder, to be damaged; `name` makes it unique.
std::filesystem::path copyOf(const Case& c, const std::string& name);

}  // namespace fovea::test
