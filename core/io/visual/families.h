#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "fovea/visual_processor.h"
#include "io/visual/visual_files.h"

namespace fovea {

// One function a family (or two that share their class); each reads its settings from the files.
std::unique_ptr<VisualProcessor> makeLlava(const VisualFiles& files, std::string_view modelType);
std::unique_ptr<VisualProcessor> makePaliGemma(const VisualFiles& files);
std::unique_ptr<VisualProcessor> makeBlip(const VisualFiles& files);
std::unique_ptr<VisualProcessor> makeQwen2Vl(const VisualFiles& files, std::string_view modelType);
std::unique_ptr<VisualProcessor> makeQwen3Vl(const VisualFiles& files);
std::unique_ptr<VisualProcessor> makeLlavaNext(const VisualFiles& files);
std::unique_ptr<VisualProcessor> makeLlavaOnevision(const VisualFiles& files);
std::unique_ptr<VisualProcessor> makeIdefics3(const VisualFiles& files);
std::unique_ptr<VisualProcessor> makeSmolVlm(const VisualFiles& files);
std::unique_ptr<VisualProcessor> makeInternVl(const VisualFiles& files);
std::unique_ptr<VisualProcessor> makeGemma3(const VisualFiles& files);
/// Takes do_pan_and_scan out of the files where it is true, as the processor around the reference's class leaves crops out
/// unless a call asks for them; what a user should know of that, or an empty text.
std::string withoutPanAndScan(VisualFiles& files);
std::unique_ptr<VisualProcessor> makeMllama(const VisualFiles& files);

}  // namespace fovea
