#include "orientation.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace fovea::viz {
namespace {

// Numbers of an EXIF block in its own byte order; reading past the end gives nothing.
class ExifReader {
public:
    explicit ExifReader(Bytes bytes) : m_bytes(bytes) {}

    bool start() {
        if (m_bytes.size() < 8) return false;
        m_big = m_bytes[0] == 'M';
        return (m_big ? m_bytes[1] == 'M' : m_bytes[0] == 'I' && m_bytes[1] == 'I');
    }
    std::optional<std::uint32_t> number(std::size_t at, std::size_t size) const {
        if (at > m_bytes.size() || m_bytes.size() - at < size) return std::nullopt;
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < size; ++i) value = value << 8 | m_bytes[at + (m_big ? i : size - 1 - i)];
        return value;
    }

private:
    Bytes m_bytes;
    bool m_big = false;
};

}  // namespace

std::optional<int> exifOrientation(Bytes exif) {
    while (exif.size() >= 6 && std::memcmp(exif.data(), "Exif\0\0", 6) == 0) exif = exif.subspan(6);
    ExifReader reader(exif);
    if (!reader.start()) return std::nullopt;
    const auto directory = reader.number(4, 4);
    const auto count = directory ? reader.number(*directory, 2) : std::nullopt;
    std::optional<int> found;
    for (std::uint32_t i = 0; count && i < *count; ++i) {
        const std::size_t entry = std::size_t{*directory} + 2 + std::size_t{12} * i;
        const auto tag = reader.number(entry, 2);
        const auto type = reader.number(entry + 2, 2);
        const auto values = reader.number(entry + 4, 4);
        if (!tag || !type || !values) break;
        if (*tag != 0x0112 || *values != 1) continue;
        const bool isShort = *type == 3 || *type == 8;
        const bool isLong = *type == 4 || *type == 9;
        const auto value = reader.number(entry + 8, isShort ? 2 : 4);
        if ((isShort || isLong) && value) found = *value <= 8 ? static_cast<int>(*value) : 0;
    }
    return found;
}

std::optional<int> xmpOrientation(std::string_view xmp) {
    constexpr std::string_view key = "tiff:Orientation";
    for (std::size_t at = xmp.find(key); at != std::string_view::npos; at = xmp.find(key, at + 1)) {
        std::string_view rest = xmp.substr(at + key.size());
        if (rest.starts_with("=\"")) {
            rest.remove_prefix(2);
        } else if (rest.starts_with(">")) {
            rest.remove_prefix(1);
        } else {
            continue;
        }
        if (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') return rest[0] - '0';
    }
    return std::nullopt;
}

Pixels upright(Pixels picture, int orientation) {
    if (orientation < 2 || orientation > 8) return picture;
    const bool swaps = orientation >= 5;
    const bool mirrorX = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    const bool mirrorY = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const auto at = [](const Pixels& of, int x, int y) {
        return static_cast<std::size_t>(y) * static_cast<std::size_t>(of.width) + static_cast<std::size_t>(x);
    };
    Pixels result = swaps ? Pixels(picture.height, picture.width) : Pixels(picture.width, picture.height);
    result.alpha.resize(picture.alpha.size());
    const bool hasAlpha = !picture.alpha.empty();
    // Blocks keep the rows of both pictures in the cache when rows become columns.
    constexpr int kBlock = 64;
    for (int blockY = 0; blockY < result.height; blockY += kBlock) {
        for (int blockX = 0; blockX < result.width; blockX += kBlock) {
            for (int y = blockY; y < std::min(blockY + kBlock, result.height); ++y) {
                std::uint8_t* target = result.at(blockX, y);
                for (int x = blockX; x < std::min(blockX + kBlock, result.width); ++x, target += 3) {
                    const int column = swaps ? y : x;
                    const int row = swaps ? x : y;
                    const std::uint8_t* from = picture.at(mirrorX ? picture.width - 1 - column : column,
                                                          mirrorY ? picture.height - 1 - row : row);
                    target[0] = from[0];
                    target[1] = from[1];
                    target[2] = from[2];
                    if (hasAlpha) result.alpha[at(result, x, y)] = picture.alpha[static_cast<std::size_t>(from - picture.rgb.data()) / 3];
                }
            }
        }
    }
    return result;
}

}  // namespace fovea::viz
