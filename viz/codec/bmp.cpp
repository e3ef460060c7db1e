// Windows bitmaps: 1 to 32 bits, bit fields, run lengths.
#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "codec.h"

namespace fovea::viz {
namespace {

using Colour = std::array<std::uint8_t, 3>;

struct Header {
    std::uint32_t size = 0;
    std::uint32_t dataAt = 0;
    int width = 0;
    int height = 0;
    bool topDown = false;
    int bits = 0;
    std::uint32_t compression = 0;  // 0 none, 1 RLE8, 2 RLE4, 3 bit fields
    std::uint32_t colours = 0;
    std::array<std::uint32_t, 3> masks{};
    std::uint32_t alphaMask = 0;
};

Header readHeader(const Source& source) {
    const Bytes b = source.bytes;
    const auto need = [&](std::size_t size) {
        if (b.size() < size) failDamaged(source, "BMP", "the end of the file in its header");
    };
    Header h;
    need(18);
    h.dataAt = little32(b, 10);
    h.size = little32(b, 14);
    if (h.size == 12) {
        need(26);
        h.width = static_cast<int>(little16(b, 18));
        h.height = static_cast<int>(little16(b, 20));
        h.bits = static_cast<int>(little16(b, 24));
    } else if (h.size == 40 || h.size == 52 || h.size == 56 || h.size == 64 || h.size == 108 || h.size == 124) {
        need(14 + h.size);
        const std::int64_t width = static_cast<std::int32_t>(little32(b, 18));
        const std::int64_t height = static_cast<std::int32_t>(little32(b, 22));
        h.topDown = height < 0;
        checkSize(source, width, h.topDown ? -height : height);
        h.width = static_cast<int>(width);
        h.height = static_cast<int>(h.topDown ? -height : height);
        h.bits = static_cast<int>(little16(b, 28));
        h.compression = little32(b, 30);
        h.colours = little32(b, 46);
        if (h.compression == 3) {
            need(66);
            for (std::size_t c = 0; c < 3; ++c) h.masks[c] = little32(b, 54 + 4 * c);
            if (h.size >= 56 && h.bits == 32) {
                need(70);
                h.alphaMask = little32(b, 66);
            }
        }
    } else {
        failDamaged(source, "BMP", "a header of " + std::to_string(h.size) + " bytes");
    }
    checkSize(source, h.width, h.height);
    if (h.compression > 3) failDamaged(source, "BMP", "compression " + std::to_string(h.compression));
    const bool runs = h.compression == 1 || h.compression == 2;
    if (runs && h.bits != (h.compression == 1 ? 8 : 4)) failDamaged(source, "BMP", "run lengths of another bit depth");
    return h;
}

std::array<Colour, 256> readPalette(const Source& source, const Header& h) {
    const Bytes b = source.bytes;
    const std::size_t entry = h.size == 12 ? 3 : 4;
    std::size_t at = 14 + h.size + (h.size == 40 && h.compression == 3 ? 12 : 0);
    const std::size_t count = h.colours == 0 ? std::size_t{1} << h.bits : std::min<std::uint32_t>(h.colours, 256);
    std::array<Colour, 256> palette{};
    for (std::size_t i = 0; i < count; ++i, at += entry) {
        if (b.size() < at + 3) failDamaged(source, "BMP", "the end of the file in its palette");
        palette[i] = {b[at + 2], b[at + 1], b[at]};
    }
    return palette;
}

/// One palette index per pixel, bottom row first, from run lengths; pixels that are jumped over have index 0.
std::vector<std::uint8_t> expandRuns(const Source& source, const Header& h) {
    const Bytes b = source.bytes;
    const std::size_t width = static_cast<std::size_t>(h.width);
    const std::size_t total = width * static_cast<std::size_t>(h.height);
    std::vector<std::uint8_t> indices(total, 0);
    std::size_t at = h.dataAt;
    const auto next = [&] {
        if (at >= b.size()) failDamaged(source, "BMP", "the end of the file in its pixels");
        return b[at++];
    };
    std::size_t row = 0;
    std::size_t column = 0;
    const auto put = [&](std::uint8_t index) {
        if (column < width && row * width + column < total) indices[row * width + column] = index;
        ++column;
    };
    while (row < static_cast<std::size_t>(h.height)) {
        const int count = next();
        const std::uint8_t value = next();
        if (count > 0) {
            for (int i = 0; i < count; ++i) {
                put(h.bits == 8 ? value : static_cast<std::uint8_t>(i % 2 == 0 ? value >> 4 : value & 15));
            }
        } else if (value == 0) {
            ++row;
            column = 0;
        } else if (value == 1) {
            break;
        } else if (value == 2) {
            column += next();
            row += next();
        } else {
            std::uint8_t byte = 0;
            for (int i = 0; i < value; ++i) {
                if (h.bits == 8 || i % 2 == 0) byte = next();
                put(h.bits == 8 ? byte : static_cast<std::uint8_t>(i % 2 == 0 ? byte >> 4 : byte & 15));
            }
            const int bytes = h.bits == 8 ? value : (value + 1) / 2;
            if (bytes % 2 == 1) next();
        }
    }
    return indices;
}

/// A colour of a pixel of 16 or 32 bits through its mask, scaled to 0..255 without rounding.
struct Field {
    std::uint32_t mask = 0;
    int shift = 0;
    std::uint32_t most = 0;

