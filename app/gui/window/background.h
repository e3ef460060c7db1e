#pragma once

#include <functional>

namespace fovea::gui {

/// Runs `work` on a thread of its own while the window goes on painting; input waits until it is done. Throws what `work`
/// threw. Must be called on the GUI thread.
void inBackground(const std::function<void()>& work);

}  // namespace fovea::gui
