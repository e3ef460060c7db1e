#include "io/tensor_info.h"

namespace fovea {

std::int64_t checkedBytes(const std::vector<std::int64_t>& shape, std::int64_t itemBytes) {
    std::int64_t bytes = itemBytes;
    bool empty = false;
    for (std::int64_t size : shape) {
        if (size < 0) return -1;
        if (size == 0) {
            empty = true;
            continue;
        }
        if (bytes > INT64_MAX / size) return -1;
        bytes *= size;
    }
    return empty ? 0 : bytes;
}

std::string shapeText(const std::vector<std::int64_t>& shape) {
    std::string text = "[";
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (i != 0) text += ", ";
        text += shape[i] == -1 ? "any" : std::to_string(shape[i]);
    }
    return text + "]";
}

}  // namespace fovea