    explicit Field(std::uint32_t m) : mask(m) {
        while (m != 0 && (m & 1) == 0) {
            m >>= 1;
            ++shift;
        }
        most = m;
    }
    std::uint8_t of(std::uint32_t pixel) const {
        return most == 0 ? std::uint8_t{0}
                         : static_cast<std::uint8_t>(std::uint64_t{(pixel & mask) >> shift} * 255 / most);
    }
};

void convertRow(const std::uint8_t* row, const Header& h, const std::array<Colour, 256>& palette,
                const std::array<Field, 3>& fields, std::uint8_t* target) {
    for (int x = 0; x < h.width; ++x, target += 3) {
        if (h.bits <= 8) {
            const int perByte = 8 / h.bits;
            const int shift = (perByte - 1 - x % perByte) * h.bits;
            const int index = row[x / perByte] >> shift & ((1 << h.bits) - 1);
            std::copy_n(palette[static_cast<std::size_t>(index)].data(), 3, target);
            continue;
        }
        const std::uint8_t* pixel = row + static_cast<std::size_t>(x) * static_cast<std::size_t>(h.bits / 8);
        std::uint32_t value = 0;
        for (int i = h.bits / 8 - 1; i >= 0; --i) value = value << 8 | pixel[i];
        for (std::size_t c = 0; c < 3; ++c) target[c] = fields[c].of(value);
    }
}

}  // namespace

Decoded decodeBmp(const Source& source) {
    Header h = readHeader(source);
    if (h.bits != 1 && h.bits != 4 && h.bits != 8 && h.bits != 16 && h.bits != 24 && h.bits != 32) {
        failDamaged(source, "BMP", std::to_string(h.bits) + " bits a pixel");
    }
    const bool masked = h.compression == 3 && (h.masks[0] | h.masks[1] | h.masks[2]) != 0;
    if (!masked && h.bits == 16) h.masks = {0x7c00, 0x3e0, 0x1f};
    if (!masked && h.bits >= 24) h.masks = {0xff0000, 0xff00, 0xff};
    // Pillow takes the fourth byte for alpha where bit fields are asked for and none is given.
    if (!masked && h.bits == 32 && h.compression == 3 && h.alphaMask == 0) h.alphaMask = 0xff000000;
    std::array<Colour, 256> palette{};
    if (h.bits <= 8) palette = readPalette(source, h);

    Decoded result{Pixels(h.width, h.height), 1};
    const std::array<Field, 3> fields{Field(h.masks[0]), Field(h.masks[1]), Field(h.masks[2])};
    if (h.compression == 1 || h.compression == 2) {
        const std::vector<std::uint8_t> indices = expandRuns(source, h);
        h.bits = 8;
        for (int y = 0; y < h.height; ++y) {
            convertRow(indices.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(h.width), h, palette, fields,
                       result.pixels.at(0, h.topDown ? y : h.height - 1 - y));
        }
        return result;
    }
    const std::size_t stride = (static_cast<std::size_t>(h.width) * static_cast<std::size_t>(h.bits) + 31) / 32 * 4;
    const std::size_t needed = stride * static_cast<std::size_t>(h.height);
    if (source.bytes.size() < h.dataAt || source.bytes.size() - h.dataAt < needed) {
        failDamaged(source, "BMP", "the end of the file in its pixels");
    }
    const auto width = static_cast<std::size_t>(h.width);
    const Field alpha(h.alphaMask);
    if (h.alphaMask != 0) result.pixels.alpha.resize(width * static_cast<std::size_t>(h.height));
    for (int y = 0; y < h.height; ++y) {
        const Bytes row = source.bytes.subspan(h.dataAt + static_cast<std::size_t>(y) * stride, stride);
        const int target = h.topDown ? y : h.height - 1 - y;
        convertRow(row.data(), h, palette, fields, result.pixels.at(0, target));
        for (std::size_t x = 0; h.alphaMask != 0 && x < width; ++x)
            result.pixels.alpha[static_cast<std::size_t>(target) * width + x] = alpha.of(little32(row, 4 * x));
    }
    return result;
}

}  // namespace fovea::viz
