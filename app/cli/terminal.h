#pragma once

namespace fovea::cli {

/// Whether standard error is a terminal that a person looks at.
bool errorIsTerminal();

/// Columns of that terminal; 80 where it is not known.
int terminalWidth();

}  // namespace fovea::cli
