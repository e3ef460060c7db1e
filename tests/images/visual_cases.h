#pragma once

#include <doctest/doctest.h>
#include <memory>
#include <string>
#include <vector>

#include "fovea/visual_processor.h"
#include "images/fixtures.h"

namespace fovea::test {

/// What a script with visual_fixtures.py has written.
struct VisualCases {
    explicit VisualCases(const std::string& script);

    std::vector<Pixels> pictures(const nlohmann::json& entry) const;
    HostTensor tensor(const nlohmann::json& stored) const;
    const std::uint8_t* at(const nlohmann::json& range) const;

    std::filesystem::path folder;
    nlohmann::json index;
    std::vector<std::uint8_t> data;
};

/// The processor for the files of an entry, as parsed files or as texts in a fuzz seed.
std::unique_ptr<VisualProcessor> visualProcessor(const nlohmann::json& files, const std::string& modelType);
/// Fails unless every tensor of the reference is there with equal shape and bits, and no other.
void checkTensors(const VisualCases& cases, const nlohmann::json& entry, const VisualInput& input);
/// Fails where tiles, sizes or layouts contradict the tensors or each other.
void checkGeometry(const VisualProcessor& processor, const std::vector<VisionImage>& images,
                   const std::vector<Pixels>& pictures);

}  // namespace fovea::test
