#pragma once

#include "fovea/model.h"
#include "session/session.h"

namespace fovea::cli {

/// Whether a model takes pictures.
bool takesPictures(const ModelSpec& spec);
/// Whether a model needs a text: it answers with text, or takes nothing else.
bool needsText(const ModelSpec& spec);

/// What goes in where nothing was said: a drawn scene for a model that sees, a sentence for one that reads.
void addUsualInput(SessionInput& input, const ModelSpec& spec);

}  // namespace fovea::cli
