#include "codec.h"
#include "fovea/ppm.h"

namespace fovea::viz {

Decoded decodePnm(const Source& source) {
    return {decodePpm(source.bytes, source.name), 1};
}

}  // namespace fovea::viz
