#pragma once

#include <string>
#include <vector>

namespace fovea {

/// An adapter of the PEFT format (LoRA, rsLoRA, DoRA) and how strongly it counts: 0 leaves the base model as
/// it is, 1 is as trained, values between and beyond go along the same line.
struct AdapterChoice {
    std::string folder;  ///< with adapter_config.json and adapter_model.safetensors or .bin
    double strength = 1;
    bool operator==(const AdapterChoice&) const = default;
};

/// Reads DIR or DIR:STRENGTH; throws Error (Usage). A colon that no number follows belongs to the name.
AdapterChoice parseAdapter(const std::string& text);
/// The same as text: DIR where the strength is 1, else DIR:STRENGTH.
std::string adapterText(const AdapterChoice& adapter);

/// Strengths lie within -kMaxAdapterStrength ... kMaxAdapterStrength.
inline constexpr double kMaxAdapterStrength = 100;

}  // namespace fovea
