#pragma once

#include <string>

namespace fovea::gui {

/// A hint of the engine for people at the window: flags of the command line are called by the controls that do the same, and
/// clauses about other flags or commands are left out; may become empty.
std::string windowHint(const std::string& hint);

}  // namespace fovea::gui
