#include "usual_input.h"

#include <algorithm>

namespace fovea::cli {
namespace {

bool takes(const ModelSpec& spec, const char* tensor) {
    return std::find(spec.inputs.begin(), spec.inputs.end(), tensor) != spec.inputs.end();
}

}  // namespace

bool takesPictures(const ModelSpec& spec) { return takes(spec, "pixel_values"); }

bool needsText(const ModelSpec& spec) {
    return takes(spec, "input_ids") && (spec.capabilities.generate || !takesPictures(spec));
}

void addUsualInput(SessionInput& input, const ModelSpec& spec) {
    if (!input.tensors.empty()) return;
    if (input.images.empty() && takesPictures(spec) && input.chat.empty()) input.images = {"scene:1"};
    if (input.prompt.empty() && input.chat.empty() && needsText(spec)) input.prompt = "What colour is the star?";
}

}  // namespace fovea::cli
